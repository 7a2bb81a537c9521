"""`python -m tinygrad_edu learn`."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tinygrad_edu import learn
from tinygrad_edu.cli import main

TUTORIALS = Path(__file__).parents[1] / "tutorials"


def test_copies_notebooks_their_map_and_what_they_link_to(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = tmp_path / "new" / "course"
    assert main(["learn", str(folder), "--copy-only"]) == 0
    said = capsys.readouterr().out
    notebooks = sorted(path.name for path in folder.glob("*.ipynb"))
    assert str(folder) in said.replace("\n", "")
    assert f"open next: {folder / notebooks[0]}\n" in said
    assert notebooks == sorted(path.name for path in TUTORIALS.glob("*.ipynb"))
    texts = [(folder / "README.md").read_text("utf-8")]
    for name in notebooks:
        original, copied = (json.loads((place / name).read_text("utf-8"))["cells"] for place in (TUTORIALS, folder))
        assert [cell.get("outputs") for cell in original] == [cell.get("outputs") for cell in copied]
        texts += ["".join(cell["source"]) for cell in copied if cell["cell_type"] == "markdown"]
    links = [link for text in texts for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")]
    assert [link for link in links if not (folder / link).exists()] == []
    assert any(link.startswith("code/") for link in links)


def test_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    main(["learn", str(tmp_path), "--copy-only"])
    mine = tmp_path / "README.md"
    mine.write_text("my notes")
    gone = min(tmp_path.glob("*.ipynb"))
    gone.unlink()
    capsys.readouterr()
    assert main(["learn", str(tmp_path), "--copy-only"]) == 0
    said = capsys.readouterr().out
    assert said.count("left as it is") == 1
    assert "README.md" in said
    assert mine.read_text() == "my notes"
    assert gone.exists()


def test_what_is_not_copied_whole_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """It would be taken for the learner's own, and left as it is for ever."""

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["learn", str(tmp_path), "--copy-only"]) == 2
    assert "No space left" in capsys.readouterr().err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_from_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the tutorials are in the package: pyproject.toml's force-include."""
    package = tmp_path / "site-packages" / "tinygrad_edu"
    (package / "tutorials").mkdir(parents=True)
    (package / "tutorials" / "README.md").write_text("see [code](../tinygrad_edu/ops/a.py)")
    (package / "ops").mkdir()
    (package / "ops" / "a.py").write_text("a = 1")
    monkeypatch.setattr(learn, "PACKAGE", package)
    assert learn.copy_tutorials(tmp_path / "course") == []
    assert (tmp_path / "course" / "README.md").read_text() == "see [code](code/ops/a.py)"
    assert (tmp_path / "course" / "code" / "ops" / "a.py").read_text() == "a = 1"


def test_opens_the_first_in_jupyterlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(subprocess, "run", lambda command, cwd, check: ran.append((command[1:], cwd)))
    assert main(["learn", str(tmp_path)]) == 0
    assert ran == [(["-m", "jupyterlab", min(path.name for path in TUTORIALS.glob("*.ipynb"))], tmp_path)]


def test_without_jupyterlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jupyterlab" else True)
    assert main(["learn", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert 'install jupyterlab: pip install "tinygrad-edu[tutorials]"' in said
    assert (tmp_path / "README.md").exists()


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "taken").write_text("")
    assert main(["learn", str(tmp_path / "taken"), "--copy-only"]) == 2
    assert "taken" in capsys.readouterr().err


def test_help_has_examples(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["learn", "--help"])
    assert ended.value.code == 0
    assert "python -m tinygrad_edu learn" in capsys.readouterr().out
