"""The files of the package import one another in one direction, so that each can be read after those it needs.

What is imported at the head of a file counts. (What is imported inside a function is needed only when that runs.)
"""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

from tinygrad_edu import ops

PACKAGE = Path(ops.__file__).parents[1]


def files() -> dict[str, Path]:
    """Every file by its path inside the package: "ops.shape", and "ops" for its __init__.py."""
    parts = {path: path.relative_to(PACKAGE).with_suffix("").parts for path in PACKAGE.rglob("*.py")}
    return {".".join(p for p in found if p != "__init__"): path for path, found in parts.items()}


def imports(name: str, known: dict[str, Path]) -> set[str]:
    """The files that a file imports at its head."""
    package = name.split(".") if known[name].name == "__init__.py" else name.split(".")[:-1]
    found: set[str] = set()
    for statement in ast.parse(known[name].read_text("utf-8")).body:
        if isinstance(statement, ast.ImportFrom) and statement.level:
            above = package[: len(package) + 1 - statement.level]
            path = ".".join([*filter(None, above), *filter(None, [statement.module])])
            inside = {f"{path}.{alias.name}".lstrip(".") for alias in statement.names} & known.keys()
            found |= inside or {path}
    return found - {name}


def test_no_file_imports_one_that_needs_it() -> None:
    known = files()
    needs = {name: imports(name, known) for name in known}
    assert "tensor" in needs["op"]
    assert "ops.shape" in needs["nn.shape"]
    list(TopologicalSorter(needs).static_order())  # raises for a circle


def test_no_folder_imports_one_that_needs_it() -> None:
    known = files()
    folders: dict[str, set[str]] = {}
    for name in known:
        here = name.partition(".")[0]
        folders.setdefault(here, set()).update({other.partition(".")[0] for other in imports(name, known)} - {here})
    list(TopologicalSorter(folders).static_order())  # raises for a circle


def test_operations_stand_in_the_order_that_their_list_says() -> None:
    known = {name: path for name, path in files().items() if name.startswith("ops.")}
    order = [f"ops.{word}" for word in re.findall(r"\w+", ops.__doc__ or "") if f"ops.{word}" in known]
    assert sorted(order) == sorted(known)
    for name in order:
        wrong = imports(name, known) & set(order[order.index(name) :])
        assert not wrong, f"{name} imports {wrong}, which stand after it"
