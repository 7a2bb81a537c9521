"""Embeddings: a trained vector for each of a number of things (letters, words), looked up by number."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..grad_mode import no_grad
from ..ops.creation import empty
from ..ops.embedding import embedding, embedding_bag
from ..ops.shape import one_dim
from ..tensor import Tensor
from .module import Module
from .parameter import Parameter


class _Table(Module):
    """What Embedding and EmbeddingBag share: a weight with one row for each number, drawn from a standard normal distribution."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None
    max_norm: float | None
    norm_type: float
    scale_grad_by_freq: bool
    sparse: bool

    def _make_table(self, given: Tensor | None, freeze: bool, device: Any, dtype: Any) -> None:
        size = (self.num_embeddings, self.embedding_dim)
        if self.padding_idx is not None:
            try:
                self.padding_idx = one_dim(self.padding_idx, self.num_embeddings)
            except IndexError:
                raise ValueError(f"padding_idx {self.padding_idx} is not one of {self.num_embeddings} rows.") from None
        if given is not None and tuple(given.shape) != size:
            raise ShapeError(f"a weight of shape {tuple(given.shape)} does not fit num_embeddings and embedding_dim {size}.")
        table = empty(*size, device=device, dtype=dtype) if given is None else given
        self.weight = Parameter(table, requires_grad=not freeze)
        if given is None:
            self.reset_parameters()

    @staticmethod
    def _sizes(embeddings: Tensor) -> tuple[int, ...]:
        """The rows and columns of a given table."""
        if embeddings.ndim != 2:
            raise ShapeError(f"from_pretrained takes a table (rows, columns), not {tuple(embeddings.shape)}.")
        return embeddings.shape

    def reset_parameters(self) -> None:
        """Draw new first values."""
        with no_grad():
            self.weight.normal_()
            if self.padding_idx is not None:
                self.weight[self.padding_idx] = 0

    def _shown(self, **usual: Any) -> str:
        """The size, and those settings that are not as usual."""
        unusual = [f"{name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name) != value]
        return ", ".join([f"{self.num_embeddings}, {self.embedding_dim}", *unusual])


class Embedding(_Table):
    """z = weight[input]: a table of vectors, one for each number from 0 to num_embeddings - 1.

    Args:
        num_embeddings, embedding_dim: how many vectors of which length.
        padding_idx: the number of a vector that starts as 0 and is not trained.
        max_norm, norm_type, scale_grad_by_freq: as for `nn.functional.embedding`.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.Embedding.html
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse = max_norm, norm_type, scale_grad_by_freq, sparse
        self._make_table(_weight, _freeze, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """An embedding whose table is given, and not trained unless `freeze=False`.

        Source: https://pytorch.org/docs/stable/generated/torch.nn.Embedding.html#torch.nn.Embedding.from_pretrained
        """
        rows, columns = cls._sizes(embeddings)
        return cls(rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze)

    def extra_repr(self) -> str:
        return self._shown(padding_idx=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, sparse=False)


class EmbeddingBag(_Table):
    """z[b] = the sum, mean or maximum of the vectors whose numbers are in bag b.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.EmbeddingBag.html
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse = max_norm, norm_type, scale_grad_by_freq, sparse
        self.mode, self.include_last_offset = mode, include_last_offset
        self._make_table(_weight, False, device, dtype)

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """As `Embedding.from_pretrained`."""
        rows, columns = cls._sizes(embeddings)
        settings = (max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings, include_last_offset, padding_idx)
        return cls(rows, columns, *settings).requires_grad_(not freeze)  # type: ignore[return-value]

    def extra_repr(self) -> str:
        shown = self._shown(max_norm=None, norm_type=2, scale_grad_by_freq=False)
        return f"{shown}, mode={self.mode!r}" + ("" if self.padding_idx is None else f", padding_idx={self.padding_idx}")
