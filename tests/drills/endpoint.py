# SPDX-License-Identifier: Apache-2.0
"""One of the three endpoints of a cluster fails while weir is asked steadily."""
from drills.failover import HOME, JUDGED, REFUSED, SILENT
from drills.lab import drill
from drills.region import Region, endpoint_is, strike


def one_of_three(lab, fault, heal, shift):
    region = Region(lab)
    victim = region.origins["a"][1]
    run = strike(region, lambda: fault(victim), lambda: heal(victim))
    return run.figures(endpoint_is(victim), shift, HOME, backups=("a", "b"))


@drill("endpoint-killed", "one of three endpoints is killed: connecting is refused", short=True)
def killed(lab):
    return one_of_three(lab, lambda o: o.kill(), lambda o: o.start(), REFUSED)


@drill("endpoint-frozen", "one of three endpoints is stopped (SIGSTOP): it accepts, and says nothing")
def frozen(lab):
    return one_of_three(lab, lambda o: o.freeze(), lambda o: o.thaw(), SILENT)


@drill("endpoint-503", "every answer of one of three endpoints is a 503; its checks pass")
def failing(lab):
    return one_of_three(lab, lambda o: o.tell("status 503 1"), lambda o: o.tell("well"), SILENT)


@drill("endpoint-30%", "30 % of the answers of one of three endpoints are a 503; its checks pass")
def failing_third(lab):
    return one_of_three(lab, lambda o: o.tell("status 503 0.3"), lambda o: o.tell("well"), JUDGED)


@drill("endpoint-slow", "one of three endpoints takes ten times as long")
def slow(lab):
    return one_of_three(lab, lambda o: o.tell("slower 10"), lambda o: o.tell("well"), JUDGED)
