# SPDX-License-Identifier: Apache-2.0
"""The README keeps its word: its configurations load, and it knows every section of the reference."""

import pathlib
import re

import pytest
from support.gateway import run_cli

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", README, re.S)


@pytest.mark.parametrize("text", BLOCKS)
def test_readme_configuration_loads(text, tmp_path):
    path = tmp_path / "readme.yaml"
    path.write_text(text)
    code, out, err = run_cli("check", str(path))
    assert code == 0, out + err


def test_readme_shows_what_three_slips_in_its_first_configuration_get(tmp_path):
    text = BLOCKS[0]
    for right, slip in (("  search:\n    endpoints:", "  search:\n    endpoint:"),
                        ("{cluster: search}", "{cluster: serch}"),
                        ("timeout: 2s", "timeout: 2 parsecs")):
        assert text.count(right) == 1
        text = text.replace(right, slip)
    (tmp_path / "broken.yaml").write_text(text)
    code, out, err = run_cli("check", "broken.yaml", cwd=tmp_path)
    shown = re.search(r"\$ weir check broken.yaml\n(.*?)```", README, re.S)[1]
    assert code == 1
    assert out + err == shown


def test_readme_names_every_section_of_the_reference():
    sections = re.findall(r"^([a-z_]+):", (ROOT / "conf/reference.yaml").read_text(), re.M)
    assert len(sections) > 5
    missing = [name for name in sections if f"| `{name}` |" not in README]
    assert missing == []


def test_readme_names_every_reason_word_or_says_there_are_more():
    table = re.findall(r'\{"([a-z_0-9]+)", (\d{3}), ', (ROOT / "src/base/error.cc").read_text())
    assert len(table) > 30
    unnamed = {word for word, _ in table if word not in README}
    # "..." stands for the rarer 502s; 421, 500 and the connection limit have no line of their own.
    rare = {word for word, status in table if status == "502"}
    assert unnamed - rare <= {"misdirected", "internal", "connection_limit"}
