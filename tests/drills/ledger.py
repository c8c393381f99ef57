# SPDX-License-Identifier: Apache-2.0
"""What happened in a drill, by the access log: each request with all its tries, and figures of them.

A request counts where it was placed first: that is what shows when traffic has shifted, and when it
is home again. A `victim` is a function of (cluster, endpoint)."""
import bisect
import collections
import datetime
import json

SLICE = 0.2       # seconds: what a share of the traffic is taken of,
LONG_SLICE = 1.0  # where the victim has few requests,
FEW = 0.2         # less than this share of all
HAS_LEFT = 0.15   # of the share that it had before, in a slice
STAYS_AWAY = 0.1  # of that share, until the fault ends: what trials and probes may take
IS_HOME = 0.8     # of that share, in a second
IS_HOME_OF_FEW = 0.5

CHANGES_HANDS = 0.003  # seconds

IDEMPOTENT = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
# Why weir ends a request of which some origin may have done something.
MAYBE_PROCESSED = ("", "upstream_reset", "upstream_timeout", "upstream_idle", "upstream_truncated",
                   "deadline_exceeded", "client_closed")

Try = collections.namedtuple("Try", "cluster endpoint outcome")


class Request:
    """`at`: when it began, in Unix time; `took`: seconds."""

    def __init__(self, line):
        self.at = datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp()
        self.took = line["total_us"] / 1e6
        self.served_from = self.at + max(line.get("connected_us") or 0, 0) / 1e6
        self.method, self.status = line["method"], line["status"]
        self.reason = line.get("reason") or ""
        self.tenant = line.get("tenant") or ""
        self.cluster, self.endpoint = line.get("cluster") or "", line.get("endpoint") or ""
        self.attempts = line["attempts"]
        self.tries = [Try(*each.split("=")[0].split("/", 1), each.split("=")[1])
                      for each in (line.get("tries") or "").split(", ") if each]

    @property
    def end(self):
        return self.at + self.took

    @property
    def first(self):
        """(cluster, endpoint) that it was placed at first."""
        return (self.tries[0].cluster, self.tries[0].endpoint) if self.tries else \
            (self.cluster, self.endpoint)

    @property
    def not_connected(self):
        """Tries that did not come to a connection."""
        ends = [each.outcome for each in self.tries] or [self.reason]
        return sum(end.startswith("connect_") for end in ends)

    @property
    def good(self):
        return 200 <= self.status < 300 and not self.reason

    @property
    def cut(self):
        """The client had its head already."""
        return 200 <= self.status < 300 and bool(self.reason)

    @property
    def repeatable(self):
        return self.method in IDEMPOTENT

    @property
    def maybe_processed(self):
        return self.reason in MAYBE_PROCESSED and self.attempts > 0


class Ledger:
    def __init__(self, lines):
        self.requests = sorted((Request(json.loads(line)) for line in lines), key=lambda r: r.at)
        self._times = [request.at for request in self.requests]

    def between(self, begin, end):
        """Those that began then."""
        return self.requests[bisect.bisect_left(self._times, begin):
                             bisect.bisect_left(self._times, end)]

    def share(self, victim, begin, end):
        """Of the requests that began then, the part that was placed there first; None of none."""
        found = self.between(begin, end)
        return sum(victim(*request.first) for request in found) / len(found) if found else None

    def shifted(self, victim, before, begin, end):
        """Seconds from `begin` until the traffic has left, and stays away until `end`."""
        piece = SLICE if before > FEW else LONG_SLICE
        at = begin
        while at < end:
            now, rest = self.share(victim, at, at + piece), self.share(victim, at, end)
            if (now or 0.0) <= HAS_LEFT * before and (rest or 0.0) <= STAYS_AWAY * before:
                break
            at += SLICE / 2
        return min(at, end) - begin

    def home(self, victim, before, begin, end):
        """Seconds from `begin` until it has its share `before` again; None: never."""
        piece, enough = (1.0, IS_HOME) if before > FEW else (2.0, IS_HOME_OF_FEW)
        at = begin
        while at + piece <= end:
            if (self.share(victim, at, at + piece) or 0.0) >= enough * before:
                return at - begin
            at += SLICE
        return None

    def well_again(self, begin, end):
        """Seconds from `begin` until nothing fails any more: of what begins before `end`."""
        bad = [request.at for request in self.between(begin, end) if not request.good]
        return max(bad) - begin if bad else 0.0

    def amplification(self, begin, end):
        """Requests that went upstream, of those that clients made: a connection that did not come
        about has carried none."""
        found = self.between(begin, end)
        sent = sum(request.attempts - request.not_connected for request in found)
        return sent / max(len(found), 1)

    def tries(self, begin, end):
        """Tries a request, connections that did not come about included."""
        found = self.between(begin, end)
        return sum(request.attempts for request in found) / max(len(found), 1)

    def failed(self, repeatable):
        """Answered badly or not at all, without those that were cut past their head."""
        return [r for r in self.requests if not r.good and not r.cut and r.repeatable == repeatable]

    def cut(self):
        return [request for request in self.requests if request.cut]

    def tries_that_failed(self, victim):
        return sum(victim(each.cluster, each.endpoint) and each.outcome != "200"
                   for request in self.requests for each in request.tries)

    def peak(self, cluster):
        """The most requests that the cluster had at once: of each only its last try, without the
        moment in which one gives its place to the next."""
        edges = []
        for request in self.requests:
            if request.cluster == cluster and request.attempts:
                edges += [(request.served_from, 1),
                          (max(request.served_from, request.end - CHANGES_HANDS), -1)]
        now = most = 0
        for _, step in sorted(edges):
            now += step
            most = max(most, now)
        return most

    def worst_tenant(self, repeatable):
        """(share of success, name) of the one with the least."""
        asked, well = collections.Counter(), collections.Counter()
        for request in self.requests:
            if request.repeatable == repeatable:
                asked[request.tenant] += 1
                well[request.tenant] += request.good
        return min((well[name] / count, name) for name, count in asked.items())

    def slowest(self, begin, end):
        return max((request.took for request in self.between(begin, end)), default=0.0)

    def ways(self, requests):
        """How they ended, by word, for a table."""
        counts = collections.Counter(request.reason or str(request.status) for request in requests)
        return ", ".join(f"{count} {word}" for word, count in counts.most_common(4))
