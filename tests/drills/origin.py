#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An origin as a process, which fails as it is told: so that a drill can kill, freeze or spoil it.

    origin.py PORT NAME [HOST]        0 takes a free port; the first line it prints is the port

Answers GET /bytes/N with N bytes, everything else with its name, /ms/N after N milliseconds, and
swallows bodies that have a Content-Length. /health is what checks ask: it is always well, as long
as anybody answers. Each line on its standard input is a mode that holds from then on:

    well                       as above
    status CODE SHARE          this share of the answers has that status, 0 to 1
    delay SECONDS              before each answer
    slower FACTOR              /ms/N takes so many times as long
    reset SHARE                this share of the answers breaks off in the middle
    backlog N                  connections that the kernel may hold until they are accepted
    count                      prints how many requests it has had
    peak                       prints how many it had at once, at most"""
import asyncio
import os
import random
import re
import socket
import struct
import sys


class Modes:
    def __init__(self):
        self.well()

    def well(self):
        self.status, self.status_share, self.delay, self.reset_share = 503, 0.0, 0.0, 0.0
        self.slower = 1.0

    def obey(self, line):
        words = line.split()
        if words[0] == "well":
            self.well()
        elif words[0] == "status":
            self.status, self.status_share = int(words[1]), float(words[2])
        elif words[0] == "delay":
            self.delay = float(words[1])
        elif words[0] == "slower":
            self.slower = float(words[1])
        elif words[0] == "reset":
            self.reset_share = float(words[1])
        else:
            raise ValueError(line)

    def wait(self, target):
        takes = re.match(r"/ms/(\d+)", target)
        return self.delay + (int(takes[1]) / 1000 * self.slower if takes else 0.0)


WELL = Modes()


class Serving(asyncio.Protocol):
    """One connection; requests one after the other."""

    def __init__(self, origin):
        self.origin = origin
        self.buffer = b""
        self.swallow = 0
        self.target = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while self.take():
            pass

    def take(self):
        """Whether there may be more to take."""
        if self.target is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            head, self.buffer = self.buffer[:end + 2], self.buffer[end + 4:]
            self.target = head.split(b" ", 2)[1].decode()
            length = re.search(rb"\ncontent-length: *(\d+)", head, re.IGNORECASE)
            self.swallow = int(length[1]) if length else 0
        taken = min(self.swallow, len(self.buffer))
        self.buffer, self.swallow = self.buffer[taken:], self.swallow - taken
        if self.swallow:
            return False
        target, self.target = self.target, None
        modes = WELL if target == "/health" else self.origin.modes
        self.origin.begun(target)
        wait = modes.wait(target)
        if wait:
            asyncio.get_running_loop().call_later(wait, self.answer, target, modes)
        else:
            self.answer(target, modes)
        return bool(self.buffer)

    def answer(self, target, modes):
        self.origin.ended(target)
        if self.transport.is_closing():
            return
        sized = re.match(r"/bytes/(\d+)", target)
        body = b"x" * int(sized[1]) if sized else self.origin.name.encode()
        status = modes.status if random.random() < modes.status_share else 200
        whole = b"HTTP/1.1 %d Drill\r\nContent-Length: %d\r\nX-Origin: %s\r\n\r\n" % (
            status, len(body), self.origin.name.encode()) + body
        if random.random() >= modes.reset_share:
            self.transport.write(whole)
            return
        self.transport.write(whole[:-max(1, len(body) // 2)])
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Origin:
    def __init__(self, name, listener):
        self.name = name
        self.listener = listener
        self.modes = Modes()
        self.requests = self.now = self.most = 0
        self.unread = ""

    def begun(self, target):
        self.requests += 1
        self.now += target != "/health"
        self.most = max(self.most, self.now)

    def ended(self, target):
        self.now -= target != "/health"

    def told(self):
        """Whatever there is to read: several lines may come at once, or half of one."""
        read = os.read(sys.stdin.fileno(), 4096).decode()
        if not read:  # whoever started it has gone
            asyncio.get_running_loop().stop()
        *lines, self.unread = (self.unread + read).split("\n")
        for line in lines:
            self.obey(line)

    def obey(self, line):
        if line == "count":
            print(self.requests, flush=True)
        elif line == "peak":
            print(self.most, flush=True)
        elif line.startswith("backlog "):
            self.listener.listen(int(line.split()[1]))
        elif line:
            self.modes.obey(line)

    async def serve(self):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Serving(self), sock=self.listener, backlog=1024)
        loop.add_reader(sys.stdin, self.told)
        print(self.listener.getsockname()[1], flush=True)
        await server.serve_forever()


def main(port, name, host="127.0.0.1"):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, int(port)))
    try:
        asyncio.run(Origin(name, listener).serve())
    except RuntimeError:  # the loop was stopped
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
