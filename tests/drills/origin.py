# SPDX-License-Identifier: Apache-2.0
"""An origin as a process, which fails as it is told: so that a drill can kill, freeze or spoil it.

    origin.py PORT NAME        0 takes a free port; the first line it prints is the port

Answers GET /bytes/N with N bytes, everything else with its name, and swallows bodies that have a
Content-Length. Each line on its standard input is a mode that holds from then on:

    well                       as above
    status CODE SHARE          this share of the answers has that status, 0 to 1
    delay SECONDS              before each answer
    reset SHARE                this share of the answers breaks off in the middle
    count                      prints how many requests it has had"""
import asyncio
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

    def obey(self, line):
        words = line.split()
        if words[0] == "well":
            self.well()
        elif words[0] == "status":
            self.status, self.status_share = int(words[1]), float(words[2])
        elif words[0] == "delay":
            self.delay = float(words[1])
        elif words[0] == "reset":
            self.reset_share = float(words[1])
        else:
            raise ValueError(line)


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
        self.origin.requests += 1
        delay = self.origin.modes.delay
        if delay:
            asyncio.get_running_loop().call_later(delay, self.answer, target)
        else:
            self.answer(target)
        return bool(self.buffer)

    def answer(self, target):
        if self.transport.is_closing():
            return
        modes = self.origin.modes
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
    def __init__(self, name):
        self.name = name
        self.modes = Modes()
        self.requests = 0

    def told(self):
        line = sys.stdin.readline()
        if not line:  # whoever started it has gone
            asyncio.get_running_loop().stop()
        elif line.strip() == "count":
            print(self.requests, flush=True)
        elif line.strip():
            self.modes.obey(line)

    async def serve(self, port):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Serving(self), "127.0.0.1", port, backlog=1024)
        loop.add_reader(sys.stdin, self.told)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(Origin(sys.argv[2]).serve(int(sys.argv[1])))
    except RuntimeError:  # the loop was stopped
        pass
