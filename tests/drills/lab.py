# SPDX-License-Identifier: Apache-2.0
"""What a drill is made of: clusters of origins that are processes of their own, weir in front of
them, steady open-loop load, a fault at a time, and somebody who watches. Loopback only.

A drill is a function of a DrillLab that returns Figures; @drill names it (run.py finds it)."""
import collections
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from support.client import Client
from support.gateway import Gateway
from support.paced import Paced, program
from support.waiting import PATIENCE

HERE = os.path.dirname(os.path.abspath(__file__))

# `value` and `target` as they are shown; `ok` is None where nothing is held to a target.
Figure = collections.namedtuple("Figure", "name value target ok")
Drill = collections.namedtuple("Drill", "name what run short")
DRILLS = []


def drill(name, what, short=False):
    """`short`: within a quarter of a minute, and so run by `make test`."""
    def keep(run):
        DRILLS.append(Drill(name, what, run, short))
        return run
    return keep


def at_most(name, value, target, form="{:.2f}"):
    return Figure(name, form.format(value), "<= " + form.format(target), value <= target)


def at_least(name, value, target, form="{:.2f}"):
    return Figure(name, form.format(value), ">= " + form.format(target), value >= target)


def shown(name, value):
    return Figure(name, str(value), "", None)


def share_ok(group):
    """Of what was due in a group of the load, the part that was answered with a 2xx."""
    return group["outcomes"].get("ok", 0) / max(group["due"], 1)


def failures(group):
    return sum(count for outcome, count in group["outcomes"].items() if outcome != "ok")


def amplification(gateway, groups):
    """Tries at origins, of the requests that clients made."""
    asked = sum(group["due"] for group in groups.values())
    return gateway.metric("weir_cluster_attempts_total") / max(asked, 1)


def told_by_weir(gateway, label, prefix):
    """What weir's metrics by tenant or function (`label`) say of the names that begin with `prefix`:
    nothing if they do not count them."""
    metrics = gateway.metrics()

    def total(name, **labels):
        return sum(value for have, value in metrics.series(f"weir_{label}_{name}", **labels)
                   if have[label].startswith(prefix))

    asked = total("requests_total")
    if not asked:
        return []
    answered = max(total("request_duration_seconds_count"), 1)
    mean = total("request_duration_seconds_sum") / answered
    return [shown(f"weir's count of {label} {prefix}*",
                  f"{total('requests_total', outcome='ok') / asked:.4f} of {asked:.0f} well, "
                  f"{mean * 1000:.1f} ms each")]


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class OriginProcess:
    """`plain`: the light C++ origin of the benchmarks, which knows no faults but its end. `host`: where
    the other kind listens; `prefix`: what its command begins with. Wait until it listens()."""

    def __init__(self, name, plain=False, port=0, host="127.0.0.1", prefix=()):
        self.name = name
        self.plain = plain
        self.port = port or (free_port() if plain else 0)
        self.host = host
        self.prefix = list(prefix)
        self.launch()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def start(self):
        """Again on the same port, if it was killed."""
        self.launch()
        self.listens()

    def launch(self):
        if self.plain:
            command = [program("drill_origin"), str(self.port)]
        else:
            command = [*self.prefix, sys.executable, os.path.join(HERE, "origin.py"), str(self.port),
                       self.name, self.host]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def listens(self):
        """Returns when it does."""
        if not self.plain:
            self.port = int(self.process.stdout.readline())
            return
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(f"origin {self.name} does not listen")

    def tell(self, mode):
        """A mode of origin.py."""
        self.process.stdin.write(mode + "\n")
        self.process.stdin.flush()

    def count(self):
        """Requests that it has had."""
        return self.ask("count")

    def peak(self):
        """Requests that it had at once, at most."""
        return self.ask("peak")

    def ask(self, what):
        self.tell(what)
        return int(self.process.stdout.readline())

    def kill(self):
        """From now on connecting is refused."""
        self.process.kill()
        self.process.wait()

    def freeze(self):
        """The kernel still accepts and acknowledges; nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        if self.process.poll() is None:
            self.thaw()
            self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()


class Watch:
    """Calls `look` every `period` seconds: .samples of (seconds since the beginning, what it said).
    What it raises is kept as a sample too."""

    def __init__(self, look, period=0.1):
        self.samples = []
        self._look, self._period = look, period
        self._end = threading.Event()
        self._begun = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._end.wait(self._period):
            try:
                said = self._look()
            except Exception as fault:  # a probe that is not answered is what a drill asks about
                said = fault
            self.samples.append((time.monotonic() - self._begun, said))

    def values(self):
        return [said for _, said in self.samples if not isinstance(said, Exception)]

    def faults(self):
        return [said for _, said in self.samples if isinstance(said, Exception)]

    def close(self):
        self._end.set()
        self._thread.join(PATIENCE)


class DrillLab:
    """`short`: a tenth of the time and the load will do. Everything ends with close()."""

    def __init__(self, short=False):
        self.short = short
        self.gateway = None
        self.faults = []
        self._directory = None
        self._closables = []
        self._timers = []

    def keep(self, thing):
        self._closables.append(thing)
        return thing

    def path(self, name):
        """Of a file that goes with the drill."""
        if not self._directory:
            self._directory = tempfile.mkdtemp(prefix="weir-drill-")
        return os.path.join(self._directory, name)

    def origins(self, name, count=3, plain=False, **where):
        """So many origins, NAME-0 and so on."""
        found = [self.keep(OriginProcess(f"{name}-{n}", plain, **where)) for n in range(count)]
        for origin in found:
            origin.listens()
        return found

    def weir(self, config):
        """`config` as for the tests' Gateway: what every test needs is filled in."""
        self.gateway = Gateway(config)
        return self.gateway

    def load(self, seconds, *groups, timeout=5.0, port=None):
        """Steady load on weir's listener `main`, counted by the second."""
        port = port or self.gateway.address()[1]
        return self.keep(Paced(port, seconds, groups, timeout=timeout, lines=1.0))

    def at(self, seconds, fault):
        """Calls `fault` so many seconds from now."""
        def strike():
            try:
                fault()
            except Exception as error:
                self.faults.append(error)
        timer = threading.Timer(seconds, strike)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def watch(self, look, period=0.1):
        return self.keep(Watch(look, period))

    def probes(self):
        """Watches /healthz and /readyz: a sample is the time that both took."""
        def look():
            begun = time.monotonic()
            for path in ("/healthz", "/readyz"):
                peer = Client(self.gateway.address("admin-metrics"))
                try:
                    peer.sock.settimeout(2.0)
                    answer = peer.request("GET", path, headers=[("Connection", "close")])
                    assert answer.status == 200, (path, answer.status, answer.body)
                finally:
                    peer.close()
            return time.monotonic() - begun
        return self.watch(look)

    def close(self):
        for timer in self._timers:
            timer.cancel()
        for thing in reversed(self._closables):
            thing.close()
        if self.gateway:
            try:
                self.gateway.stop()
            finally:
                self.gateway.destroy()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
        if self.faults:
            raise self.faults[0]
