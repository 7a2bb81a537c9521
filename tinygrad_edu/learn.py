"""`python -m tinygrad_edu learn`: the tutorials, copied to a folder of the learner's own and opened in JupyterLab."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from .serialization import write_whole

PACKAGE = Path(__file__).parent
KINDS = "*.ipynb", "README.md", "pictures/*"
LINK = rb"\]\(\.\./tinygrad_edu/([\w./]+)"  # in Markdown, from a tutorial to the code that it explains
EXAMPLES = """examples:
  python -m tinygrad_edu learn
      copy the tutorials to tinygrad_edu-tutorials and open them
  python -m tinygrad_edu learn ~/backprop --copy-only
      for another editor: it needs no JupyterLab
"""


def add_command(commands: Any) -> None:
    """Add learn to a command line."""
    add = commands.add_parser(
        "learn",
        help="copy the tutorials to a folder and open them in JupyterLab",
        description="Copy the tutorials to a folder and open them in JupyterLab.\nFiles that are there already are never overwritten.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).add_argument
    add(
        "folder",
        type=Path,
        nargs="?",
        default=Path("tinygrad_edu-tutorials"),
        metavar="FOLDER",
        help="where to (default tinygrad_edu-tutorials)",
    )
    add("--copy-only", action="store_true", help="do not open JupyterLab")


def run(options: argparse.Namespace, console: Console) -> None:
    """Do what the command line says."""
    kept = copy_tutorials(options.folder)
    console.print(f"tutorials: {options.folder} (README.md in it says what each is about)", soft_wrap=True)
    for path in kept:
        console.print(f"left as it is: {path} (to get this version's, rename or delete yours)")
    first = min(path.name for path in options.folder.glob("*.ipynb"))
    if options.copy_only:
        console.print(f"open next: {options.folder / first}", soft_wrap=True)
        return
    missing = [name for name in ("jupyterlab", "matplotlib", "hypothesis") if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f'to open them, install {" and ".join(missing)}: pip install "tinygrad-edu[tutorials]".')
    with contextlib.suppress(KeyboardInterrupt):  # the usual way to end JupyterLab
        subprocess.run([sys.executable, "-m", "jupyterlab", first], cwd=options.folder, check=False)


def copy_tutorials(folder: Path) -> list[Path]:
    """Copy the tutorials, and the code that they link to, to a folder; returns what was there already and differs.

    Links to the package's code then lead to the copy, in the folder `code`.
    """
    # In an installed package they are a part of it; in a checkout they are beside it.
    here = next(path for path in (PACKAGE / "tutorials", PACKAGE.parent / "tutorials") if path.is_dir())
    files = {path.relative_to(here): path.read_bytes() for kind in KINDS for path in here.glob(kind)}
    linked = {link for text in files.values() for link in re.findall(LINK, text)}
    files = {name: re.sub(LINK, rb"](code/\1", text) for name, text in files.items()}
    files |= {Path("code", link): (PACKAGE / link).read_bytes() for link in map(bytes.decode, linked)}
    kept = []
    for name, content in sorted(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_whole(path, content)  # half a tutorial would be taken for the learner's own
        elif path.read_bytes() != content:
            kept.append(path)
    return kept
