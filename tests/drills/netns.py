# SPDX-License-Identifier: Apache-2.0
"""Namespaces of networks and mounts, where the machine grants them: so that packets can really be
dropped, and /etc/resolv.conf names a server of the drill's. Nothing outside them is touched."""
import os
import shutil
import subprocess
import sys
import time

from support.waiting import PATIENCE

INSIDE = "WEIR_DRILLS_NAMESPACE"
HERE, THERE = "10.77.0.1", "10.77.0.2"
NOWHERE = "02:00:00:00:00:01"  # a hardware address that nobody has


def inside():
    return os.environ.get(INSIDE) == "1"


def enter():
    """Runs this program again in namespaces of its own; returns if there are none to be had."""
    if inside() or not shutil.which("ip") or not shutil.which("nsenter"):
        return
    for flags in ("-Urnm", "-nm"):
        tried = subprocess.run(["unshare", flags, "ip", "link", "set", "lo", "up"], check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if tried.returncode == 0:
            os.environ[INSIDE] = "1"
            os.execvp("unshare", ["unshare", flags, sys.executable, *sys.argv])


def prepare():
    if inside():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def name_servers(text):
    """From now on /etc/resolv.conf says this, for whoever is in the namespace."""
    path = os.path.join("/tmp", f"weir-drill-resolv-{os.getpid()}")
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    subprocess.run(["mount", "--bind", path, "/etc/resolv.conf"], check=True)
    os.unlink(path)


class FarNetwork:
    """A network behind a wire, with the one address THERE. break_wire() makes every packet to it
    vanish: nobody is told."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "900"])
        mine = os.readlink("/proc/self/ns/net")
        deadline = time.monotonic() + PATIENCE
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == mine:
            assert time.monotonic() < deadline, "no second namespace"
            time.sleep(0.01)
        self._ip("link", "add", "wire0", "type", "veth", "peer", "name", "wire1", "netns",
                 str(self.holder.pid))
        self._ip("addr", "add", HERE + "/24", "dev", "wire0")
        self._ip("link", "set", "wire0", "up")
        for words in (["addr", "add", THERE + "/24", "dev", "wire1"], ["link", "set", "wire1", "up"],
                      ["link", "set", "lo", "up"]):
            subprocess.run([*self.prefix, "ip", *words], check=True)

    @property
    def prefix(self):
        """What a command begins with that is to run there."""
        return ["nsenter", "-t", str(self.holder.pid), "-n"]

    def break_wire(self):
        self._ip("neigh", "replace", THERE, "lladdr", NOWHERE, "nud", "permanent", "dev", "wire0")

    def mend_wire(self):
        self._ip("neigh", "del", THERE, "dev", "wire0")

    def close(self):
        self._ip("link", "del", "wire0")
        self.holder.kill()
        self.holder.wait()

    @staticmethod
    def _ip(*words):
        subprocess.run(["ip", *words], check=True)
