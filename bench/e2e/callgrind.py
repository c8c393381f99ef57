# SPDX-License-Identifier: Apache-2.0
"""Instructions a request: weir under callgrind, N requests and 2N, the difference over N.

Start-up, configuration and exit cancel out. One connection and then sixteen: with one, every request
pays for a whole turn of the loop; with sixteen, turns are shared as they are under load."""

import os
import re
import tempfile

import peers
import scenarios

REQUESTS = 2000
# What is counted: a scenario and whose settings and load of it.
KINDS = (("small", "weir"), ("limited", "weir"), ("limited", "weir-bare"), ("refused", "weir"),
         ("refused", "weir-direct"), ("placement", "weir"), ("placement", "weir-spread"))


def instructions(bench, kind, connections, requests):
    scenario = scenarios.LOADED[kind[0]]
    load, settings = scenario.alone.get(kind[1], (scenario.load, scenario.settings))
    # Few tenants, so that their buckets are made in both runs' first half and cancel out.
    load = re.sub("--tenants 1000$|--tenants 1000 ", "--tenants 1 ", load)
    load = load.replace("--tenants 10000", "--tenants 50").split()
    directory = tempfile.mkdtemp(prefix="callgrind-", dir=bench.directory)
    port = peers.free_port()
    command = peers.weir_command(bench.tools, directory, port, bench.origins["origin"].port, settings)
    out = os.path.join(directory, "callgrind.out")
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, "-q"]
    program = peers.Program(valgrind + command, port, {0}, os.path.join(directory, "log"))
    try:
        figures = bench.load(program, load + ["--connections", str(connections), "--requests", str(requests)])
    finally:
        program.stop()
    with open(out) as f:
        totals = re.search(r"^(?:totals|summary): (\d+)", f.read(), re.M)
    return int(totals.group(1)), figures["requests"]


def run(bench):
    for kind in KINDS:
        if bench.args.scenario and kind[0] not in bench.args.scenario:
            continue
        for connections in (1, 16):
            few, few_requests = instructions(bench, kind, connections, REQUESTS)
            many, many_requests = instructions(bench, kind, connections, 2 * REQUESTS)
            each = (many - few) / (many_requests - few_requests)
            print("%-8s %-12s %2d connections: %.0f instructions a request (user space)" % (
                *kind, connections, each), flush=True)
