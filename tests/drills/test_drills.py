# SPDX-License-Identifier: Apache-2.0
"""The short drills, as tests. `make drills` runs all of them, and prints their figures."""
import os

import pytest
from drills.run import find, run

SANITIZED = os.environ.get("WEIR_PRESET", "") in ("asan", "tsan")


@pytest.mark.skipif(SANITIZED, reason="the targets are those of a binary without sanitizers")
@pytest.mark.parametrize("drill", [d for d in find() if d.short], ids=lambda d: d.name)
def test_drill(drill):
    figures, good = run(drill, short=True)
    print(figures)
    assert good, figures
