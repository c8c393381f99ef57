# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the black-box tests. `lab` starts what a test asks for and checks how it ends."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from support.lab import Lab  # noqa: E402


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.failed_call = outcome.get_result().failed


@pytest.fixture
def lab(request):
    built = Lab()
    yield built
    built.close(failed=getattr(request.node, "failed_call", False))


def pytest_collection_modifyitems(items):
    if os.environ.get("WEIR_HUGE"):
        return
    skip = pytest.mark.skip(reason="moves many GiB; set WEIR_HUGE=1")
    for item in items:
        if item.get_closest_marker("huge"):
            item.add_marker(skip)
