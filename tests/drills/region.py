# SPDX-License-Identifier: Apache-2.0
"""Three clusters of three origins behind weir in one failover group, as an operator would set them,
and the time table of a drill: load, a fault, a reload in the middle of it, its end, home again.

The settings are those of conf/examples, but for times: an operator waits half a minute before a
cluster comes home, a drill three seconds."""
import time
import types

from drills.lab import Figure, at_least, at_most, failures, shown
from drills.ledger import Ledger
from support.lab import endpoints, merge
from support.waiting import eventually

CAPACITY = {"a": 100, "b": 100, "c": 60}
TENANTS = 10
# Requests a second of all tenants; the bodies are small, so that a core has little to do.
LOAD = ({"name": "reads", "rate": 120 / TENANTS, "tenants": TENANTS, "path": "/ms/5"},
        {"name": "slow", "rate": 30 / TENANTS, "tenants": TENANTS, "path": "/ms/100"},
        {"name": "writes", "rate": 50 / TENANTS, "tenants": TENANTS, "path": "/ms/5",
         "method": "POST", "body": 512})
SAFE = ("reads", "slow")

CLUSTER = {
    "connect_timeout": "250ms",
    "health_check": {"http": {"path": "/health"}, "interval": "2s", "timeout": "500ms",
                     "unhealthy_threshold": 2},
    "outlier_detection": {"consecutive_5xx": 5, "failure_rate": "25%", "latency_factor": 4,
                          "minimum_requests": 20, "interval": "2s", "base_ejection_time": "8s",
                          "min_available": "34%"},
    # Others can serve: there is no need to bear much. A seventh of the load takes 100 ms anyway.
    "circuit_breaker": {"failure_rate_threshold": "20%", "slow_call_rate_threshold": "50%",
                        "slow_call_duration": "40ms", "sliding_window": "5s",
                        "minimum_requests": 20, "open_duration": "2s",
                        "max_open_duration": "4s", "per": ["cluster"]},
    "slow_start": {"window": "2s"},
}
GROUP = {"members": [{"cluster": name, "priority": place, "capacity": capacity}
                     for place, (name, capacity) in enumerate(CAPACITY.items())],
         "failback": {"min_healthy_time": "3s", "ramp": "3s"}}
ROUTE = {"name": "all", "target": {"failover_group": "all"}, "timeout": "5s",
         "retry": {"per_try_timeout": "1500ms"}}


def cluster_of(origins, **keys):
    return merge(merge(CLUSTER, endpoints(*origins)), keys)


class Region:
    """`where`: of one cluster, its origins or how they are made. .config may be changed before
    start(), and between reloads."""

    def __init__(self, lab, **where):
        self.lab = lab
        self.origins = {name: where[name] if isinstance(where.get(name), list)
                        else lab.origins(name, 3, **where.get(name, {})) for name in CAPACITY}
        self.config = {
            "workers": 2,
            "listeners": {"main": {"address": "127.0.0.1:0"}},
            "trusted_proxies": ["127.0.0.0/8"],
            "identity": {"tenant": [{"header": "x-tenant"}]},
            "tenants": {"open": True},
            "clusters": {name: cluster_of(found) for name, found in self.origins.items()},
            "failover_groups": {"all": GROUP},
            "routes": [ROUTE],
        }
        self.reloads = 0

    def start(self):
        self.lab.weir(self.config)

    def reload(self):
        """The config, with a change that concerns nobody: everything is made anew."""
        self.reloads += 1
        aside = {"name": "aside", "match": {"path": {"prefix": f"/aside-{self.reloads}"}},
                 "target": {"direct": {"status": 204}}}
        code, _, stderr = self.lab.gateway.reload(
            {**self.config, "routes": [*self.config["routes"], aside]})
        assert code == 0, stderr

    def change(self, **top):
        """An operator's change of the config."""
        self.config = merge(self.config, top)
        self.reload()

    def each(self, clusters, act):
        for name in clusters:
            for origin in self.origins[name]:
                act(origin)

    def tell(self, clusters, mode):
        self.each(clusters, lambda origin: origin.tell(mode))


def with_words(value, words):
    return f"{value} ({words})" if words else str(value)


class Times:
    """When what happens, in seconds of the load."""

    def __init__(self, lab, during=7.0, after=10.0):
        short = lab.short
        self.fault = 0.8 if short else 2.0
        self.reload = self.fault + (1.2 if short else during / 2)
        self.heal = self.fault + (2.4 if short else during)
        self.end = self.heal + (0.4 if short else after)


class Drilled:
    """What is left of a drill: the ledger, the load's own counts, and when things happened."""

    def __init__(self, region, groups, moments):
        self.lab, self.region, self.groups = region.lab, region, groups
        self.short = region.lab.short
        self.began, self.fault, self.healed, self.end = (
            moments[name] for name in ("began", "fault", "healed", "end"))
        due = sum(group["due"] for group in groups.values())
        gateway = region.lab.gateway
        eventually(lambda: len(gateway.log_lines()) >= due, f"{due} lines in the access log")
        self.ledger = Ledger(gateway.log_lines())

    # ---- Figures.
    def failures(self, unsafe_too=0):
        """`unsafe_too`: those that fail although no origin can have had them."""
        cut = self.ledger.cut()
        safe = sum(failures(self.groups[name]) for name in SAFE)
        safe -= sum(request.repeatable for request in cut)
        unsafe = self.ledger.failed(repeatable=False)
        unsent = [request for request in unsafe if not request.maybe_processed]
        bad = self.ledger.failed(repeatable=True)
        return [
            self.bound("failed idempotent", safe, 0, 10, self.ledger.ways(bad)),
            shown("failed unsafe", with_words(len(unsafe), self.ledger.ways(unsafe))),
            self.bound("unsent", len(unsent), unsafe_too, 10),
            shown("cut", len(cut)),
        ]

    def bound(self, name, value, strict, generous, words=""):
        """At most `strict`; `generous` in the short form, on a machine that does other things."""
        figure = at_most(name, value, generous if self.short else strict, "{:.0f}")
        return figure._replace(value=with_words(figure.value, words))

    def shift(self, victim, target):
        before = self.ledger.share(victim, self.began, self.fault)
        took = self.ledger.shifted(victim, before, self.fault, self.healed)
        return at_most("shifted s", took, target + 2 if self.short else target)

    def home(self, victim, target):
        """When the victim has its part again; nothing in the short form."""
        if self.short:
            return []
        before = self.ledger.share(victim, self.began, self.fault)
        took = self.ledger.home(victim, before, self.healed, self.end)
        if took is None:
            return [Figure("home s", "never", f"<= {target:.2f}", False)]
        return [at_most("home s", took, target)]

    def amplification(self):
        value = self.ledger.amplification(self.fault, self.healed)
        return at_most("amplification", value, 1.25)

    def backups(self, capacity, *names):
        """The fullest of these clusters, as a part of what it can take."""
        return [at_most("backup", max(self.ledger.peak(name) / capacity[name] for name in names), 1.0)]

    def others(self):
        safe, _ = self.ledger.worst_tenant(repeatable=True)
        unsafe, _ = self.ledger.worst_tenant(repeatable=False)
        return [
            shown("worst tenant", f"{safe:.3f} / {unsafe:.3f}"),
            shown("slowest s", f"{self.ledger.slowest(self.fault, self.end):.2f}"),
        ]

    def struck(self, victim):
        """A fault that nobody felt proves nothing."""
        share = self.ledger.share(victim, self.began, self.fault) or 0.0
        return at_least("its part before", share, 0.01)

    def figures(self, victim, shift, home=None, backups=("b",), capacity=None, unsafe_too=0):
        return [*self.failures(unsafe_too), self.struck(victim), self.shift(victim, shift),
                self.amplification(), *self.backups(capacity or CAPACITY, *backups),
                *(self.home(victim, home) if home else []), *self.others()]


def strike(region, fault, heal, times=None, load=LOAD, steps=()):
    """Starts weir, and does all of it. `fault` and `heal` are called; so is each of `steps`, which
    are (seconds after the fault, what)."""
    lab = region.lab
    times = times or Times(lab)
    if not lab.gateway:
        region.start()
    moments = types.SimpleNamespace(fault=None, healed=None)

    def moment(name, act, early):
        """`early`: it is felt as soon as it begins."""
        def run():
            begun = time.time()
            act()
            setattr(moments, name, begun if early else time.time())
        return run

    began = time.time()
    running = lab.load(times.end, *load)
    lab.at(times.fault, moment("fault", fault, True))
    lab.at(times.reload, region.reload)
    lab.at(times.heal, moment("healed", heal, False))
    for after, step in steps:
        lab.at(times.fault + after, step)
    groups = running.wait()
    assert moments.fault and moments.healed, "the fault did not take place"
    return Drilled(region, groups, {"began": began, "fault": moments.fault,
                                    "healed": moments.healed, "end": began + times.end})


def cluster_is(*names):
    return lambda cluster, endpoint: cluster in names


def endpoint_is(origin):
    return lambda cluster, endpoint: endpoint == origin.address
