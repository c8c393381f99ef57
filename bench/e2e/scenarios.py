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
  workers  small, on both cores and unpinned, with one worker and with two (weir only)
  start    memory after start
  idle     memory that a connection costs which made one request and stays open: 8,000 of them
"""

ALL = ("floor", "weir", "nginx", "haproxy")
BODIES = ("floor", "weir", "nginx", "nginx-64k", "haproxy")  # where buffer sizes decide


class Scenario:
    def __init__(self, load, peers=ALL, settings=None, floor=None, nginx=None, small=None):
        self.load = load              # arguments for bench_load
        self.peers = peers
        self.settings = settings or {}  # arguments for the peers' configurations
        # Targets: CPU a request of weir at most so many times that of ...
        self.targets = {"floor": floor, "nginx": nginx, "small": small}


LOADED = {
    "small": Scenario("--connections 64 --path /bytes/128", floor=1.20, nginx=0.85),
    "busy": Scenario("--connections 512 --path /bytes/128", floor=1.25, nginx=0.75),
    "big": Scenario("--connections 64 --path /bytes/65536", BODIES, floor=0.90, nginx=0.50),
    "huge": Scenario("--connections 16 --path /bytes/4194304", BODIES, floor=0.90, nginx=0.90),
    "upload": Scenario("--connections 16 --post 1048576", BODIES, floor=0.90, nginx=0.90),
    "newconn": Scenario("--connections 64 --path /bytes/128 --new", nginx=0.90),
    "routes": Scenario("--connections 64 --path /bytes/128 --routes 100000", peers=("weir",),
                       settings={"routes": 100000}, small=1.10),
    "logged": Scenario("--connections 64 --path /bytes/128", peers=("weir", "nginx"),
                       settings={"log": True}, nginx=0.85, small=1.10),
}
WORKERS_TARGET = 1.10   # CPU a request with two workers / with one
IDLE_CONNECTIONS = 8000
IDLE_TARGET = 500       # bytes
START_TARGET = 10 << 20  # bytes resident
NAMES = tuple(LOADED) + ("workers", "start", "idle")
