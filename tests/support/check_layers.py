#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the source tree to its own rules (src/README.md): the direction of includes between layers,
third-party headers in their one home, length, licence line. A build cannot tell: all layers share
one include root.

check_layers.py ROOT          prints every violation, exits 1 if there is one
check_layers.py --self-test   plants one violation of each rule and fails unless each is found"""
import os
import re
import sys
import tempfile

ALLOWED = {
    "base": set(),
    "net": {"base"},
    "http": {"base"},
    "config": {"base"},
    "route": {"base", "http", "config"},
    "policy": {"base", "http", "config"},
    "script": {"base", "http", "config", "policy"},
    "upstream": {"base", "net", "http", "config"},
    "proxy": {"base", "net", "http", "config", "route", "policy", "script", "upstream"},
    "admin": {"base", "net", "http", "config", "route", "policy", "script", "upstream", "proxy"},
}
ALLOWED["app"] = set(ALLOWED)

HOMES = [
    (r"uv\.h|uv/|openssl/|ares", "net"),
    (r"llhttp|nghttp2/", "http"),
    (r"re2/", "route"),
    (r"yaml-cpp/", "config"),
    (r"prometheus/", "admin"),
    (r"CLI/|jemalloc/", "app"),
    (r"lua|lj", "script"),
]
# Heavy: they would be compiled into everything that includes the header.
NOT_IN_HEADERS = re.compile(r"iostream$|regex$|format$|fmt/|nlohmann/")
INCLUDE = re.compile(r'\s*#\s*include\s*(["<])([^">]+)[">]')
LINE_LIMIT = 600
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
SPDX = "SPDX-License-Identifier: Apache-2.0"
SOURCES = (".cc", ".h", ".py")


def sources(root):
    for top in ("include", "src", "tests", "bench"):
        for directory, folders, files in os.walk(os.path.join(root, top)):
            folders[:] = [f for f in folders if f not in ("__pycache__", "results", "corpus")]
            for name in sorted(files):
                if name.endswith(SOURCES):
                    yield os.path.relpath(os.path.join(directory, name), root)


def check_include(path, layer, kind, target):
    if kind == '"' or target.startswith("weir/"):
        other = target.split("/")[0]
        if path.startswith("include/") and kind == '"':
            return "the public headers include nothing of src/: %s" % target
        if layer and kind == '"' and other != layer and other not in ALLOWED[layer]:
            return "%s may not include %s" % (layer, target)
        return None
    for pattern, home in HOMES:
        if re.match(pattern, target) and (layer != home):
            return "<%s> belongs to %s" % (target, home)
    if path.endswith(".h") and NOT_IN_HEADERS.match(target):
        return "<%s> is too heavy for a header" % target
    return None


def check_file(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        lines = f.read().splitlines()
    if len(lines) > LINE_LIMIT:
        yield len(lines), "longer than %d lines" % LINE_LIMIT
    if not any(SPDX in line for line in lines[:2]):
        yield 1, "no licence line"
    if path.endswith(".h") and "#pragma once" not in lines:
        yield 1, "no #pragma once"
    product = path.startswith(("include/", "src/"))
    parts = path.split("/")
    layer = parts[1] if parts[0] == "src" and len(parts) > 2 else None
    for number, line in enumerate(lines, 1):
        if product and UNFINISHED.search(line):
            yield number, "unfinished: %s" % line.strip()
        found = INCLUDE.match(line)
        if found and product:
            problem = check_include(path, layer, *found.groups())
            if problem:
                yield number, problem


def check(root):
    return ["%s:%d: %s" % (path, number, problem)
            for path in sources(root) for number, problem in check_file(root, path)]


HEAD = "// %s\n#pragma once\n" % SPDX
PLANTED = {
    "src/base/upward.h": (HEAD + '#include "net/loop.h"\n', "base may not include"),
    "src/route/sideways.h": (HEAD + '#include "upstream/pool.h"\n', "route may not include"),
    "src/upstream/homeless.h": (HEAD + "#include <uv.h>\n", "belongs to net"),
    "src/proxy/parser.h": (HEAD + "#include <llhttp.h>\n", "belongs to http"),
    "src/http/heavy.h": (HEAD + "#include <iostream>\n", "too heavy"),
    "include/weir/inward.h": (HEAD + '#include "base/arena.h"\n', "nothing of src/"),
    "include/weir/foreign.h": (HEAD + "#include <yaml-cpp/yaml.h>\n", "belongs to config"),
    "src/http/long.h": (HEAD + "\n" * LINE_LIMIT, "longer than"),
    "src/http/bare.h": ("#pragma once\n", "no licence line"),
    "src/http/twice.h": ("// %s\n" % SPDX, "no #pragma once"),
    "src/http/later.h": (HEAD + "// TO" + "DO: later\n", "unfinished"),
}
INNOCENT = {
    "src/proxy/fine.h": HEAD + '#include "route/table.h"\n#include <weir/error.h>\n#include <string>\n',
    "src/net/fine.cc": "// %s\n#include <uv.h>\n#include <fmt/core.h>\n" % SPDX,
}


def self_test():
    wrong = []
    with tempfile.TemporaryDirectory() as root:
        texts = dict(INNOCENT, **{path: text for path, (text, _) in PLANTED.items()})
        for path, text in texts.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
        found = check(root)
    for path, (_, reason) in PLANTED.items():
        if not any(line.startswith(path + ":") and reason in line for line in found):
            wrong.append("not found: %s in %s" % (reason, path))
    wrong += ["false alarm: " + line for line in found if line.startswith(tuple(INNOCENT))]
    return wrong


def main(arguments):
    problems = self_test() if arguments == ["--self-test"] else check(arguments[0])
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
