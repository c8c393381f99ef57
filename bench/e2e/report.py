# SPDX-License-Identifier: Apache-2.0
"""Turns results into the markdown tables of bench/README.md.

Used by run.py; also `report.py FILE` for one stored result, `report.py OLD NEW` to compare two."""

import json
import statistics
import sys

import scenarios
import storm

# A row compares only where the peers' core was equally busy; further apart than this it is marked.
BUSY_SLACK = 0.08


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def mib(value):
    return "%.1f" % (value / 1048576)


def loaded_rows(name, peers):
    busiest = max(p["median"]["busy"] for p in peers.values())
    for peer, figures in peers.items():
        m = figures["median"]
        mark = "" if m["busy"] >= busiest - BUSY_SLACK else " *"
        yield [name, peer, "%.2f" % m["cpu_us"], "%.2f" % m["cpu_us_spread"], "%.0f" % m["rps"],
               "%d" % m["p50_us"], "%d" % m["p99_us"], mib(m["rss"]), mib(m["pss"]),
               "%.0f %%%s" % (100 * m["busy"], mark), "%d" % m["errors"]]


def cpu(results, scenario, peer):
    try:
        return results["scenarios"][scenario][peer]["median"]["cpu_us"]
    except KeyError:
        return None


def ratios(results, scenario, peer):
    """weir over a peer, round by round: those of a round ran one after the other."""
    peers = results["scenarios"].get(scenario, {})
    if "weir" not in peers or peer not in peers:
        return []
    return [ours["cpu_us"] / other["cpu_us"]
            for ours, other in zip(peers["weir"]["rounds"], peers[peer]["rounds"])]


def verdict(value, target):
    return "met" if value <= target else "MISSED by %.0f %%" % (100 * (value / target - 1))


def ratio_row(name, other, each, target):
    """The median, and where half of the rounds lie."""
    value = statistics.median(each)
    quarters = statistics.quantiles(each) if len(each) > 2 else None
    return [name, "weir / " + other, "%.2f" % value, "%.2f to %.2f" % (quarters[0], quarters[2]) if quarters else "",
            "<= %.2f" % target if target else "", verdict(value, target) if target else ""]


def ratio_rows(results):
    for name, scenario in scenarios.LOADED.items():
        shown = ("floor", "nginx-64k", "weir-spread") + (scenarios.EDGE if name not in scenarios.MAIN else ())
        for other in scenarios.PEERS:
            target, each = scenario.targets.get(other), ratios(results, name, other)
            if each and (target or other in shown):
                yield ratio_row(name, other, each, target)
        weir, small = cpu(results, name, "weir"), cpu(results, "small", "weir")
        if weir and small and scenario.targets.get("small"):
            yield ratio_row(name, "weir small", [weir / small], scenario.targets["small"])
    one, two = cpu(results, "workers", "weir 1"), cpu(results, "workers", "weir 2")
    if one and two:
        yield ["workers", "two workers / one", "%.2f" % (two / one), "",
               "<= %.2f" % scenarios.WORKERS_TARGET, verdict(two / one, scenarios.WORKERS_TARGET)]
    yield from storm.ratio_rows(results["scenarios"].get("storm", {}))
    yield from memory_rows(results["scenarios"])


def memory_rows(measured):
    start = measured.get("start", {}).get("weir")
    if start:
        yield ["start", "resident MiB", mib(start["rss"]), "", "< %s" % mib(scenarios.START_TARGET),
               verdict(start["rss"], scenarios.START_TARGET)]
    for name, scenario in scenarios.IDLE.items():
        idle = measured.get(name, {}).get("weir")
        if idle:
            yield [name, "bytes a connection", "%.0f" % idle["per_connection"], "", "< %d" % scenario.target,
                   verdict(idle["per_connection"], scenario.target)]


def memory_table(measured):
    """A row a proxy: memory at start, and PSS (and RSS) that an idle connection adds."""
    held = [name for name in scenarios.IDLE if measured.get(name)]
    names = [p for p in scenarios.PEERS if any(p in measured.get(m, {}) for m in ["start"] + held)]
    if not names:
        return []
    start = measured.get("start", {})
    rows = [[p, *(mib(start[p][kind]) if p in start else "" for kind in ("rss", "pss")),
             *("%.0f (%.0f)" % (measured[h][p]["per_connection"], measured[h][p].get("rss_per_connection", 0))
               if p in measured[h] else "" for h in held)] for p in names]
    return [table(["proxy", "RSS at start MiB", "PSS at start MiB",
                   *("%s: bytes a connection (RSS)" % h for h in held)], rows)]


def render(results):
    measured = results["scenarios"]
    m = results["machine"]
    parts = ["commit %s, %s, %d cores, Linux %s, %s, %s, %s, %s" % (
        m["commit"], m["cpu"], m["cores"], m["kernel"], m["nginx"], m["haproxy"],
        m.get("nghttpx", "no nghttpx"), m["time"])]
    rows = [row for name, peers in measured.items() if name not in ("start", "storm", *scenarios.IDLE) and peers
            for row in loaded_rows(name, peers)]
    if rows:
        parts.append(table(["scenario", "proxy", "CPU us/request", "spread", "requests/s", "p50 us", "p99 us",
                            "RSS MiB", "PSS MiB", "core busy", "errors"], rows))
    if measured.get("storm"):
        parts.append(table(storm.HEAD, storm.rows(measured["storm"])))
    parts += memory_table(measured)
    rows = list(ratio_rows(results))
    if rows:
        parts.append(table(["scenario", "what", "measured", "half of the rounds", "target", ""], rows))
    return "\n\n".join(parts)


def compare(old, new):
    rows = []
    for name, peers in new["scenarios"].items():
        for peer in peers:
            before, after = cpu(old, name, peer), cpu(new, name, peer)
            if before and after:
                rows.append([name, peer, "%.2f" % before, "%.2f" % after, "%+.1f %%" % (100 * (after / before - 1))])
    return table(["scenario", "proxy", old["machine"]["commit"], new["machine"]["commit"], "change"], rows)


def main(paths):
    results = []
    for path in paths:
        with open(path) as f:
            results.append(json.load(f))
    print(render(results[0]) if len(results) == 1 else compare(*results[:2]))


if __name__ == "__main__":
    main(sys.argv[1:])
