# SPDX-License-Identifier: Apache-2.0
"""What the tests of mirroring share: the config, an origin that never answers, and the counts."""
import time

from support.lab import config_for, endpoints
from support.waiting import PATIENCE, SLOWNESS

QUICK = 0.3 * SLOWNESS


def mirrored(app, shadow, mirror=None, shadow_cluster=None, route=None, **top):
    """The usual config, whose requests are copied to `shadow`."""
    base = config_for(app, route={"mirror": {"cluster": "shadow", **(mirror or {})},
                                  **(route or {})}, **top)
    base["clusters"]["shadow"] = {**endpoints(shadow), **(shadow_cluster or {})}
    return base


def dropped(gateway, value, reason):
    gateway.expect_metric(value, "weir_mirror_dropped_total", reason=reason)


def failed(gateway, value, **reason):
    gateway.expect_metric(value, "weir_mirror_failed_total", **reason)


def sent(gateway, value):
    gateway.expect_metric(value, "weir_mirror_requests_total")


def nothing_left(gateway):
    for name in ("weir_mirror_copies", "weir_mirror_bytes", "weir_worker_exchanges",
                 "weir_listener_exchanges", "weir_cluster_requests", "weir_endpoint_requests"):
        gateway.expect_metric(0, name)


def timed(client, *args, **rest):
    begun = time.monotonic()
    answer = client.request(*args, **rest)
    return answer, time.monotonic() - begun


def hangs(_, connection):
    connection.sock.settimeout(PATIENCE)
    connection.expect_ended()
