# SPDX-License-Identifier: Apache-2.0
"""The command line: what an operator sees before anything runs. Exit codes are promises
(weir --help lists them)."""
import glob
import json
import os
import re
import subprocess

import pytest
from support.gateway import run_cli

ROOT = os.path.join(os.path.dirname(__file__), "../..")
GOOD = """\
listeners:
  main: {address: "127.0.0.1:0"}
clusters:
  app: {endpoints: [{address: "127.0.0.1:9001"}]}
  v2: {endpoints: [{address: "127.0.0.1:9002"}]}
routes:
  - name: api
    match: {hosts: ["*.example.com"], path: {prefix: /api}}
    target: {cluster: app}
  - name: canary
    match: {path: {prefix: /api}, headers: {x-canary: "1"}}
    target: {cluster: v2}
  - name: rest
    target: {direct: {status: 404, body: nothing here}}
"""


@pytest.fixture
def file(tmp_path):
    def write(text, name="weir.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)
    return write


# ---- check.
def test_check_of_a_good_file_is_0(file):
    code, _, err = run_cli("check", file(GOOD))
    assert (code, err) == (0, "")


def test_check_names_file_line_column_key_and_the_nearest_key(file):
    path = file(GOOD.replace("prefix: /api}}\n    target", "perfix: /api}}\n    target", 1))
    code, out, err = run_cli("check", path)
    text = out + err
    assert code == 1
    line = GOOD[:GOOD.index("prefix")].count("\n") + 1
    column = GOOD.splitlines()[line - 1].index("prefix") + 1
    assert f"{path}:{line}:{column}:" in text
    assert "perfix" in text and "prefix" in text.replace("perfix", "")


@pytest.mark.parametrize("old, new, words", [
    ("cluster: app}", "cluster: ap}", ["ap", "app"]),
    ("address: \"127.0.0.1:9001\"", "address: nonsense", ["nonsense", "address"]),
    ("prefix: /api}}", "prefix: api}}", ["api", "/"]),
    ("status: 404", "status: 99", ["99", "status"]),
    ("name: rest", "name: api", ["api"]),
    ("listeners:\n  main: {address: \"127.0.0.1:0\"}\n", "", ["listeners"]),
    ("target: {cluster: app}", "target: {cluster: app, direct: {}}", ["target"]),
    ("    target: {cluster: v2}\n", "", ["target"]),
    ("prefix: /api}, headers", "regex: '('}, headers", ["("]),
    ("main: {address", "main: {adress", ["adress", "address"]),
    ("clusters:", "tls: {}\nclusters:", ["tls"]),
    ("x-canary: \"1\"", "x-canary: {exat: a}", ["exat", "exact"]),
    ("app: {endpoints", "app: {connect_timeout: 5, endpoints", ["connect_timeout", "s"]),
], ids=["cluster", "address", "path", "status", "duplicate", "no listener", "two targets",
        "no target", "regex", "misspelt", "later key", "nested", "no unit"])
def test_check_refuses_and_says_what(file, old, new, words):
    assert old in GOOD
    code, out, err = run_cli("check", file(GOOD.replace(old, new, 1)))
    assert code == 1, out + err
    for word in words:
        assert word in out + err


def test_check_shows_all_errors_at_once(file):
    text = GOOD.replace("cluster: app}", "cluster: none1}").replace("cluster: v2}",
                                                                    "cluster: none2}")
    code, out, err = run_cli("check", file("bogus_key: 1\n" + text))
    assert code == 1
    for word in ("bogus_key", "none1", "none2"):
        assert word in out + err


def test_check_json_lists_findings_with_their_place(file):
    code, out, _ = run_cli("check", "--json", file("bogus_key: 1\n" + GOOD))
    report = json.loads(out)
    found = report["findings"][0]
    assert (code, report["ok"], report["errors"]) == (1, False, 1)
    assert (found["line"], found["column"], found["key"]) == (1, 1, "bogus_key")


def test_check_json_of_a_good_file_is_ok_and_empty(file):
    code, out, _ = run_cli("check", "--json", file(GOOD))
    report = json.loads(out)
    assert (code, report["ok"], report["findings"]) == (0, True, [])


def test_check_of_a_missing_file_says_so(tmp_path):
    path = str(tmp_path / "none.yaml")
    code, out, err = run_cli("check", path)
    assert code != 0 and path in out + err


def test_check_replaces_environment_variables(file):
    path = file(GOOD.replace("127.0.0.1:9001", "${HOST_A}:9001"))
    assert run_cli("check", path, env={"HOST_A": "10.0.0.1"})[0] == 0


def test_check_of_a_missing_environment_variable_is_an_error(file):
    code, out, err = run_cli("check", file(GOOD.replace("127.0.0.1:9001", "${NOT_THERE}:9001")))
    assert code == 1 and "NOT_THERE" in out + err


@pytest.mark.parametrize("path", sorted(
    glob.glob(ROOT + "/conf/*.yaml") + glob.glob(ROOT + "/conf/examples/*.yaml")),
    ids=os.path.basename)
def test_check_of_every_file_that_comes_with_weir(path, tmp_path):
    if os.path.basename(path) == "reference.yaml":
        pytest.skip("shows keys, and is held to the structs by the unit tests")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    # An example that needs certificates has the lines that make them.
    for line in re.findall(r"^#   (openssl .*)$", text, re.M):
        subprocess.run(line, shell=True, check=True, cwd=tmp_path, capture_output=True)
    copy = tmp_path / os.path.basename(path)
    copy.write_text(text, encoding="utf-8")
    code, out, err = run_cli("check", str(copy))
    assert code == 0, out + err


# ---- run.
def test_run_on_a_bad_file_ends_at_once_and_says_why(file):
    code, out, err = run_cli("run", "-c", file("bogus_key: 1\n" + GOOD))
    assert code == 1 and "bogus_key" in err
    assert "ready" not in err.splitlines()


def test_reload_without_a_running_weir_says_so(file):
    path = file("admin: {address: 'unix:/tmp/weir-is-not-here.sock'}\n" + GOOD)
    code, out, err = run_cli("reload", "-c", path)
    assert code == 3 and "/tmp/weir-is-not-here.sock" in out + err


# ---- diff.
def test_diff_of_equal_files_is_0_and_silent(file):
    code, out, _ = run_cli("diff", file(GOOD), file(GOOD, "b.yaml"))
    assert code == 0 and "app" not in out


def test_diff_of_a_spelt_out_default_is_no_difference(file):
    code, _, _ = run_cli("diff", file(GOOD), file("workers: auto\n" + GOOD, "b.yaml"))
    assert code == 0


def test_diff_names_what_changes(file):
    new = GOOD.replace("127.0.0.1:9001", "127.0.0.1:9009").replace("name: canary", "name: blue")
    code, out, _ = run_cli("diff", file(GOOD), file(new, "b.yaml"))
    assert code == 1
    for word in ("127.0.0.1:9001", "127.0.0.1:9009", "canary", "blue"):
        assert word in out


def test_diff_json(file):
    new = GOOD.replace("status: 404", "status: 410")
    code, out, _ = run_cli("diff", "--json", file(GOOD), file(new, "b.yaml"))
    assert code == 1
    assert any("404" in str(change) and "410" in str(change) for change in json.loads(out))


def test_diff_of_an_invalid_file_is_2(file):
    code, out, err = run_cli("diff", file(GOOD), file("bogus_key: 1\n", "b.yaml"))
    assert code == 2 and "bogus_key" in out + err


# ---- explain.
def explain(file, *arguments):
    code, out, err = run_cli("explain", "-c", file(GOOD), *arguments)
    return code, out + err


def test_explain_names_route_cluster_and_why(file):
    code, text = explain(file, "GET", "http://a.example.com/api/x")
    assert code == 0
    for word in ("api", "app", "*.example.com", "prefix"):
        assert word in text


def test_explain_takes_headers(file):
    code, text = explain(file, "GET", "http://other.test/api/x", "-H", "X-Canary: 1")
    assert code == 0 and "canary" in text and "v2" in text


def test_explain_tells_why_a_candidate_lost(file):
    _, text = explain(file, "GET", "http://other.test/api/x")
    assert "rest" in text and "x-canary" in text


def test_explain_normalises_the_path(file):
    _, text = explain(file, "GET", "http://a.example.com/x/../api")
    assert "app" in text


def test_explain_of_a_request_that_no_route_takes_is_5(file):
    text = GOOD[:GOOD.index("  - name: rest")]
    code, out, err = run_cli("explain", "-c", file(text), "GET", "http://other.test/none")
    assert code == 5 and "no_route" in out + err


def test_explain_order_lists_routes_most_specific_first(file):
    code, out, _ = run_cli("explain", "-c", file(GOOD), "--order")
    assert code == 0
    places = [out.index(name) for name in ("api", "canary", "rest")]
    assert places == sorted(places)


# ---- The rest.
def test_version(file):
    code, out, _ = run_cli("version")
    assert code == 0 and out.startswith("weir ")


def test_help_names_the_commands():
    code, out, _ = run_cli("--help")
    assert code == 0
    for word in ("run", "check", "diff", "explain", "reload", "version"):
        assert word in out


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["run", "--nonsense"], ["explain"]])
def test_wrong_command_line_is_2(arguments):
    code, _, err = run_cli(*arguments)
    assert code == 2 and err


# ---- explain: whose request it is.
OWNED = """\
trusted_proxies: [10.0.0.0/8]
identity:
  tenant: [{header: x-tenant}, {value: anonymous}]
  function: [{path_regex: '^/f/([^/]+)'}]
tenants: {classes: {gold: {weight: 4}}, members: {acme: gold}}
limits:
  - name: per-tenant
    key: [tenant]
    requests: {rate: 200/s, burst: 400}
    classes: {gold: {requests: {rate: 1000/s}}}
    overrides: {unknown: {requests: {rate: 5/m}}}
  - {name: node, concurrency: {max: 64, queue: {max_requests: 8, max_wait: 500ms}}}
  - {name: per-address, key: [client_ip], requests: {rate: 50/s}, dry_run: true}
  - {name: elsewhere, match: {routes: [api]}, requests: {rate: 1/s}}
""" + GOOD


def owner_of(file, *arguments):
    code, out, err = run_cli("explain", "-c", file(OWNED), "GET", "http://other.test/f/resize",
                             "-H", "X-Tenant: acme", *arguments)
    assert code == 0, err
    return out


def test_explain_says_whose_request_it_is_and_by_which_rule(file):
    text = owner_of(file, "--from", "10.1.2.3", "-H", "X-Forwarded-For: 2001:db8::1:2")
    assert "tenant: acme\n  header x-tenant says acme (wins)\n" in text
    assert "function: resize\n  path_regex ^/f/([^/]+) says resize (wins)\n" in text
    assert "class: gold, weight 4\n  tenants: he is listed\n" in text
    assert "priority: 3, by its route\n" in text
    assert "not passed on" not in text


def test_explain_lists_limits_in_their_order_with_amounts_and_why(file):
    text = owner_of(file, "--from", "10.1.2.3", "-H", "X-Forwarded-For: 2001:db8::1:2")
    limits = text[text.index("limits,"):]
    assert limits == """\
limits, in the order in which they are checked:
  1. per-tenant, bucket tenant=acme, amounts by its class
     requests 1000/s, burst 1000
  2. per-address, bucket client_ip=2001:db8::/64, amounts as for everybody, dry_run: refuses nobody
     requests 50/s, burst 50
  3. node, bucket of the whole node, amounts as for everybody
     concurrency 64 at once, 8 may wait for 500ms
  not by their match: elsewhere
"""


def test_explain_of_a_stranger_says_what_is_not_believed(file):
    text = owner_of(file, "--from", "192.0.2.1")
    assert ("tenant: anonymous, counted as unknown\n"
            "  header x-tenant is not believed: the peer is not in trusted_proxies\n"
            "  value anonymous says anonymous (wins)\n") in text
    assert "class: none, weight 1\n  tenants: he is not listed\n" in text
    assert "not passed on: x-tenant, because the peer is not in trusted_proxies" in text
    assert "bucket tenant=unknown, amounts by an override\n     requests 5/m, burst 1\n" in text
    assert "bucket client_ip=192.0.2.1" in text


def test_explain_refuses_what_it_does_not_know(file):
    for arguments in (["--from", "nowhere"], ["--listener", "nothing"]):
        code, _, err = run_cli("explain", "-c", file(OWNED), "GET", "http://other.test/",
                               *arguments)
        assert code == 2 and arguments[1] in err


# ---- explain: what else decides.
PLACED = """\
listeners: {main: {address: "127.0.0.1:0"}}
trusted_proxies: [127.0.0.0/8]
region: {name: eu, clusters: [app]}
clusters:
  app: {endpoints: [{address: "127.0.0.1:9001"}]}
  far: {endpoints: [{address: "127.0.0.1:9002"}]}
failover_groups:
  all:
    members: [{cluster: app, region: eu, capacity: 10},
              {cluster: far, region: us, priority: 1, capacity: 10}]
routes:
  - {name: fixed, match: {path: {prefix: /fixed}}, target: {cluster: app}, hedge: {after: 50ms}}
  - {name: lately, match: {path: {prefix: /lately}}, target: {failover_group: all}, hedge: {after: p99}}
  - {name: plain, match: {path: {prefix: /plain}}, target: {cluster: far}}
  - {name: here, target: {direct: {status: 404, body: nothing here}}}
"""


@pytest.mark.parametrize("arguments, words", [
    (["GET", "http://a.test/fixed"], ["hedge: to a second endpoint", "after 50 ms", "budget"]),
    (["GET", "http://a.test/lately"], ["after p99 of what", "100"]),
    (["POST", "http://a.test/fixed"], ["hedge: never, only GET, HEAD and OPTIONS are"]),
    (["GET", "http://a.test/fixed", "-H", "Content-Length: 5"], ["hedge: never, it has a body"]),
    (["GET", "http://a.test/fixed", "--from", "127.0.0.1", "-H", "X-Weir-Attempt: 2"],
     ["hedge: never, another weir tries it again already"]),
    (["GET", "http://a.test/plain"], ["hedge: never, the route has no `hedge`"]),
])
def test_explain_says_whether_it_would_be_hedged(file, arguments, words):
    code, out, err = run_cli("explain", "-c", file(PLACED), *arguments)
    assert code == 0, err
    for word in words:
        assert word in out, out


@pytest.mark.parametrize("path, words", [
    ("/fixed", ["region: eu is judged by\n  cluster app; without it the region leaves the answer"]),
    ("/plain", ["region: eu is judged by\n  cluster far\n"]),
    ("/lately", ["region: eu is judged by\n  failover group all, by its members here: app\n"]),
    ("/none", ["region: eu is not judged by this route"]),
])
def test_explain_says_what_the_region_is_judged_by(file, path, words):
    code, out, err = run_cli("explain", "-c", file(PLACED), "GET", "http://a.test" + path)
    assert code == 0, err
    for word in words:
        assert word in out, out
    assert path != "/none" or "hedge" not in out


def test_explain_says_nothing_of_a_region_that_there_is_not(file):
    assert "region" not in explain(file, "GET", "http://a.example.com/api")[1]
