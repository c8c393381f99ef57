# SPDX-License-Identifier: Apache-2.0
"""memory.budget for real: thousands of clients who hold bytes and take nothing, and tenants beside
them who ask for little. Resident memory follows what is accounted, and comes home."""
import resource
import subprocess
import time

from drills.lab import at_least, at_most, drill, share_ok, shown
from support.lab import config_for
from support.paced import program

MIB = 1 << 20
BUDGET = 64 * MIB
SLOW = 5000  # uploads, and as many readers
FLOODS = 20  # HTTP/2 connections,
STREAMS = 100  # each of so many streams (flood.cc)


def crowd():
    """As many of each as the descriptors allow. Weir has one for each, and another for those who
    get as far as the origin: the budget ends them long before the descriptors do."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(SLOW, (hard - 1000) // 3)


def accounted(gateway):
    return gateway.metric("weir_memory_accounted_bytes")


def besieged(lab, each, seconds):
    """A running weir, and what the siege is started with."""
    connections = 2 * each + 200
    upstream = connections + FLOODS * STREAMS
    gateway = lab.weir(config_for(
        *[origin.address for origin in lab.origins("app", 1, plain=True)], workers=2,
        memory={"budget": f"{BUDGET // MIB}MiB"},
        listener={"limits": {"max_connections": connections}},
        cluster={"pool": {"max_idle": 64},
                 "resource_limits": {"max_connections": upstream, "max_requests": upstream}},
        identity={"tenant": [{"header": "x-tenant"}]}, tenants={"open": True},
        trusted_proxies=["127.0.0.0/8"]))
    command = [program("flood"), "--port", str(gateway.address()[1]), "--seconds", str(seconds),
               "--uploads", str(each), "--readers", str(each), "--floods",
               str(min(FLOODS, max(1, each // 50)))]
    return gateway, command


def sized(command, *changes):
    """`command` with other values of its options."""
    out = list(command)
    for option, value in zip(changes[::2], changes[1::2]):
        out[out.index(option) + 1] = str(value)
    return out


def honest(seconds):
    """Tenants who ask for little, and so stay within any share."""
    return {"name": "honest", "tenants": 20, "rate": 10, "path": "/bytes/512"}, seconds


def hold(lab, each, seconds, recovery, goodput=0.95):
    gateway, command = besieged(lab, each, seconds)
    group, _ = honest(seconds)
    # Warm on every path: what the code itself takes is not what the siege takes.
    subprocess.run(sized(command, "--seconds", 3, "--uploads", 40, "--readers", 40, "--floods", 1),
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60, check=True)
    lab.load(2, group).wait()
    time.sleep(3)
    base = gateway.rss()
    resident = lab.watch(gateway.rss)
    probes = lab.probes()
    begun = time.monotonic()
    siege = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        groups = lab.load(seconds, group).wait()
        siege_said = siege.communicate(timeout=60)[0].strip()
    finally:
        siege.kill()
        siege.wait()
    peak = max(resident.values())
    while time.monotonic() - begun < seconds + recovery and gateway.rss() > 1.1 * base:
        time.sleep(0.2)
    home = gateway.rss()
    back = time.monotonic() - begun - seconds
    probes.close()
    resident.close()
    print(f"  siege of {each} uploads and {each} readers: {siege_said}; base {base / MIB:.1f} MiB, "
          f"accounted at the end {accounted(gateway) / MIB:.1f} MiB", flush=True)
    return [
        at_most("resident above base, of the budget", (peak - base) / BUDGET, 1.3),
        at_most("probes that failed", len(probes.faults()), 0, "{:.0f}"),
        shown("slowest probe", f"{max(probes.values(), default=0) * 1000:.0f} ms"),
        at_least("goodput of the tenants in share", share_ok(groups["honest"]), goodput, "{:.4f}"),
        shown("how the others ended", ", ".join(
            f"{count} {outcome}" for outcome, count in sorted(groups["honest"]["outcomes"].items())
            if outcome != "ok") or "none"),
        at_most("resident afterwards, of base", home / base, 1.1),
        shown("home after", f"{back:.0f} s"),
    ]


@drill("budget", "5,000 slow uploads, 5,000 slow readers and HTTP/2 floods on a budget of 64 MiB")
def budget(lab):
    return hold(lab, crowd(), 30, 60)


@drill("budget-small", "the same with 400 of each, for `make test`", short=True)
def budget_small(lab):
    # Beside other tests: a client who is late crosses the end of his idle connection.
    return hold(lab, 400, 6, 20, goodput=0.9)
