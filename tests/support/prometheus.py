# SPDX-License-Identifier: Apache-2.0
"""A strict reader of the Prometheus text format (version 0.0.4)."""
import re

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (\S+)(?: -?\d+)?")
_SUFFIXES = ("_bucket", "_sum", "_count")


class Samples:
    def __init__(self):
        self.types = {}
        self.helps = {}
        self.samples = []  # (name, labels, value)

    def sum(self, name, **labels):
        return sum(value for _, value in self.series(name, **labels))

    def series(self, name, **labels):
        return [(have, value) for found, have, value in self.samples
                if found == name and labels.items() <= have.items()]

    def names(self):
        return {name for name, _, _ in self.samples}

    def family(self, name):
        """The name that # TYPE declares for a sample of this name."""
        if name in self.types:
            return name
        for suffix in _SUFFIXES:
            base = name.removesuffix(suffix)
            if base != name and self.types.get(base) in ("histogram", "summary"):
                return base
        return None


def _labels(text):
    labels, at = {}, 0
    while at < len(text):
        match = _LABEL.match(text, at)
        assert match, f"labels {text!r}"
        assert match[1] not in labels, f"label twice: {text!r}"
        labels[match[1]] = match[2]
        at = match.end()
    return labels


def parse(text):
    assert text.endswith("\n"), "the last line has no end"
    found, seen = Samples(), set()
    for line in text.splitlines():
        if line.startswith(("# HELP ", "# TYPE ")):
            _, word, name, rest = (line.split(" ", 3) + [""])[:4]
            table = found.helps if word == "HELP" else found.types
            assert name not in table, f"{word} twice for {name}"
            table[name] = rest
            continue
        if not line or line.startswith("#"):
            continue
        match = _SAMPLE.fullmatch(line)
        assert match, f"sample {line!r}"
        labels = _labels(match[2] or "")
        key = (match[1], tuple(sorted(labels.items())))
        assert key not in seen, f"series twice: {line!r}"
        seen.add(key)
        found.samples.append((match[1], labels, float(match[3])))
    return found
