# SPDX-License-Identifier: Apache-2.0
"""Waiting with a deadline. Every wait of the suite goes through here or through a socket timeout
of PATIENCE, so that a hang is a failed assertion and never a hung run."""
import os
import time

# Sanitized binaries are several times slower, and the machine may be shared.
SLOWNESS = {"asan": 3, "tsan": 4}.get(os.environ.get("WEIR_PRESET", ""), 1)
PATIENCE = 10.0 * SLOWNESS


class Deadline:
    def __init__(self, seconds=PATIENCE):
        self._end = time.monotonic() + seconds

    def left(self):
        return max(0.0, self._end - time.monotonic())

    def passed(self):
        return self.left() == 0.0


def eventually(predicate, what, seconds=PATIENCE):
    """The first true value of `predicate`, which is asked again and again."""
    deadline = Deadline(seconds)
    while True:
        value = predicate()
        if value:
            return value
        if deadline.passed():
            raise AssertionError(f"not within {seconds:.1f} s: {what}")
        time.sleep(0.005)
