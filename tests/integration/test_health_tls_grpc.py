# SPDX-License-Identifier: Apache-2.0
"""Checks as real servers see them: gRPC's health service on a real gRPC server, and checks of
endpoints that speak TLS, in plain words what is wrong with those that do not verify."""
from concurrent import futures

import grpc
import pytest
from support import certs, tls
from support.waiting import eventually

CHECK = {"interval": "300ms", "timeout": "300ms", "unhealthy_threshold": 1, "healthy_threshold": 1}
SERVING, NOT_SERVING = 1, 2
ORIGIN_TLS = {"ca": certs.authority().cert, "sni": "origin.test"}


class HealthService:
    """grpc.health.v1.Health by hand: HealthCheckRequest{1: service}, HealthCheckResponse{1: status}."""

    def __init__(self, credentials=None):
        self.status = SERVING
        self.asked = []
        self.server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
            "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(self.check)}),))
        port = (self.server.add_secure_port("127.0.0.1:0", credentials) if credentials
                else self.server.add_insecure_port("127.0.0.1:0"))
        self.address = f"127.0.0.1:{port}"
        self.server.start()

    def check(self, message, context):
        self.asked.append(message)
        if self.status is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return bytes((8, self.status))

    def close(self):
        self.server.stop(0).wait()


def credentials():
    own = certs.leaf("origin.test")
    with open(own.key, "rb") as key, open(own.cert, "rb") as cert:
        return grpc.ssl_server_credentials([(key.read(), cert.read())])


def endpoint(gateway):
    return gateway.admin_json("/clusters")["clusters"][0]["endpoints"][0]


def wait_for(gateway, health):
    eventually(lambda: endpoint(gateway)["health"] == health, f"it is {health}")


@pytest.mark.parametrize("secure", [False, True])
def test_health_of_a_real_grpc_server(lab, secure):
    service = lab.keep(HealthService(credentials() if secure else None))
    cluster = {"protocol": "http2", "health_check": {"grpc": {"service": "orders"}, **CHECK}}
    if secure:
        cluster["tls"] = ORIGIN_TLS
    gateway = lab.relay(service.address, cluster=cluster)
    wait_for(gateway, "healthy")
    assert set(service.asked) == {b"\x0a\x06orders"}
    service.status = NOT_SERVING
    wait_for(gateway, "unhealthy")
    assert endpoint(gateway)["reason"] == "not serving"
    service.status = SERVING
    wait_for(gateway, "healthy")
    service.status = None
    wait_for(gateway, "unhealthy")
    eventually(lambda: endpoint(gateway)["reason"] == "service unknown (grpc-status 5)", "it is told")


def test_health_of_a_grpc_server_as_a_whole_names_no_service(lab):
    service = lab.keep(HealthService())
    gateway = lab.relay(service.address,
                        cluster={"protocol": "http2", "health_check": {"grpc": {}, **CHECK}})
    wait_for(gateway, "healthy")
    assert set(service.asked) == {b""}


@pytest.mark.parametrize("alpn,protocol", [(tls.ALPN_H1, "http1"), (tls.ALPN_H2, "http2"),
                                           (tls.ALPN_H1, "auto"), (tls.ALPN_H2, "auto")])
def test_health_checks_speak_tls_where_requests_do(lab, alpn, protocol):
    serving = lab.h2_serving if alpn == tls.ALPN_H2 else lab.serving
    origin = serving(tls=tls.server_context(alpn=alpn))
    gateway = lab.relay(origin, cluster={
        "protocol": protocol, "tls": ORIGIN_TLS,
        "health_check": {"http": {"path": "/health"}, "interval": "5s", "timeout": "5s"}})
    wait_for(gateway, "healthy")
    assert lab.client(gateway).get().status == 200


def test_health_check_of_an_endpoint_whose_certificate_is_another_fails(lab):
    origin = lab.serving(tls=tls.server_context(certs.leaf("other.test")))
    gateway = lab.relay(origin, cluster={
        "tls": ORIGIN_TLS, "health_check": {"http": {"path": "/health"}, **CHECK}})
    wait_for(gateway, "unhealthy")
    assert "tls" in endpoint(gateway)["reason"].lower(), endpoint(gateway)
