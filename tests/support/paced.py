# SPDX-License-Identifier: Apache-2.0
"""Open-loop load (bench/e2e/paced.cc) as a process beside the test: requests leave when they are
due, whether or not answers come. A group is a dict of what the program takes for one."""
import json
import os
import shutil
import subprocess
import threading

from support.waiting import PATIENCE


def program(name="paced"):
    """Beside the binary under test, or of the newest build that has it."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    places = [os.path.dirname(os.environ.get("WEIR_BINARY", ""))]
    places += [os.path.join(root, "out", preset, "bin") for preset in ("dev", "bench", "asan", "tsan")]
    for place in places:
        found = shutil.which("weir_" + name, path=place) if place else None
        if found:
            return found
    raise RuntimeError(f"weir_{name} is not built: `ninja -C out/dev weir_{name}`")


def spec(group):
    return ",".join(f"{key}={value}" for key, value in group.items())


class Paced:
    """Runs until `seconds` are over and all answers are in, or stop(). `lines`: one line of counts
    every so many seconds is kept in .seconds."""

    def __init__(self, port, seconds, groups, timeout=5.0, lines=0.0):
        command = [program(), "--port", str(port), "--seconds", str(seconds),
                   "--timeout", str(int(timeout * 1000)), "--lines", str(int(lines * 1000))]
        for group in groups:
            command += ["--group", spec(group)]
        self.patience = seconds + timeout + PATIENCE
        self.seconds = []
        self.end = None
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if "end" in said:
                self.end = said["groups"]
            else:
                self.seconds.append(said)

    def wait(self):
        """The groups' totals by name."""
        self.process.wait(self.patience)
        self._reader.join(PATIENCE)
        assert self.end is not None, f"the load ended with {self.process.returncode}"
        return self.end

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE)


def load(port, seconds, *groups, **rest):
    """Runs it to its end: the groups' totals by name."""
    paced = Paced(port, seconds, groups, **rest)
    try:
        return paced.wait()
    finally:
        paced.close()


def passed(group):
    return group["outcomes"].get("ok", 0)
