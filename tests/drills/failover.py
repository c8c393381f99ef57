# SPDX-License-Identifier: Apache-2.0
"""A whole cluster fails while weir is asked steadily."""
import socket

from drills import netns
from drills.lab import at_most, drill, shown
from drills.region import GROUP, Region, Times, cluster_is, strike
from support.lab import merge

REFUSED, SILENT = 1.0, 3.0  # seconds to have shifted
JUDGED = 5.0                # where a window of answers has to tell
HOME = 10.0                 # a few checks, min_healthy_time and the ramp


@drill("cluster-killed", "the first of three clusters is killed: connecting is refused", short=True)
def cluster_killed(lab):
    region = Region(lab)
    run = strike(region, lambda: region.each("a", lambda origin: origin.kill()),
                 lambda: region.each("a", lambda origin: origin.start()))
    return run.figures(cluster_is("a"), REFUSED, HOME)


@drill("two-killed", "two of three clusters are killed, and the smallest serves alone")
def two_killed(lab):
    region = Region(lab)
    run = strike(region, lambda: region.each("ab", lambda origin: origin.kill()),
                 lambda: region.each("ab", lambda origin: origin.start()))
    return run.figures(cluster_is("a", "b"), REFUSED, HOME, backups=("c",))


@drill("cluster-holed", "packets to the first cluster vanish")
def cluster_holed(lab):
    if not netns.inside():
        return holed_by_backlog(lab)
    far = lab.keep(netns.FarNetwork())
    region = Region(lab, a={"host": netns.THERE, "prefix": far.prefix})
    run = strike(region, far.break_wire, far.mend_wire)
    return run.figures(cluster_is("a"), SILENT, HOME) + [shown("how", "a wire of its own")]


def holed_by_backlog(lab):
    """No namespaces: nobody answers on what is open, and of new connections the kernel drops the
    first packet because nobody accepts those before."""
    region = Region(lab)
    fillers = [lab.keep(Filler()) for _ in region.origins["a"]]

    def hole():
        for origin, filler in zip(region.origins["a"], fillers):
            origin.tell("backlog 0")
            origin.count()  # it has heard that
            origin.freeze()
            filler.fill(origin)

    def heal():
        for origin, filler in zip(region.origins["a"], fillers):
            filler.close()
            origin.thaw()
            origin.tell("backlog 1024")

    run = strike(region, hole, heal)
    return run.figures(cluster_is("a"), SILENT, HOME) + [
        shown("how", "full backlogs of stopped processes, since this machine gives no namespaces")]


class Filler:
    """Connections that take the places which a kernel has for those that nobody accepts."""

    def __init__(self):
        self.socks = []

    def fill(self, origin):
        for _ in range(4):
            self.socks.append(socket.socket())
            self.socks[-1].setblocking(False)
            self.socks[-1].connect_ex((origin.host, origin.port))

    def close(self):
        for sock in self.socks:
            sock.close()


@drill("cluster-frozen", "the first cluster is stopped (SIGSTOP): it accepts, and says nothing")
def cluster_frozen(lab):
    region = Region(lab)
    run = strike(region, lambda: region.each("a", lambda origin: origin.freeze()),
                 lambda: region.each("a", lambda origin: origin.thaw()))
    return run.figures(cluster_is("a"), SILENT, HOME)


@drill("cluster-503", "every answer of the first cluster is a 503; its checks pass")
def cluster_503(lab):
    region = Region(lab)
    run = strike(region, lambda: region.tell("a", "status 503 1"), lambda: region.tell("a", "well"))
    return run.figures(cluster_is("a"), SILENT, HOME)


@drill("cluster-30%", "30 % of the answers of the first cluster are a 503; its checks pass")
def cluster_third(lab):
    region = Region(lab)
    run = strike(region, lambda: region.tell("a", "status 503 0.3"),
                 lambda: region.tell("a", "well"))
    return run.figures(cluster_is("a"), JUDGED, HOME)


@drill("cluster-resets", "every answer of the first cluster breaks off in the middle")
def cluster_resets(lab):
    region = Region(lab)
    run = strike(region, lambda: region.tell("a", "reset 1"), lambda: region.tell("a", "well"))
    return run.figures(cluster_is("a"), SILENT, HOME)


@drill("cluster-slow", "the first cluster takes ten times as long")
def cluster_slow(lab):
    region = Region(lab)
    run = strike(region, lambda: region.tell("a", "slower 10"), lambda: region.tell("a", "well"))
    return run.figures(cluster_is("a"), JUDGED, HOME)


@drill("cluster-flaps", "the first cluster is killed and started again every 2 s")
def cluster_flaps(lab):
    region = Region(lab)
    # Who flaps waits longer and longer: 2, 4 and then 8 s.
    region.config["failover_groups"]["all"] = merge(GROUP, {"failback": {"min_healthy_time": "2s"}})
    kill = lambda: region.each("a", lambda origin: origin.kill())  # noqa: E731
    start = lambda: region.each("a", lambda origin: origin.start())  # noqa: E731
    run = strike(region, kill, start, Times(lab, during=10.0, after=15.0),
                 steps=[(2.0, start), (4.0, kill), (6.0, start), (8.0, kill)])
    back = run.ledger.share(cluster_is("a"), run.fault + 1.0, run.healed)
    return run.figures(cluster_is("a"), REFUSED, 14.0) + [
        at_most("its part while it flaps", back, 0.05)]


def nobody_left(lab, fault, heal, again):
    """What clients get is failures: that they come at once, cost little, and end with the fault:
    `again` seconds after it."""
    region = Region(lab)
    run = strike(region, fault(region), heal(region), Times(lab, during=5.0, after=5.0))
    meanwhile = run.ledger.between(run.fault + 1.0, run.healed)
    back = run.ledger.well_again(run.healed, run.end)
    slow = max(request.took for request in meanwhile)
    return [run.struck(lambda cluster, endpoint: True), run.amplification(),
            at_most("slowest meanwhile s", slow, 1.0),
            shown("how they end", run.ledger.ways(meanwhile)),
            shown("tries a request", f"{run.ledger.tries(run.fault, run.healed):.2f}"),
            at_most("served again s", back, again), *run.others()]


@drill("all-killed", "all clusters are killed: nobody is left to serve")
def all_killed(lab):
    return nobody_left(lab, lambda region: lambda: region.each("abc", lambda o: o.kill()),
                       lambda region: lambda: region.each("abc", lambda o: o.start()), 3.0)


@drill("all-503", "every answer of all clusters is a 503: who tries again makes it worse")
def all_503(lab):
    return nobody_left(lab, lambda region: lambda: region.tell("abc", "status 503 1"),
                       lambda region: lambda: region.tell("abc", "well"),
                       7.0)  # breakers: open for the second time, probes, ramp
