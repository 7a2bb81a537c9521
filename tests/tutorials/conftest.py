"""Without the extra `tutorials` there is nothing to collect here; wrong answers are no tests."""

from importlib.util import find_spec

collect_ignore = ["wrong"]
if not all(map(find_spec, ("jupytext", "matplotlib", "nbclient"))):
    collect_ignore += ["notebooks.py", "test_tutorials.py"]
