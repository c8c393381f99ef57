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
from drills import netns  # noqa: E402
from drills.lab import DRILLS, DrillLab, Figure  # noqa: E402

NOT_DRILLS = ("lab", "ledger", "netns", "origin", "region", "run", "test_drills")


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


# Figures that many drills have: a column each.
COLUMNS = ("failed idempotent", "failed unsafe", "unsent", "cut", "shifted s", "amplification",
           "backup", "home s", "worst tenant", "slowest s")


def told(figure):
    return figure.value + (f" [{figure.target}]" if figure.target else "") + \
        (" MISSED" if figure.ok is False else "")


def table(results):
    """The drills that share figures as rows of one table, the others as words in a second one."""
    alike = [r for r in results if any(f.name in COLUMNS for f in r[1])]
    others = [r for r in results if r not in alike]
    lines = []
    if alike:
        lines += ["| drill | " + " | ".join(COLUMNS) + " | more | |",
                  "|---" * (len(COLUMNS) + 3) + "|"]
    for drill, figures, good in alike:
        by_name = {figure.name: told(figure) for figure in figures}
        more = "; ".join(f"{f.name} {told(f)}" for f in figures if f.name not in COLUMNS)
        cells = [drill.name, *(by_name.get(name, "") for name in COLUMNS), more, verdict(good)]
        lines.append("| " + " | ".join(cells) + " |")
    if others:
        lines += ["", "| drill | what | figures | |", "|---|---|---|---|"]
    for drill, figures, good in others:
        words = "; ".join(f"{figure.name} {told(figure)}" for figure in figures)
        lines.append(f"| {drill.name} | {drill.what} | {words} | {verdict(good)} |")
    return "\n".join(lines)


def verdict(good):
    return "ok" if good else "MISSED"


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
    if not args.short:
        netns.enter()
    netns.prepare()
    results = []
    for drill in wanted:
        begun = time.monotonic()
        figures, good = run(drill, args.short)
        results.append((drill, figures, good))
        print(f"{drill.name}: {verdict(good)}, {time.monotonic() - begun:.0f} s", flush=True)
    print("\n" + table(results))
    return 0 if all(good for _, _, good in results) else 1


if __name__ == "__main__":
    sys.exit(main())
