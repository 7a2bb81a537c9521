"""Comparisons with PyTorch itself; they run where PyTorch is installed (the `oracle` extra)."""
