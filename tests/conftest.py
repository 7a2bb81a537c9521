"""Tests run in several processes: one thread of linear algebra in each, or they get in each other's way."""

import os

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings  # noqa: E402 (NumPy must not be imported before the lines above)

# A busy machine is no reason to fail: what is drawn slowly, or takes long now and then, is as right.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

collect_ignore_glob = ["benchmarks/peers/*.py"]  # each needs another engine installed
