"""How fast tinygrad_edu is, beside bare NumPy and PyTorch: `python -m tests.benchmarks --help`."""
