#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the drills and prints one table; ends with 1 if a target is missed.

    run.py [--short] [--list] [NAME...]       after a `make test` or `ninja -C out/dev`"""
import argparse
import importlib
import os
import pkgutil
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import drills  # noqa: E402
from drills.lab import DRILLS, DrillLab, Figure  # noqa: E402

NOT_DRILLS = ("lab", "origin", "run", "test_drills")


def find():
    """Every module beside this one, and the drills they declare."""
    for module in pkgutil.iter_modules(drills.__path__):
        if module.name not in NOT_DRILLS:
            importlib.import_module("drills." + module.name)
    return DRILLS


def run(drill, short):
    """(figures, whether all targets are met)."""
    lab = DrillLab(short)
    try:
        figures = drill.run(lab)
    except Exception as fault:
        traceback.print_exc()
        figures = [Figure("did not end", f"{type(fault).__name__}: {fault}"[:120], "", False)]
    try:
        lab.close()
    except Exception as fault:
        traceback.print_exc()
        figures.append(Figure("end of weir", f"{type(fault).__name__}: {fault}"[:120], "clean", False))
    return figures, all(figure.ok is not False for figure in figures)


def table(results):
    lines = ["| drill | what | figures | |", "|---|---|---|---|"]
    for drill, figures, good in results:
        words = "; ".join(f"{f.name} {f.value}" + (f" ({f.target})" if f.target else "") +
                          (" MISSED" if f.ok is False else "") for f in figures)
        lines.append(f"| {drill.name} | {drill.what} | {words} | {'ok' if good else 'MISSED'} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--short", action="store_true", help="the short ones, and less of each")
    parser.add_argument("--list", action="store_true", help="what there is")
    args = parser.parse_args()
    found = find()
    unknown = set(args.names) - {drill.name for drill in found}
    if unknown:
        sys.exit("no such drill: " + ", ".join(sorted(unknown)))
    wanted = [d for d in found if d.name in args.names or not args.names and (d.short or not args.short)]
    if args.list:
        print("\n".join(f"{d.name:16} {d.what}" for d in wanted))
        return 0
    results = []
    for drill in wanted:
        begun = time.monotonic()
        figures, good = run(drill, args.short)
        results.append((drill, figures, good))
        print(f"{drill.name}: {'ok' if good else 'MISSED'}, {time.monotonic() - begun:.0f} s", flush=True)
    print("\n" + table(results))
    return 0 if all(good for _, _, good in results) else 1


if __name__ == "__main__":
    sys.exit(main())
