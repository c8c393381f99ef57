# SPDX-License-Identifier: Apache-2.0
"""What the tests of hedging share: keys of a route, and what is counted of it."""
from support.waiting import SLOWNESS

SOON = {"hedge": {"after": f"{20 * SLOWNESS}ms"}}
NO_RETRY = {"retry": {"num_retries": 0}}


def counted(gateway, sent, won):
    gateway.expect_metric(sent, "weir_cluster_hedges_total", cluster="app")
    gateway.expect_metric(won, "weir_cluster_hedges_won_total", cluster="app")
    # Nothing is held for them any more.
    gateway.expect_metric(0, "weir_cluster_requests", cluster="app")
    gateway.expect_metric(0, "weir_cluster_retries", cluster="app")
    gateway.expect_metric(0, "weir_endpoint_requests", cluster="app")
