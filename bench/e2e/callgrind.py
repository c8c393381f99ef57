# SPDX-License-Identifier: Apache-2.0
"""Instructions a request: weir under callgrind, N requests and 2N, the difference over N.

Start-up, configuration and exit cancel out. One connection and then sixteen: with one, every request
pays for a whole turn of the loop; with sixteen, turns are shared as they are under load."""

import os
import re
import tempfile

import peers

REQUESTS = 2000


def instructions(bench, connections, requests):
    directory = tempfile.mkdtemp(prefix="callgrind-", dir=bench.directory)
    port = peers.free_port()
    command = peers.weir_command(bench.tools, directory, port, bench.origins["origin"].port, {})
    out = os.path.join(directory, "callgrind.out")
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, "-q"]
    program = peers.Program(valgrind + command, port, {0}, os.path.join(directory, "log"))
    try:
        figures = bench.load(program, ["--connections", str(connections), "--requests", str(requests)])
    finally:
        program.stop()
    with open(out) as f:
        totals = re.search(r"^(?:totals|summary): (\d+)", f.read(), re.M)
    return int(totals.group(1)), figures["requests"]


def run(bench):
    for connections in (1, 16):
        few, few_requests = instructions(bench, connections, REQUESTS)
        many, many_requests = instructions(bench, connections, 2 * REQUESTS)
        each = (many - few) / (many_requests - few_requests)
        print("%2d connections: %.0f instructions a request (user space)" % (connections, each))
