#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What one hostile client takes from another (bench/README.md).

The proxy is pinned to CPU 0; origin, the measured client and the attacker to CPU 1. The client asks
over TLS and HTTP/2 at a fixed pace that leaves both cores room, so that what it loses is lost in the
proxy. The attacker holds itself to 0.2 of a core and waits for nothing. For each attack: a quiet
window, one under attack, in turn; the proxy is started anew for each attack, so its longest turn is
that attack's."""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import peers
import proc
import report
import run
import scenarios

FLOODS = ("rapid_reset", "continuation", "ping", "settings", "empty_data", "priority", "window_update",
          "hpack_bomb", "zero_window")
HANDSHAKES = ("handshake", "hello")  # carried through; dropped once the proxy has answered
PACED = "handshakes"                 # honest new connections, --handshakes a second
ATTACKS = FLOODS + HANDSHAKES + (PACED,)
TURN = "weir_worker_turn_seconds_max"
TURN_TARGET = 0.010     # seconds
GOODPUT_TARGET = 0.95   # of the quiet value


def parse_arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--attack", action="append", choices=ATTACKS, help="only these (repeatable)")
    p.add_argument("--peer", dest="attacked", default="weir", choices=scenarios.EDGE, help="who is attacked")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=3.0, help="measured window")
    p.add_argument("--rate", type=float, default=10000, help="requests a second of the client; 0 closed loop")
    p.add_argument("--share", type=float, default=0.2, help="of a core, for the attacker")
    p.add_argument("--handshakes", type=float, default=500, help="a second, for the attack of that name")
    p.add_argument("--turn-metric", default=TURN)
    p.add_argument("--build", default=os.path.join(run.ROOT, "out", "bench"))
    p.add_argument("--weir", help="binary to measure instead of the build tree's")
    p.add_argument("--results", default=os.path.join(run.ROOT, "bench", "results"))
    args = p.parse_args()
    args.peer, args.quick = [args.attacked], False  # what run.Bench wants to know
    return args


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=5)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(self.path)


def metrics(program):
    """The text of /metrics; empty for a proxy that has no admin socket of weir's."""
    path = os.path.join(os.path.dirname(program.log_path), "admin.sock")
    if not os.path.exists(path):
        return ""
    connection = UnixConnection(path)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def samples(text, name):
    """[(labels, value)] of one metric."""
    found = re.findall(r"^%s(\{[^}]*\})? (\S+)" % re.escape(name), text, re.M)
    return [(labels, float(value)) for labels, value in found]


def longest_turn(text, name):
    values = [value for _, value in samples(text, name)]
    return max(values) if values else None


def attacker(bench, args, attack, program, seconds):
    tool, rest = "edge_attack", ["--attack", attack, "--share", str(args.share),
                                 "--connections", "64" if attack in HANDSHAKES else "8"]
    if attack == PACED:
        tool, rest = "edge_load", ["--mode", "handshake", "--rate", str(args.handshakes),
                                   "--connections", "256", "--warmup", "0"]
    command = [bench.tools[tool], "--port", str(program.port), "--seconds", str(seconds)] + rest
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            preexec_fn=lambda: peers.prepare(run.LOAD_CORES))


def victim(bench, args, program):
    arguments = ["--mode", "h2", "--tls", "--connections", "4", "--streams", "32", "--rate", str(args.rate)]
    return bench.load(program, arguments + bench.window(), tool="edge_load")


def under_attack(bench, args, attack, program):
    # The attack begins before the client's warm-up and outlasts its window.
    hostile = attacker(bench, args, attack, program, args.seconds + 1.5)
    try:
        time.sleep(0.3)
        figures = victim(bench, args, program)
        out, _ = hostile.communicate(timeout=30)
    finally:
        if hostile.poll() is None:
            hostile.kill()
            hostile.wait()
    return figures, json.loads(out or b"{}")


def measure(bench, args, attack):
    program = bench.start(args.attacked, scenarios.H2)
    try:
        victim(bench, args, program)  # warm
        started = longest_turn(metrics(program), args.turn_metric)
        quiet, attacked, sent, turns = [], [], [], []
        for _ in range(args.rounds):
            quiet.append(victim(bench, args, program))
            figures, units = under_attack(bench, args, attack, program)
            attacked.append(figures)
            sent.append(units)
            text = metrics(program)
            turns.append(longest_turn(text, args.turn_metric))  # of half a minute at least
        return {"quiet": quiet, "attacked": attacked, "sent": sent, "turn_before": started,
                "turn": max((t for t in turns if t is not None), default=None),
                "memory": proc.memory(program.pids()),
                "metrics": [line for line in text.splitlines() if "glitch" in line and line[0] != "#"]}
    finally:
        program.stop()


def median(rounds, key):
    return statistics.median(r.get(key, 0) for r in rounds)


def row(attack, taken):
    quiet, attacked, sent = taken["quiet"], taken["attacked"], taken["sent"]
    seconds = max(median(sent, "seconds"), 0.001)
    units = median(sent, "units") or median(sent, "requests")
    opened = median(sent, "connections") or units  # an honest handshake is a connection
    share = median(attacked, "rps") / max(median(quiet, "rps"), 1)
    turn = taken["turn"]
    brief = turn is not None and turn < TURN_TARGET
    return [attack, "%.0f" % (units / seconds), "%.0f" % (opened / seconds),
            "%.0f" % median(quiet, "rps"), "%.0f" % median(attacked, "rps"),
            "%.1f %%%s" % (100 * share, "" if share >= GOODPUT_TARGET else " MISSED"),
            "%d / %d" % (median(quiet, "p99_us"), median(attacked, "p99_us")),
            "%.1f" % (max(a["max_us"] for a in attacked) / 1e3),
            "%d" % sum(r["errors"] for r in quiet + attacked),
            "unknown" if turn is None else "%.2f%s" % (1e3 * turn, "" if brief else " MISSED"),
            report.mib(taken["memory"]["rss"])]


HEAD = ["attack", "units/s", "connections/s", "goodput quiet", "attacked", "share", "p99 us quiet / attacked",
        "longest wait ms", "errors", "longest turn ms", "RSS MiB"]


def main():
    args = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    run.allow_descriptors()
    tools = run.find_tools(args)
    os.sched_setaffinity(0, run.LOAD_CORES)
    directory = tempfile.mkdtemp(prefix="weir-abuse-")
    bench = run.Bench(args, tools, directory)
    results = {"machine": run.machine(tools), "peer": args.attacked, "rate": args.rate, "abuse": {}}
    try:
        for attack in args.attack or ATTACKS:
            results["abuse"][attack] = measure(bench, args, attack)
            print("%s: %s" % (attack, row(attack, results["abuse"][attack])[1:]), flush=True)
    finally:
        bench.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print("\n%s, %s, a client of %.0f requests a second\n" % (results["machine"]["commit"], args.attacked, args.rate))
    print(report.table(HEAD, [row(attack, taken) for attack, taken in results["abuse"].items()]))
    run.store(args, results)


if __name__ == "__main__":
    main()
