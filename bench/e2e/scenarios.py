# SPDX-License-Identifier: Apache-2.0
"""What is measured, and what it is held to.

  small    128 B answers, 64 keep-alive clients: the price of a request
  busy     the same with 512 clients
  big      64 KiB answers, 64 clients: where splice begins to pay
  huge     4 MiB answers, 16 clients
  upload   1 MiB POST, 16 clients
  newconn  a connection a request, 64 clients
  routes   small, with requests spread over 100,000 routes (weir only)
  logged   small, with an access log to a file (weir, and nginx with its log buffered)
  limited  10,000 tenants, 100 functions, four rates and a cap on concurrency a request; weir-bare has
           the same requests and no limits, weir-small is small
  refused  1,000 tenants, the same limits, every request refused; weir-direct answers itself instead
  placement  the requests of limited, placed by eight cells, a release, a failover group and ten
           clusters of fifty endpoints with health and breakers (weir only); weir-spread draws from
           ten plain clusters as large, by weight
  storm    one tenant at 50 times its limit beside 99 within theirs (storm.py)
  workers  small, on both cores and unpinned, with one worker and with two (weir only)
  start    memory after start
  idle     memory that a connection costs which made one request and stays open: 8,000 of them

  tls        small over TLS 1.3, HTTP/1, 64 keep-alive clients
  h2         small over TLS 1.3, HTTP/2: 16 connections with 32 streams each
  handshake  TLS 1.3 handshakes and nothing else, 16 at a time: "request" is a handshake
  resumed    the same, each with the ticket of an earlier one
  h2up       small, HTTP/1 in and HTTP/2 to the origin, 64 clients (nginx cannot)
  ws         WebSocket: 128 B frames, echoed by the origin, 64 clients with one in flight
  idle-tls   idle, over TLS: 4,000 connections
  idle-h2    idle, over TLS with HTTP/2: 4,000 connections
"""

import limited

ALL = ("floor", "weir", "nginx", "haproxy")
BODIES = ("floor", "weir", "nginx", "nginx-64k", "haproxy")  # where buffer sizes decide
EDGE = ("weir", "nginx", "haproxy", "nghttpx")  # nothing that does not do TLS could be a floor
LIMITED = ("floor", "weir", "weir-bare", "weir-small", "nginx", "haproxy")
REFUSED = ("weir", "weir-direct", "nginx", "haproxy")
PEERS = BODIES + ("nghttpx", "weir-bare", "weir-small", "weir-direct", "weir-spread")


class Scenario:
    """`targets`: CPU a request of weir at most so many times that of a peer ("small": of weir there)."""

    def __init__(self, load, peers=ALL, settings=None, program="load", origin="origin", alone=None,
                 **targets):
        self.load = load                # arguments for the load generator,
        self.program = program          # which is "load" or "edge_load"
        self.origin = origin            # "origin" or "edge_origin"
        self.peers = peers
        self.settings = settings or {}  # arguments for the peers' configurations
        self.alone = alone or {}        # by peer: (load, settings) of its own
        self.targets = targets


def edge(load, peers=EDGE, **rest):
    return Scenario(load, peers, program="edge_load", **rest)


H1 = {"alpn": ["http/1.1"]}
H2 = {"alpn": ["h2", "http/1.1"]}

SMALL = "--connections 64 --path /bytes/128"
OWNED = SMALL + " --tenants 10000 --functions 100"

LOADED = {
    "small": Scenario(SMALL, floor=1.20, nginx=0.85),
    "busy": Scenario("--connections 512 --path /bytes/128", floor=1.25, nginx=0.75),
    "big": Scenario("--connections 64 --path /bytes/65536", BODIES, floor=0.90, nginx=0.50),
    "huge": Scenario("--connections 16 --path /bytes/4194304", BODIES, floor=0.90, nginx=0.90),
    "upload": Scenario("--connections 16 --post 1048576", BODIES, floor=0.90, nginx=0.90),
    "newconn": Scenario("--connections 64 --path /bytes/128 --new", nginx=0.90),
    "routes": Scenario("--connections 64 --path /bytes/128 --routes 100000", peers=("weir",),
                       settings={"routes": 100000}, small=1.10),
    "logged": Scenario("--connections 64 --path /bytes/128", peers=("weir", "nginx"),
                       settings={"log": True}, nginx=0.85, small=1.10),
    "limited": Scenario(OWNED, LIMITED, {"limits": limited.AMPLE},
                        alone={"weir-bare": (OWNED, {}), "weir-small": (SMALL, {})},
                        **{"nginx": 0.75, "weir-small": 1.06}),
    "refused": Scenario(SMALL + " --tenants 1000 --expect 429", REFUSED, {"limits": limited.TINY},
                        alone={"weir-direct": (SMALL + " --tenants 1000", {"direct": True})}, **{"weir-direct": 1.10}),
    "placement": Scenario(OWNED, ("weir", "weir-spread", "weir-bare", "weir-small"), {"placement": True},
                          alone={"weir-spread": (OWNED, {"spread": True}), "weir-bare": (OWNED, {}),
                                 "weir-small": (SMALL, {})},
                          **{"weir-small": 1.05}),
    "tls": edge("--mode h1 --tls --connections 64", settings=H1, nginx=0.75),
    "h2": edge("--mode h2 --tls --connections 16 --streams 32", settings=H2, nghttpx=0.85),
    "handshake": edge("--mode handshake --connections 16", settings=H1, nginx=0.80),
    "resumed": edge("--mode handshake --resume --connections 16", settings=H1),
    "h2up": Scenario("--connections 64 --path /bytes/128", ("weir", "haproxy", "nghttpx"),
                     settings={"h2up": True}, origin="edge_origin"),
    "ws": edge("--mode ws --connections 64", ("floor",) + EDGE, settings={"upgrade": True},
               origin="edge_origin"),
}
STORM = Scenario("", ("weir", "nginx", "haproxy"), {"limits": limited.STORM})
WORKERS_TARGET = 1.10   # CPU a request with two workers / with one
START_TARGET = 10 << 20  # bytes resident


class Idle:
    def __init__(self, load, connections, target, peers=ALL, settings=None, program="load"):
        self.load = load                # held, and before that --connections 16 as a warm-up
        self.connections = connections
        self.target = target            # bytes a connection
        self.peers = peers
        self.settings = settings or {}
        self.program = program


IDLE = {
    "idle": Idle("", 8000, 500),
    "idle-tls": Idle("--mode h1 --tls", 4000, 7 << 10, EDGE, H1, "edge_load"),
    "idle-h2": Idle("--mode h2 --tls", 4000, 10 << 10, EDGE, H2, "edge_load"),
}
MAIN = tuple(name for name, s in LOADED.items() if s.program == "load" and s.origin == "origin")
NAMES = MAIN + ("storm", "workers", "start", "idle") + tuple(
    name for name in tuple(LOADED) + tuple(IDLE) if name not in MAIN and name != "idle")
