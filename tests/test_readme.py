"""The README's programs run, and print what their comments say."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_programs_print_what_the_readme_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    programs = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert programs
    for program in programs:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(program, names)
        said = [line[1:].partition("←")[0].strip() for line in program.splitlines() if line.startswith("#")]
        lines = [line.strip() for line in printed.getvalue().splitlines()]
        assert said[: len(lines)] == (lines if "..." not in said else [*lines[: said.index("...")], "..."])
    names["test_squash"]()
