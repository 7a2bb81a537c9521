"""Data to learn from, and how it is fed to a model; also reachable as PyTorch's `utils.data`."""

from __future__ import annotations

from .dataset import ChainDataset, ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, random_split
from .loader import DataLoader, default_collate, default_convert, get_worker_info
from .made_up import blobs, circles, moons, sine_waves, spirals, xor
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler
from .sets import Table, breast_cancer, digits, fashion_mnist, iris, mnist, olivetti_faces, read_idx

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "Table",
    "TensorDataset",
    "WeightedRandomSampler",
    "blobs",
    "breast_cancer",
    "circles",
    "default_collate",
    "default_convert",
    "digits",
    "fashion_mnist",
    "get_worker_info",
    "iris",
    "mnist",
    "moons",
    "olivetti_faces",
    "random_split",
    "read_idx",
    "sine_waves",
    "spirals",
    "xor",
]
