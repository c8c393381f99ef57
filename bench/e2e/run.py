#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures weir beside the floor, nginx, HAProxy and nghttpx, in one run and in turn (bench/README.md).

The proxy is pinned to CPU 0; origin, load and this script to CPU 1. A scenario starts its peers,
takes rounds A B C D A B C D ..., and keeps the median of each figure."""

import argparse
import json
import os
import platform
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import callgrind
import peers
import proc
import report
import scenarios
import storm

PROXY_CORES = {0}
LOAD_CORES = {1}
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def parse_arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--scenario", action="append", choices=scenarios.NAMES, help="only these (repeatable)")
    p.add_argument("--peer", action="append", choices=scenarios.PEERS, help="only these (repeatable)")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=3.0, help="measured window of a round")
    p.add_argument("--build", default=os.path.join(ROOT, "out", "bench"), help="build tree")
    p.add_argument("--weir", help="binary to measure instead of the build tree's")
    p.add_argument("--quick", action="store_true", help="one short round of each: about a minute")
    p.add_argument("--callgrind", action="store_true", help="instructions a request of weir, instead")
    p.add_argument("--results", default=os.path.join(ROOT, "bench", "results"))
    return p.parse_args()


def find_tools(args):
    tools = {name: os.path.join(args.build, "bin", "bench_" + name)
             for name in ("relay", "origin", "load", "paced", "edge_origin", "edge_load", "edge_attack")}
    tools["weir"] = args.weir or os.path.join(args.build, "bin", "weir")
    tools["floor"] = tools["relay"]
    for name in ("nginx", "haproxy", "nghttpx"):
        tools[name] = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    tools["nginx-64k"] = tools["nginx"]
    tools.update((name, tools["weir"]) for name in scenarios.PEERS if name.startswith("weir-"))
    return tools


class Bench:
    def __init__(self, args, tools, directory):
        self.args = args
        self.tools = tools
        self.directory = directory
        wanted = args.peer or scenarios.PEERS
        self.present = [p for p in wanted if tools[p] and os.access(tools[p], os.X_OK)]
        for peer in set(wanted) - set(self.present):
            print("not there, left out: %s" % peer)
        self.pem = peers.make_certificate(directory)
        self.origins = {}
        try:
            for name in ("origin", "edge_origin"):
                port = peers.free_port()
                self.origins[name] = peers.Program([tools[name], str(port)], port, LOAD_CORES,
                                                   os.path.join(directory, name + ".log"))
        except peers.PeerFailed:
            self.stop()
            raise

    def stop(self):
        for origin in self.origins.values():
            origin.stop()

    def start(self, peer, settings=None, cores=PROXY_CORES, origin="origin"):
        directory = tempfile.mkdtemp(prefix=peer + "-", dir=self.directory)
        settings = dict(settings or {}, pem=self.pem)
        return peers.start(peer, self.tools, directory, self.origins[origin].port, settings, cores)

    def load_command(self, program, arguments, tool="load"):
        return [self.tools[tool], "--port", str(program.port), "--core", "0",
                "--watch", ",".join(map(str, program.pids()))] + arguments

    def load(self, program, arguments, cores=LOAD_CORES, tool="load"):
        out = subprocess.run(self.load_command(program, arguments, tool), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, timeout=120,
                             preexec_fn=lambda: peers.prepare(cores))
        if not out.stdout:
            raise peers.PeerFailed("the load generator died (exit %d)" % out.returncode)
        figures = json.loads(out.stdout)
        figures.update(proc.memory(program.pids()))
        return figures

    def window(self):
        return ["--seconds", str(self.args.seconds), "--warmup", "0.3" if self.args.quick else "0.5"]

    def rounds(self, programs, arguments, cores=LOAD_CORES, tool="load"):
        taken = {name: [] for name in programs}
        for _ in range(self.args.rounds):
            for name, program in programs.items():
                mine = arguments[name] if isinstance(arguments, dict) else arguments
                taken[name].append(self.load(program, mine + self.window(), cores, tool))
                empty_log(program)
        return {name: summary(rounds) for name, rounds in taken.items()}

    def loaded(self, name):
        scenario = scenarios.LOADED[name]
        programs, loads = {}, {}
        try:
            for peer in scenario.peers:
                if peer in self.present:
                    load, settings = scenario.alone.get(peer, (scenario.load, scenario.settings))
                    programs[peer] = self.start(peer, settings, origin=scenario.origin)
                    loads[peer] = load.split()
            return self.rounds(programs, loads, tool=scenario.program)
        finally:
            for program in programs.values():
                program.stop()

    def workers(self):
        """One worker and two, both free to use both cores, so that only their number differs."""
        if "weir" not in self.present:
            return {}
        programs = {}
        both = PROXY_CORES | LOAD_CORES
        try:
            for count in (1, 2):
                programs["weir %d" % count] = self.start("weir", {"workers": count}, both)
            return self.rounds(programs, scenarios.LOADED["small"].load.split(), both)
        finally:
            for program in programs.values():
                program.stop()

    def memory_at_start(self):
        taken = {}
        for peer in (p for p in scenarios.ALL if p in self.present):
            program = self.start(peer)
            time.sleep(0.5)
            taken[peer] = proc.memory(program.pids())
            program.stop()
        return taken

    def idle(self, scenario):
        arguments = scenario.load.split()
        taken = {}
        for peer in (p for p in scenario.peers if p in self.present):
            program = self.start(peer, scenario.settings)
            try:
                self.load(program, arguments + ["--connections", "16", "--requests", "2000"],
                          tool=scenario.program)
                before = proc.memory(program.pids())
                after = self.hold(program, scenario)
                taken[peer] = {"before": before, "after": after}
                taken[peer].update(("per_connection" if kind == "pss" else "rss_per_connection",
                                    (after[kind] - before[kind]) / scenario.connections)
                                   for kind in ("pss", "rss"))
            finally:
                program.stop()
        return taken

    def hold(self, program, scenario):
        arguments = scenario.load.split() + ["--connections", str(scenario.connections), "--hold"]
        holder = subprocess.Popen(self.load_command(program, arguments, scenario.program),
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  preexec_fn=lambda: peers.prepare(LOAD_CORES))
        try:
            answer = json.loads(holder.stdout.readline() or "{}")
            if answer.get("errors", 1):
                raise peers.PeerFailed("holding %d connections: %s" % (scenario.connections, answer))
            time.sleep(1.0)
            return proc.memory(program.pids())
        finally:
            holder.communicate()

    def measure(self, name):
        if name in scenarios.LOADED:
            return self.loaded(name)
        if name in scenarios.IDLE:
            return self.idle(scenarios.IDLE[name])
        if name == "storm":
            return storm.measure(self, scenarios.STORM, LOAD_CORES)
        return {"workers": self.workers, "start": self.memory_at_start}[name]()


def empty_log(program):
    """A log grows by gigabytes an hour at these rates; appenders do not mind that it shrinks."""
    path = os.path.join(os.path.dirname(program.log_path), "access.log")
    if os.path.exists(path):
        os.truncate(path, 0)


def summary(rounds):
    numbers = (key for key, value in rounds[0].items() if not isinstance(value, str))
    median = {key: statistics.median(r[key] for r in rounds) for key in numbers}
    median["errors"] = sum(r["errors"] for r in rounds)
    median["cpu_us_spread"] = max(r["cpu_us"] for r in rounds) - min(r["cpu_us"] for r in rounds)
    return {"median": median, "rounds": rounds}


def output_of(command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT,
                              text=True, timeout=10).stdout.strip().splitlines()[0]
    except (OSError, IndexError, subprocess.SubprocessError):
        return "unknown"


def machine(tools):
    with open("/proc/cpuinfo") as f:
        model = next((l.split(":", 1)[1].strip() for l in f if l.startswith("model name")), "unknown")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "commit": output_of(["git", "describe", "--always", "--dirty"]),
            "nginx": output_of([tools["nginx"] or "nginx", "-v"]),
            "haproxy": output_of([tools["haproxy"] or "haproxy", "-v"]),
            "nghttpx": output_of([tools["nghttpx"] or "nghttpx", "--version"]),
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}


def store(args, results):
    os.makedirs(args.results, exist_ok=True)
    name = "%s-%s.json" % (time.strftime("%Y%m%d-%H%M%S"), results["machine"]["commit"])
    path = os.path.join(args.results, name)
    with open(path, "w") as f:
        json.dump(results, f, indent=1)
    print("\nraw results: %s" % os.path.relpath(path))


def allow_descriptors():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main():
    args = parse_arguments()
    if args.quick:
        args.rounds, args.seconds = 1, 0.7
    if os.cpu_count() < 2:
        sys.exit("two cores are needed: one for the proxy, one for origin and load")
    allow_descriptors()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    tools = find_tools(args)
    os.sched_setaffinity(0, LOAD_CORES)
    results = {"machine": machine(tools), "scenarios": {}}
    directory = tempfile.mkdtemp(prefix="weir-bench-")
    bench = Bench(args, tools, directory)
    try:
        if args.callgrind:
            callgrind.run(bench)
            return 0
        for name in args.scenario or scenarios.NAMES:
            begun = time.monotonic()
            try:
                results["scenarios"][name] = bench.measure(name)
            except peers.PeerFailed as failure:
                print("%s: %s" % (name, failure))
                results.setdefault("failed", []).append(name)
                continue
            print("%-9s %.0f s" % (name, time.monotonic() - begun), flush=True)
    finally:
        bench.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print("\n" + report.render(results))
    store(args, results)
    return 1 if results.get("failed") else 0


if __name__ == "__main__":
    sys.exit(main())
