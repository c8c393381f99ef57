# SPDX-License-Identifier: Apache-2.0
"""One endpoint of a cluster fails while weir is asked steadily."""
from drills.lab import amplification, at_most, drill, failures, shown
from support.lab import config_for


@drill("endpoint-killed", "one of three endpoints is killed, and comes back later", short=True)
def killed(lab):
    seconds = 5 if lab.short else 15
    origins = lab.origins("app", 3)
    lab.weir(config_for(*[origin.address for origin in origins], workers=2))
    victim = origins[1]
    load = lab.load(seconds, {"name": "reads", "rate": 150, "path": "/bytes/512"},
                    {"name": "writes", "rate": 50, "method": "POST", "body": 512})
    lab.at(0.3 * seconds, victim.kill)
    lab.at(0.6 * seconds, victim.start)
    groups = load.wait()
    return [
        at_most("idempotent requests that failed", failures(groups["reads"]), 0, "{:.0f}"),
        # At most those that the victim may have begun.
        at_most("others that failed", failures(groups["writes"]), 5, "{:.0f}"),
        shown("the last failure, seconds after the kill",
              f"{max(group['last_failure'] for group in groups.values()) - 0.3 * seconds:.2f}"
              if any(failures(group) for group in groups.values()) else "none"),
        at_most("amplification", amplification(lab.gateway, groups), 1.25),
        shown("had by each since it started", [origin.count() for origin in origins]),
    ]
