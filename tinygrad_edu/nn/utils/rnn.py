"""Sequences of different lengths in one batch, as `torch.nn.utils.rnn`: padded to one length, or packed without the padding.

    sequences        padded, (T, N)        packed: all first elements, all second ones ...
    a b c            a d f                 data         a d f b e c
    d e              b e 0                 batch_sizes  3 2 1  (so many sequences reach step 0, 1, 2)
    f                c 0 0

Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.rnn.PackedSequence.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ...errors import ShapeError, describe
from ...ops.creation import full, tensor
from ...ops.joining import cat, stack
from ...ops.padding import pad
from ...ops.scatter import index_select
from ...ops.shape import transpose
from ...tensor import Tensor, raw, wrap

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence", "pad_sequence",
    "unpack_sequence", "unpad_sequence",
]  # fmt: skip


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """What `pack_padded_sequence` and `pack_sequence` make, for recurrent layers.

    data: the elements, step by step, the longest sequence first.
    batch_sizes: how many sequences reach each step (on the CPU).
    sorted_indices, unsorted_indices: how the sequences were sorted by length, and the way back; None if they came sorted.
    """

    __slots__ = ()

    def __new__(
        cls, data: Any, batch_sizes: Tensor | None = None, sorted_indices: Tensor | None = None, unsorted_indices: Any = None
    ) -> PackedSequence:
        if batch_sizes is None:
            data, batch_sizes = data
        unsorted_indices = invert_permutation(sorted_indices) if unsorted_indices is None else unsorted_indices
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The sequence with its data moved or converted as `Tensor.to` does."""
        data = self.data.to(*args, **kwargs)
        indices = (None if x is None else x.to(data.device) for x in (self.sorted_indices, self.unsorted_indices))
        return self if data is self.data else PackedSequence(data, self.batch_sizes, *indices)

    def cpu(self) -> PackedSequence:
        return self.to("cpu")

    def cuda(self, device: int | None = None) -> PackedSequence:
        return self.to(f"cuda:{device or 0}")

    def double(self) -> PackedSequence:
        return self.to("float64")

    def float(self) -> PackedSequence:
        return self.to("float32")

    def half(self) -> PackedSequence:
        return self.to("float16")

    @property
    def is_cuda(self) -> bool:
        return self.data.device.type == "cuda"


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that leads back."""
    return None if permutation is None else permutation.argsort()


# -- packed ----------------------------------------------------------------------------------------------------------
def pack_padded_sequence(input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True) -> PackedSequence:
    """Leave the padding out.

    Args:
        input: (T, N, ...), or (N, T, ...) with batch_first.
        lengths: the N lengths, each from 1 to T.
        enforce_sorted: the lengths must not increase; with False the sequences are sorted here.

    Raises:
        ShapeError: not one whole number for each sequence. RuntimeError: a length that is less than 1 or more than T, or the sequences
            are not sorted.

    >>> from tinygrad_edu import tensor
    >>> pack_padded_sequence(tensor([[1, 2, 0], [3, 4, 5]]), [2, 3], batch_first=True, enforce_sorted=False).data
    tensor([3, 1, 4, 2, 5])

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pack_padded_sequence.html
    """
    padded = transpose(input, 0, 1) if batch_first else input
    lengths = _checked_lengths(lengths, padded, least=1)
    sorted_indices = None
    if not enforce_sorted:
        order = np.argsort(-lengths, kind="stable")
        lengths, sorted_indices = lengths[order], tensor(order, device=input.device)
        padded = index_select(padded, 1, sorted_indices)
    elif (np.diff(lengths) > 0).any():
        raise RuntimeError(
            f"the sequences must be sorted, the longest first; their lengths are {lengths.tolist()}. Pass enforce_sorted=False."
        )
    batch_sizes = (lengths > np.arange(lengths[0])[:, None]).sum(1)
    return PackedSequence(without_padding(padded, batch_sizes), wrap(batch_sizes), sorted_indices)


def _checked_lengths(lengths: Any, padded: Tensor, least: int) -> np.ndarray:
    """The lengths of the sequences in (T, N, ...)."""
    found = np.asarray(raw(lengths))
    if found.shape != padded.shape[1:2] or found.dtype.kind not in "iu":
        raise ShapeError(
            f"there must be one length, a whole number, for each of {padded.shape[1]} sequences; given are {found.tolist()}."
        )
    if found.min() < least or found.max() > padded.shape[0]:
        raise RuntimeError(
            f"every length must lie between {least} and {padded.shape[0]}, the padded length; given: {found.tolist()}."
        )
    return found.astype(np.int64)


def without_padding(padded: Tensor, batch_sizes: Any) -> Tensor:
    """The rows of (T, N, ...) that are no padding, step by step, where so many sequences reach each step."""
    steps, rows = np.nonzero(np.arange(padded.shape[1]) < batch_sizes[:, None])
    return padded[tensor(steps, device=padded.device), tensor(rows, device=padded.device)]


def with_padding(data: Tensor, batch_sizes: Any, value: float = 0.0, length: int | None = None) -> Tensor:
    """What `without_padding` left, as (T, N, ...) again."""
    reached = np.zeros((length or len(batch_sizes), batch_sizes[0]), bool)
    reached[: len(batch_sizes)] = np.arange(batch_sizes[0]) < batch_sizes[:, None]
    rows = np.full(reached.shape, len(data))  # a row of padding stands behind the data
    rows[reached] = np.arange(len(data))
    padding = full((1, *data.shape[1:]), value, dtype=data.dtype, device=data.device)
    return cat((data, padding))[tensor(rows, device=data.device)]


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Put the padding back; returns (T, N, ...), or (N, T, ...) with batch_first, and the lengths.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pad_packed_sequence.html
    """
    batch_sizes = sequence.batch_sizes.numpy()
    if total_length is not None and total_length < len(batch_sizes):
        raise ValueError(f"total_length {total_length} is less than the longest sequence's length, {len(batch_sizes)}.")
    padded = with_padding(sequence.data, batch_sizes, padding_value, total_length)
    lengths = wrap((batch_sizes[:, None] > np.arange(batch_sizes[0])).sum(0))
    if sequence.unsorted_indices is not None:
        padded = index_select(padded, 1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices.to("cpu")]
    return transpose(padded, 0, 1) if batch_first else padded, lengths


def pack_sequence(sequences: Iterable[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences (length, ...).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pack_sequence.html
    """
    sequences = list(sequences)
    return pack_padded_sequence(pad_sequence(sequences), [len(x) for x in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The list of sequences that were packed."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), batch_first=True)


# -- padded ----------------------------------------------------------------------------------------------------------
def pad_sequence(
    sequences: Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Stack sequences (length, ...) to (T, N, ...), or (N, T, ...) with batch_first, filled up to the longest one's length T.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pad_sequence.html
    """
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("pad_sequence: there are no sequences; it takes one or more.")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f'pad_sequence: padding_side is "left" or "right", not {padding_side!r}.')
    if any(x.ndim < 1 or x.shape[1:] != sequences[0].shape[1:] for x in sequences):
        raise ShapeError(f"sequences may differ in dim 0 only; these are {'; '.join(map(describe, sequences))}.")
    longest = max(len(x) for x in sequences)
    filled = []
    for x in sequences:
        missing = longest - len(x)
        sides = (missing, 0) if padding_side == "left" else (0, missing)
        filled.append(pad(x, (0, 0) * (x.ndim - 1) + sides, value=padding_value))
    return stack(filled, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The list of sequences in (T, N, ...), or (N, T, ...) with batch_first, without what is behind their lengths, each from 0 to T.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.rnn.unpad_sequence.html
    """
    padded = transpose(padded_sequences, 0, 1) if batch_first else padded_sequences
    lengths = _checked_lengths(lengths, padded, least=0)
    return [padded[:length, i] for i, length in enumerate(lengths.tolist())]
