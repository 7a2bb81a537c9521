"""The tutorials' exercises, links and notebooks. That they run as their notebooks say: `python -m tests.tutorials`."""

from __future__ import annotations

import base64
import copy
import linecache
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import jupytext
import matplotlib.pyplot as plt
import nbformat
import pytest
from matplotlib.figure import Figure

import tinygrad_edu as tg
from tinygrad_edu.exercises import UNSOLVED

from . import notebooks

WRONG = Path(__file__).parent / "wrong"


def tagged(cell: Any, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


# -- exercises -----------------------------------------------------------------------------------------------------
def exercises(notebook: Any) -> list[tuple[int, int, str]]:
    """Of each exercise: where its cell is, where its check, and the folded solution."""
    cells = notebook.cells
    found = []
    for i, cell in enumerate(cells):
        if tagged(cell, "exercise"):
            judge = next(k for k in range(i, len(cells)) if tagged(cells[k], "check"))
            solution = re.fullmatch(
                r"<details>\n<summary>Solution</summary>\n\n(.*)</details>", cells[judge + 1].source, re.DOTALL
            )
            assert solution, f"cell {judge + 1} is no folded solution"
            code = re.search(r"```python\n(.*?)```", solution[1], re.DOTALL)
            assert code, f"the solution in cell {judge + 1} has no code"
            found.append((i, judge, code[1]))
    return found


def wrong_answers(name: str) -> list[tuple[int, str, str]]:
    """Answers that must be refused: the exercise's number, what must be said, the answer. Cells are headed `# %% 1: what is said`."""
    cells = jupytext.read(WRONG / f"{name}.py", fmt="py:percent").cells
    headed = [(*cell.metadata["title"].split(": ", 1), cell.source) for cell in cells]
    return [(int(number), said, answer) for number, said, answer in headed]


def run(code: str, names: dict[str, Any], label: str) -> str:
    """Execute code, and return what it prints; as in a notebook, its source can be asked for."""
    printed = StringIO()
    linecache.cache[f"<{label}>"] = len(code), None, code.splitlines(True), f"<{label}>"
    with redirect_stdout(printed):
        exec(compile(code, f"<{label}>", "exec"), names)
    plt.close("all")  # as a notebook does
    return printed.getvalue().strip()


@pytest.fixture
def default_dtype() -> Iterator[None]:
    """Puts the default dtype back, which a tutorial may change: here they all run in one process, with other tests."""
    before = tg.get_default_dtype()
    yield
    tg.set_default_dtype(before)


@pytest.mark.slow
@pytest.mark.usefixtures("default_dtype")
@pytest.mark.parametrize("name", notebooks.NAMES)
def test_exercises(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each accepts its solution and refuses wrong answers with the right words; unsolved, it says so."""
    monkeypatch.chdir(notebooks.FOLDER)
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = notebooks.source(name)
    found = exercises(notebook)
    wrong = wrong_answers(name)
    assert len(found) == 3
    assert {number for number, _, _ in wrong} == {1, 2, 3}
    names: dict[str, Any] = {"__name__": "__main__"}
    for i, cell in enumerate(notebook.cells):
        number = next((n for n, (_, judge, _) in enumerate(found, start=1) if judge == i), None)
        if number is None:
            if cell.cell_type == "code":
                run(cell.source, names, f"{name}, cell {i}")
                plt.close("all")  # as a notebook does
            continue
        assert run(cell.source, names, "check") == UNSOLVED
        given = [("Right.", found[number - 1][2]), *((said, answer) for n, said, answer in wrong if n == number)]
        for said, answer in given:
            tried = dict(names)
            run(answer, tried, f"answer to exercise {number}")
            judged = run(cell.source, tried, "check")
            verdict = re.search(r"^(Right\.|Not yet: .*)\Z", judged, re.MULTILINE | re.DOTALL)  # after what else is told
            assert verdict is not None, f"{answer}\n{judged}"
            assert said in verdict[0], f"{answer}\n{judged}"
            assert (verdict[0] == "Right.") == (said == "Right."), f"{answer}\n{judged}"


# -- files ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", notebooks.NAMES)
def test_the_notebook_has_the_tutorials_cells(name: str) -> None:
    """Quicker than a run: sources, size and picture."""
    old = notebooks.written(name)
    new = copy.deepcopy(old)
    new.cells = [
        nbformat.from_dict({**now, "outputs": was.get("outputs", [])})
        for was, now in zip(old.cells, notebooks.source(name).cells, strict=True)
    ]
    assert list(notebooks.differences(name, new)) == []
    assert not [output for cell in old.cells for output in cell.get("outputs", []) if output.output_type == "error"]


def links() -> Iterator[tuple[Path, str]]:
    for path in [*notebooks.FOLDER.glob("*.py"), notebooks.FOLDER / "README.md"]:
        for link in re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8")):
            if not link.startswith("http"):
                yield path, link


def test_links() -> None:
    assert [(path.name, link) for path, link in links() if not (notebooks.FOLDER / link).exists()] == []


def test_the_map_has_every_tutorial_and_its_picture() -> None:
    told = (notebooks.FOLDER / "README.md").read_text("utf-8")
    for name in notebooks.NAMES:
        assert f"({name}.ipynb)" in told
        assert notebooks.cover(name, notebooks.written(name))[0].name in told


def test_the_readme_links_them_in_order() -> None:
    told = (notebooks.FOLDER.parent / "README.md").read_text("utf-8")
    assert re.findall(r"\(tutorials/(\d\d_\w+)\.ipynb\)", told) == notebooks.NAMES


# -- the comparison ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("was", "now", "same"),
    [
        ("loss 0.1234", "loss 0.1235", True),
        ("loss 0.1234", "loss 0.1236", False),
        ("loss -0.1234", "loss 0.1234", False),
        ("mean -0.0000", "mean 0.0000", True),
        ("12 cards", "13 cards", False),
        ("1.0 and more", "1.0 and less", False),
        ("a\nb", "a\nb\nc", False),
        ('{"x":0.12345678901234}', '{"x":0.12345678904321}', True),
        ('{"x":0.12345678901234}', '{"x":0.12355678901234}', False),
        ("[1, 2.5e-07]", "[1, 2.6e-07]", True),
    ],
)
def test_texts(was: str, now: str, same: bool) -> None:
    assert (notebooks.text_difference(was, now) is None) == same


def picture(**look: Any) -> str:
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([1, 3, 2], **look)
    written = BytesIO()
    figure.savefig(written, format="png")
    return base64.b64encode(written.getvalue()).decode()


def test_pictures() -> None:
    blue = picture(color="C0")
    assert notebooks.pixels_apart(blue, blue) == 0
    assert notebooks.pixels_apart(blue, picture(color="C0", linewidth=1.52)) < notebooks.PIXELS
    assert notebooks.pixels_apart(blue, picture(color="C1")) > notebooks.PIXELS


def test_what_a_player_packs_is_compared_as_numbers() -> None:
    def shown(score: float) -> str:
        scores = tg.tensor([[score, 0.5]], requires_grad=True)
        loss = tg.nn.functional.cross_entropy(scores, tg.tensor([0]))
        return notebooks._without_program(tg.play(loss)._repr_html_())

    assert shown(0.7) != shown(0.7000001)
    assert notebooks.text_difference(shown(0.7), shown(0.7000001)) is None
    assert notebooks.text_difference(shown(0.7), shown(0.8)) is not None


def test_a_changed_notebook_is_noticed() -> None:
    name = notebooks.NAMES[0]

    def changed(change: Any) -> list[str]:
        notebook = copy.deepcopy(notebooks.written(name))
        change(notebook.cells)
        return list(notebooks.differences(name, notebook))

    def source(cells: Any) -> None:
        cells[0].source += " "

    def output(cells: Any) -> None:
        next(cell for cell in cells if cell.get("outputs")).outputs.clear()

    assert changed(lambda cells: None) == []
    assert "another source" in changed(source)[0]
    assert "kinds of outputs" in changed(output)[0]
    assert "cells, the notebook has" in changed(lambda cells: cells.pop())[0]
