# SPDX-License-Identifier: Apache-2.0
"""Routing, rewrites, redirects, direct answers and header operations, end to end."""
import pytest
from support.lab import endpoints
from support.message import request
from support.refusal import assert_refused


def direct(name, **match):
    """A route that answers with its own name."""
    return {"name": name, "match": match, "target": {"direct": {"status": 200, "body": name}}}


def gateway_with(lab, *routes, **clusters):
    return lab.gateway({"listeners": {"main": {"address": "127.0.0.1:0"}},
                        "clusters": {name: endpoints(o) for name, o in clusters.items()},
                        "routes": list(routes)})


def winner(lab, gateway, target="/", **rest):
    answer = lab.client(gateway).request(rest.pop("method", "GET"), target, **rest)
    return answer.body.decode() if answer.status == 200 else answer.status


# ---- Matching.
def test_route_host_exact_before_wildcard_before_catch_all(lab):
    gateway = gateway_with(lab, direct("all"), direct("wild", hosts=["*.example.com"]),
                           direct("exact", hosts=["api.example.com"]))
    assert winner(lab, gateway, host="api.example.com") == "exact"
    assert winner(lab, gateway, host="API.example.com:8080") == "exact"
    assert winner(lab, gateway, host="other.example.com") == "wild"
    assert winner(lab, gateway, host="a.b.example.com") == "wild"
    assert winner(lab, gateway, host="example.com") == "all"
    assert winner(lab, gateway, host="example.org") == "all"


def test_route_path_exact_before_regex_before_longest_prefix(lab):
    gateway = gateway_with(lab, direct("root", path={"prefix": "/"}),
                           direct("short", path={"prefix": "/a"}),
                           direct("long", path={"prefix": "/a/b"}),
                           direct("regex", path={"regex": "/a/b/[0-9]+"}),
                           direct("exact", path={"exact": "/a/b/1"}))
    for target, name in (("/", "root"), ("/x", "root"), ("/a", "short"), ("/a/x", "short"),
                         ("/a/b", "long"), ("/a/b/x", "long"), ("/a/b/2", "regex"),
                         ("/a/b/1", "exact"), ("/ab", "root")):
        assert winner(lab, gateway, target) == name, target


def test_route_sees_the_normal_path(lab):
    gateway = gateway_with(lab, direct("public", path={"prefix": "/"}),
                           direct("private", path={"prefix": "/admin"}))
    for target in ("/admin", "/x/../admin", "//admin", "/./admin", "/%61dmin", "/admin/",
                   "/x/%2e%2e/admin", "/admin?x=1"):
        assert winner(lab, gateway, target) in ("private", 400), target


def test_route_conditions_before_none(lab):
    gateway = gateway_with(
        lab, direct("plain"), direct("header", headers={"x-canary": "1"}),
        direct("both", headers={"x-canary": "1"}, query={"v": "2"}),
        direct("post", methods=["POST"]))
    assert winner(lab, gateway) == "plain"
    assert winner(lab, gateway, headers={"X-Canary": "1"}) == "header"
    assert winner(lab, gateway, headers={"X-Canary": "0"}) == "plain"
    assert winner(lab, gateway, "/?v=2", headers={"X-Canary": "1"}) == "both"
    assert winner(lab, gateway, method="POST", body="") == "post"


def test_route_priority_breaks_ties(lab):
    gateway = gateway_with(lab, direct("first", headers={"x-a": "1"}),
                           {**direct("second", headers={"x-b": "1"}), "priority": 10})
    assert winner(lab, gateway, headers={"x-a": "1", "x-b": "1"}) == "second"
    assert winner(lab, gateway, headers={"x-a": "1"}) == "first"


def test_route_none_is_404(lab):
    gateway = gateway_with(lab, direct("a", path={"prefix": "/a"}))
    assert_refused(lab.client(gateway).get("/b"), "no_route")


def test_route_unknown_host_is_404_or_421(lab):
    gateway = gateway_with(lab, direct("a", hosts=["a.test"]))
    assert winner(lab, gateway, host="b.test") in (404, 421)


def test_route_method_that_no_route_takes_is_405_with_allow(lab):
    gateway = gateway_with(lab, direct("get", methods=["GET", "HEAD"]),
                           direct("put", methods=["PUT"]))
    answer = lab.client(gateway).request("DELETE")
    assert_refused(answer, "method_not_allowed")
    assert sorted(answer.header("allow").split(", ")) == ["GET", "HEAD", "PUT"]


def test_route_refusal_keeps_the_connection(lab):
    gateway = gateway_with(lab, direct("a", path={"prefix": "/a"}))
    client = lab.client(gateway)
    for _ in range(3):
        assert client.get("/none").status == 404
        assert client.get("/a").status == 200


def test_route_goes_to_its_cluster(lab):
    one, two = lab.origin(), lab.origin()
    gateway = gateway_with(
        lab, {"name": "1", "match": {"path": {"prefix": "/1"}}, "target": {"cluster": "one"}},
        {"name": "2", "match": {"path": {"prefix": "/2"}}, "target": {"cluster": "two"}},
        one=one, two=two)
    client = lab.client(gateway)
    for origin, target in ((one, "/1"), (two, "/2")):
        client.send(request("GET", target))
        _, found = origin.serve_one()
        assert found.target == target
        client.read_response()


def test_route_pipelined_requests_to_different_clusters_are_answered_in_order(lab):
    one, two = lab.origin(), lab.origin()
    gateway = gateway_with(
        lab, {"name": "1", "match": {"path": {"prefix": "/1"}}, "target": {"cluster": "one"}},
        {"name": "2", "match": {"path": {"prefix": "/2"}}, "target": {"cluster": "two"}},
        direct("d", path={"prefix": "/d"}), one=one, two=two)
    client = lab.client(gateway)
    client.send(request("GET", "/1"), request("GET", "/d"), request("GET", "/2"))
    one.serve_one(200, b"one")
    two.serve_one(200, b"two")
    assert [client.read_response().body for _ in range(3)] == [b"one", b"d", b"two"]


# ---- Weighted targets.
def weighted(lab, weights, **target):
    origins = {f"c{n}": lab.serving(
        lambda found, connection, n=n: connection.answer(200, str(n))) for n in range(len(weights))}
    gateway = gateway_with(lab, {"name": "w", "target": {"weighted": [
        {"cluster": f"c{n}", "weight": w} for n, w in enumerate(weights)], **target}}, **origins)
    return lab.client(gateway)


def test_route_weighted_split_follows_the_weights(lab):
    client = weighted(lab, [80, 20, 0])
    counts = [0, 0, 0]
    for _ in range(500):
        counts[int(client.get().body)] += 1
    assert counts[2] == 0
    assert 50 < counts[1] < 150, counts


def test_route_weighted_split_sticks_to_what_it_hashes(lab):
    client = weighted(lab, [50, 50], hash_on="header:x-user")
    first = {u: client.get(headers={"X-User": u}).body for u in map(str, range(20))}
    assert len(set(first.values())) == 2
    for user, body in first.items():
        assert client.get(headers={"X-User": user}).body == body


# ---- Direct answers and redirects.
def test_direct_answer_has_status_body_and_headers(lab):
    gateway = gateway_with(lab, {"name": "d", "target": {"direct": {
        "status": 418, "body": "teapot", "headers": {"x-a": "b", "content-type": "text/x"}}}})
    answer = lab.client(gateway).get()
    assert (answer.status, answer.body, answer.header("x-a")) == (418, b"teapot", "b")
    assert answer.header("content-type") == "text/x"


def test_direct_answer_is_text_plain_by_default(lab):
    gateway = gateway_with(lab, direct("d"))
    assert lab.client(gateway).get().header("content-type").startswith("text/plain")


def test_direct_answer_to_head_has_no_body(lab):
    client = lab.client(gateway_with(lab, direct("hello")))
    assert client.request("HEAD").length in (None, 5)
    assert client.get().body == b"hello"


def test_direct_answer_to_a_request_with_body_keeps_the_connection_in_step(lab):
    client = lab.client(gateway_with(lab, direct("hello")))
    client.send(request("POST", body="x" * 1000), request())
    assert client.read_response().body == b"hello"
    try:
        assert client.read_response().body == b"hello"
    except AssertionError:
        client.expect_ended()


@pytest.mark.parametrize("redirect, target, location", [
    ({"scheme": "https"}, "/a?b", "https://a.test/a?b"),
    ({"host": "b.test"}, "/a", "http://b.test/a"),
    ({"path": "/new"}, "/old?q=1", "/new?q=1"),
    ({"scheme": "https", "host": "b.test:8443", "path": "/n"}, "/o", "https://b.test:8443/n"),
], ids=["scheme", "host", "path", "all"])
def test_redirect_location(lab, redirect, target, location):
    gateway = gateway_with(lab, {"name": "r", "target": {"redirect": redirect}})
    answer = lab.client(gateway).get(target)
    assert (answer.status, answer.header("location")) == (302, location)


def test_redirect_prefix_and_status(lab):
    gateway = gateway_with(lab, {"name": "r", "match": {"path": {"prefix": "/old"}},
                                 "target": {"redirect": {"prefix": "/new", "status": 308}}})
    answer = lab.client(gateway).get("/old/x?y")
    assert (answer.status, answer.header("location")) == (308, "/new/x?y")


# ---- Rewrites.
def rewritten(lab, rewrite, target, prefix="/", **rest):
    client, origin, _ = lab.pair(route={"match": {"path": {"prefix": prefix}}, "rewrite": rewrite})
    client.send(request("GET", target, **rest))
    _, found = origin.serve_one()
    client.read_response()
    found.origin = origin
    return found


@pytest.mark.parametrize("prefix, to, target, upstream", [
    ("/api", "/", "/api/x?q", "/x?q"),
    ("/api", "/", "/api", "/"),
    ("/api", "/v2", "/api/x", "/v2/x"),
    ("/", "/base", "/x", "/base/x"),
])
def test_rewrite_prefix(lab, prefix, to, target, upstream):
    assert rewritten(lab, {"prefix": to}, target, prefix).target == upstream


def test_rewrite_regex(lab):
    found = rewritten(lab, {"regex": "/users/([0-9]+)/", "substitution": "/u/\\1/"}, "/users/7/x?q")
    assert found.target == "/u/7/x?q"


def test_rewrite_host_keep_is_the_default(lab):
    assert rewritten(lab, {"prefix": "/"}, "/", host="a.test").header("host") == "a.test"


def test_rewrite_host_cluster_names_the_endpoint(lab):
    found = rewritten(lab, {"host": "cluster"}, "/")
    assert found.header("host") == found.origin.address


def test_rewrite_host_literal(lab):
    assert rewritten(lab, {"host": "b.test"}, "/").header("host") == "b.test"


def test_rewrite_host_leaves_x_forwarded_host(lab):
    found = rewritten(lab, {"host": "b.test"}, "/", host="a.test")
    assert found.header("x-forwarded-host") == "a.test"


# ---- Header operations.
def test_headers_of_requests_are_removed_set_and_added(lab):
    client, origin, _ = lab.pair(route={"headers": {"request": {
        "remove": ["x-gone"], "set": {"x-set": "new"}, "add": {"x-add": "more"}}}})
    client.send(request(headers=[("X-Gone", "1"), ("X-Set", "old"), ("X-Set", "older"),
                                 ("X-Add", "first")]))
    _, found = origin.serve_one()
    assert "x-gone" not in found.headers
    assert found.header("x-set") == "new"
    assert found.headers.all("x-add") == ["first", "more"]


def test_headers_of_responses_are_removed_set_and_added(lab):
    client, origin, _ = lab.pair(route={"headers": {"response": {
        "remove": ["server"], "set": {"x-set": "new"}, "add": {"set-cookie": "b=2"}}}})
    client.send(request())
    origin.serve_one(headers=[("Server", "x"), ("X-Set", "old"), ("Set-Cookie", "a=1")])
    answer = client.read_response()
    assert "server" not in answer.headers
    assert answer.header("x-set") == "new"
    assert answer.headers.all("set-cookie") == ["a=1", "b=2"]
