"""Tests run in several processes: one thread of linear algebra in each, or they get in each other's way."""

import os

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
