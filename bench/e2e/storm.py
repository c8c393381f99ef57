# SPDX-License-Identifier: Apache-2.0
"""`storm`: 99 tenants within their limit and one at 50 times his, open-loop. What do the others lose?

Each proxy has a quiet window and one under the storm, in turn. Goodput is what the others were answered
with 200 over what they asked; a latency runs from the moment that a request was due."""

import json
import statistics
import subprocess

import peers

LIMIT = 100  # requests a second of each tenant (limited.STORM)
OTHERS = "name=others,tenants=99,functions=100,rate=80,path=/bytes/128"
STORM = "name=storm,tenants=1,functions=100,rate=%d,path=/bytes/128" % (50 * LIMIT)
GOODPUT_TARGET = 0.99


def window(bench, program, groups, cores):
    """The groups' figures, `groups` being what is due."""
    command = [bench.tools["paced"], "--port", str(program.port), "--seconds", str(bench.args.seconds)]
    for group in groups:
        command += ["--group", group]
    out = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=120,
                         preexec_fn=lambda: peers.prepare(cores))
    if out.returncode or not out.stdout:
        raise peers.PeerFailed("the load generator died (exit %d)" % out.returncode)
    return json.loads(out.stdout.splitlines()[-1])["groups"]


def figures(group):
    ok = group["outcomes"].get("ok", 0)
    return {"goodput": ok / max(group["due"], 1), "p50_us": group["p50_us"], "p99_us": group["p99_us"]}


def measure(bench, scenario, cores):
    programs = {}
    rounds = {}
    try:
        for peer in scenario.peers:
            if peer in bench.present:
                programs[peer] = bench.start(peer, scenario.settings)
                window(bench, programs[peer], [OTHERS, STORM], cores)  # buckets and connections
        for _ in range(bench.args.rounds):
            for peer, program in programs.items():
                quiet = window(bench, program, [OTHERS], cores)
                storm = window(bench, program, [OTHERS, STORM], cores)
                rounds.setdefault(peer, []).append(
                    {"quiet": figures(quiet["others"]), "storm": figures(storm["others"]),
                     "stormer": figures(storm["storm"])})
    finally:
        for program in programs.values():
            program.stop()
    return {peer: {"median": median(taken), "rounds": taken} for peer, taken in rounds.items()}


def median(rounds):
    return {when: {key: statistics.median(r[when][key] for r in rounds) for key in rounds[0][when]}
            for when in rounds[0]}


HEAD = ["scenario", "proxy", "others' goodput, quiet", "in the storm", "p50 us, quiet", "in the storm",
        "p99 us, quiet", "in the storm", "of the storm passed"]


def rows(taken):
    for peer, figures_of in taken.items():
        m = figures_of["median"]
        quiet, storm = m["quiet"], m["storm"]
        yield ["storm", peer, "%.2f %%" % (100 * quiet["goodput"]), "%.2f %%" % (100 * storm["goodput"]),
               "%d" % quiet["p50_us"], "%d" % storm["p50_us"], "%d" % quiet["p99_us"],
               "%d" % storm["p99_us"], "%.1f %%" % (100 * m["stormer"]["goodput"])]


def ratio_rows(taken):
    if "weir" not in taken:
        return
    goodput = taken["weir"]["median"]["storm"]["goodput"]
    verdict = "met" if goodput > GOODPUT_TARGET else "MISSED"
    yield ["storm", "goodput of the others", "%.2f %%" % (100 * goodput), "",
           "> %.0f %%" % (100 * GOODPUT_TARGET), verdict]
