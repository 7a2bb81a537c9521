"""The tutorials: run them, write their notebooks, and check that both still say the same. `python -m tests.tutorials --help`."""
