# SPDX-License-Identifier: Apache-2.0
"""One tenant at fifty times his limit: what do the others lose?"""
from drills.lab import at_least, at_most, drill, failures, share_ok, shown, told_by_weir
from support.lab import config_for

LIMIT = 20   # requests a second, each tenant
OTHERS = 40  # of them, at four fifths of it
NODE = 1000  # bears the others, and not the storm on top


@drill("storm", "one tenant sends 50 times his limit beside 40 within theirs", short=True)
def storm(lab):
    seconds = 4 if lab.short else 20
    lab.weir(config_for(
        *[origin.address for origin in lab.origins("app", 1, plain=True)],
        identity={"tenant": [{"header": "x-tenant"}], "function": [{"header": "x-function"}]},
        tenants={"open": True}, trusted_proxies=["127.0.0.0/8"], workers=2,
        limits=[{"name": "node", "requests": {"rate": f"{NODE}/s"}},
                {"name": "tenant", "key": ["tenant"], "requests": {"rate": f"{LIMIT}/s"}}]))
    others = {"name": "others", "tenants": OTHERS, "functions": 5, "rate": LIMIT * 0.8,
              "path": "/bytes/128"}
    probes = lab.probes()
    groups = lab.load(seconds, others,
                      {"name": "storm", "rate": 50 * LIMIT, "path": "/bytes/128"}).wait()
    probes.close()
    told = [figure for label, prefix in (("tenant", "others"), ("tenant", "storm"), ("function", "f"))
            for figure in told_by_weir(lab.gateway, label, prefix)]
    allowed = LIMIT * (seconds + 1)
    passed = groups["storm"]["outcomes"].get("ok", 0)
    return [
        at_least("goodput of the others", share_ok(groups["others"]), 0.99, "{:.4f}"),
        shown("their p99", f"{groups['others']['p99_us'] / 1000:.1f} ms"),
        at_least("of his limit, the storm got", passed / allowed, 0.9),
        shown("refused to the storm", failures(groups["storm"])),
        at_most("probes that failed", len(probes.faults()), 0, "{:.0f}"),
    ] + told
