"""Real data: sets that ship with the package, and readers and downloads of larger ones; `SOURCES.md` says where they come from.

Each function gives a `Table`: a dataset of (x, y) samples whose tensors are `table.x` and `table.y`. Images are
(samples, 1, height, width) with values from 0 to 1.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..serialization import FormatError
from ..tensor import Tensor, wrap
from .dataset import TensorDataset

HERE = Path(__file__).parent


class Table(TensorDataset):
    """Samples `x` (float32), their targets `y` (int64 for classes) and what the columns and the classes are called."""

    def __init__(self, x: Tensor, y: Tensor, class_names: Sequence[str] = (), feature_names: Sequence[str] = ()) -> None:
        super().__init__(x, y)
        self.x, self.y = x, y
        self.class_names, self.feature_names = list(class_names), list(feature_names)

    def __repr__(self) -> str:
        return f"Table(x={tuple(self.x.shape)}, y={tuple(self.y.shape)}, classes={self.class_names})"


def table(x: Any, y: Any, class_names: Sequence[str] = (), feature_names: Sequence[str] = ()) -> Table:
    """A Table of two arrays: float32 samples and int64 classes."""
    return Table(wrap(np.asarray(x, np.float32)), wrap(np.asarray(y, np.int64)), class_names, feature_names)


# -- shipped -------------------------------------------------------------------------------------------------------
def iris() -> Table:
    """Fisher's irises: 150 flowers, 4 lengths in cm each, 3 species.

    >>> iris()
    Table(x=(150, 4), y=(150,), classes=['setosa', 'versicolor', 'virginica'])
    """
    return _shipped("iris.csv", ["sepal length", "sepal width", "petal length", "petal width"])


def breast_cancer() -> Table:
    """569 tumours of the breast: 30 measures of their cells' nuclei under a microscope, and whether they were malignant or benign.

    >>> breast_cancer()
    Table(x=(569, 30), y=(569,), classes=['malignant', 'benign'])
    """
    measures = ["radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry"]
    measures.append("fractal dimension")
    return _shipped("breast_cancer.csv.gz", [f"{of} {name}" for of in ("mean", "error of", "worst") for name in measures])


def _shipped(name: str, feature_names: list[str]) -> Table:
    """A file whose first line is rows, features, class names ..., and whose other lines are samples, the class last."""
    path = HERE / name
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        class_names = file.readline().strip().split(",")[2:]
        rows = np.loadtxt(file, delimiter=",")
    return table(rows[:, :-1], rows[:, -1], class_names, feature_names)


def digits() -> Table:
    """1797 handwritten digits of 8x8 pixels.

    >>> digits().x.shape
    (1797, 1, 8, 8)
    """
    rows = np.loadtxt(HERE / "digits.csv.gz", delimiter=",", dtype=np.uint8)
    return table(rows[:, :64].reshape(-1, 1, 8, 8) / 16, rows[:, 64], "0123456789")


# -- IDX files -----------------------------------------------------------------------------------------------------
IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | Path) -> np.ndarray:
    """The array in an IDX file (MNIST's format), gzipped or not.

    The file is two zero bytes, a type code, the number of dimensions, each size as a big-endian 32-bit integer, then the values.

    Raises:
        FormatError: the file is of another kind, or cut short.
    """
    content = Path(path).read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError) as error:
            raise FormatError(f"{path} is a damaged gzip file ({error}); get it anew.") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES:
        raise FormatError(f"{path} is not an IDX file: it begins with the bytes {content[:4].hex(' ')}.")
    start = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:start], ">u4").tolist() if len(content) >= start else []
    dtype = np.dtype(IDX_TYPES[content[2]])
    if len(content) != start + math.prod(shape) * dtype.itemsize or len(shape) != content[3]:
        raise FormatError(
            f"{path} is not whole: its head announces shape {tuple(shape)} of {dtype}, which does not fit its length."
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


# What each part of MNIST and FashionMNIST is called, and the MD5 sums that their authors publish.
IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_MD5 = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_MD5 = {
    "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
}
CLOTHES = ["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]


def mnist(train: bool = True, folder: str | Path | None = None) -> Table:
    """Handwritten digits of 28x28 pixels: 60 000 to train with, or 10 000 to test with.

    Args:
        folder: where the IDX files are, gzipped or not; without it they are downloaded once and checked (extra `data`).

    Raises:
        FileNotFoundError: the folder lacks a file; it says which.
        ImportError: there is no folder, and the library that downloads is not installed.
    """
    return _images("MNIST", MNIST_URL, MNIST_MD5, train, folder, "0123456789")


def fashion_mnist(train: bool = True, folder: str | Path | None = None) -> Table:
    """Pictures of ten kinds of clothes, in the format of `mnist`, with the same arguments."""
    return _images("FashionMNIST", FASHION_URL, FASHION_MD5, train, folder, CLOTHES)


def _images(name: str, url: str, md5: dict[str, str], train: bool, folder: Any, class_names: Sequence[str]) -> Table:
    if not isinstance(train, bool):  # the folder, say
        raise TypeError(
            f"train is True or False, for the samples to train or to test with, and not {train!r}; folder= names a folder."
        )
    files = IDX_FILES["train" if train else "test"]
    paths = [_downloaded(name, url, file, md5[file]) if folder is None else _found(Path(folder), file) for file in files]
    images, labels = (read_idx(path) for path in paths)
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise FormatError(f"{paths[0]} and {paths[1]} do not belong together: shapes {images.shape} and {labels.shape}.")
    return table(images[:, None] / np.float32(255), labels, class_names)


def _found(folder: Path, file: str) -> Path:
    for path in (folder / file, folder / f"{file}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"there is neither {file} nor {file}.gz in the folder {folder}.")


def _downloaded(name: str, url: str, file: str, md5: str) -> str:
    try:
        import pooch
    except ImportError:
        raise ImportError(
            f'to download {name}, install pooch: pip install "tinygrad-edu[data]"; or name a folder that holds its IDX files (folder=, --data).'
        ) from None
    cache = Path(pooch.os_cache("tinygrad_edu")) / name
    return pooch.retrieve(f"{url}{file}.gz", known_hash=f"md5:{md5}", fname=f"{file}.gz", path=cache)


def olivetti_faces() -> Table:
    """400 photographs of 40 faces, 64x64 pixels; scikit-learn (extra `data`) downloads them once.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import fetch_olivetti_faces
    except ImportError:
        raise ImportError('for the Olivetti faces, install scikit-learn: pip install "tinygrad-edu[data]".') from None
    faces = fetch_olivetti_faces()
    return table(faces.images[:, None], faces.target, [f"person {i}" for i in range(40)])
