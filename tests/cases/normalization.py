"""Rows for ops/normalization.py."""

import math

import numpy as np

from tinygrad_edu import nn

from . import Case, positive, real

F = nn.functional


def standardized(x, over, eps):
    """(x - mean) / √(variance + eps), group by group: `over(x)` yields indices of the numbers that belong together."""
    z = np.empty_like(x)
    for group in over(x):
        values = [float(v) for v in x[group].ravel()]
        mean = sum(values) / len(values) if values else 0.0
        variance = sum((v - mean) ** 2 for v in values) / len(values) if values else 0.0
        z[group] = (x[group] - mean) / math.sqrt(variance + eps)
    return z


def per_channel(x, parameter):
    return np.reshape(parameter, (1, -1) + (1,) * (x.ndim - 2))


def batch_norm(x, w, b, eps=1e-5):
    z = standardized(x, lambda x: ((slice(None), c) for c in range(x.shape[1])), eps)
    return z * per_channel(x, w) + per_channel(x, b)


def batch_norm_eval(x, mean, var, w, b):
    mean, var, w, b = (per_channel(x, p) for p in (mean, var, w, b))
    return (x - mean) / np.sqrt(var + 1e-5) * w + b


def instance_norm(x, w, b):
    z = standardized(x, lambda x: np.ndindex(x.shape[:2]), 1e-5)
    return z * per_channel(x, w) + per_channel(x, b)


def group_norm(x, w, b, num_groups):
    size = x.shape[1] // num_groups
    z = standardized(x, lambda x: ((n, slice(g * size, g * size + size)) for n in range(len(x)) for g in range(num_groups)), 1e-5)
    return z * per_channel(x, w) + per_channel(x, b)


def layer_norm(x, *parameters, eps=1e-5):
    shape = parameters[0].shape if parameters else x.shape[-1:]
    z = standardized(x, lambda x: np.ndindex(x.shape[: x.ndim - len(shape)]), eps)
    w, b = (*parameters, 1.0, 0.0)[:2] if len(parameters) < 2 else parameters
    return z * w + b


def rms_norm(x, w, eps=None):
    z = np.empty_like(x)
    for row in np.ndindex(x.shape[: x.ndim - w.ndim]):
        mean_square = sum(float(v) ** 2 for v in x[row].ravel()) / x[row].size
        z[row] = x[row] / math.sqrt(mean_square + (2.0**-52 if eps is None else eps))
    return z * w


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    z = np.empty_like(x)
    for n, c in np.ndindex(x.shape[:2]):
        near = x[n, max(c - size // 2, 0) : c + (size - 1) // 2 + 1]
        z[n, c] = x[n, c] / (k + alpha * (near**2).sum(0) / size) ** beta
    return z


CASES = [
    Case("nn.functional.layer_norm", layer_norm, (real,), [((2, 3),), ((3,),), ((2, 3, 4),), ((0, 3),)], [{}, {"eps": 0.1}],
         call=lambda x, **how: F.layer_norm(x, x.shape[-1:], **how), ops=("standardize",)),
    Case("nn.functional.layer_norm", layer_norm, (real, positive, real), [((2, 3), (3,), (3,)), ((2, 3, 4), (3, 4), (3, 4))],
         call=lambda x, w, b: F.layer_norm(x, w.shape, w, b), ops=()),
    Case("nn.functional.rms_norm", rms_norm, (real, positive), [((2, 3), (3,)), ((4,), (4,)), ((2, 3, 4), (3, 4)), ((0, 3), (3,))],
         [{"eps": 0.1}, (((2, 3), (3,)), {})], call=lambda x, w, eps=None: F.rms_norm(x, w.shape, w, eps),
         ops=("standardize_rms",), dtypes=("float16", "float32", "float64")),
    Case("nn.functional.batch_norm", batch_norm, (real, positive, real),
         [((4, 3), (3,), (3,)), ((2, 3, 4), (3,), (3,)), ((2, 2, 2, 3), (2,), (2,)), ((0, 3), (3,), (3,))], [{}, {"eps": 0.1}],
         call=lambda x, w, b, **how: F.batch_norm(x, None, None, w, b, True, **how), ops=()),
    Case("nn.functional.batch_norm", batch_norm_eval, (real, real, positive, positive, real),
         [((4, 3), (3,), (3,), (3,), (3,)), ((1, 2, 3), (2,), (2,), (2,), (2,))], call=F.batch_norm, ops=()),
    Case("nn.functional.instance_norm", instance_norm, (real, positive, real),
         [((2, 3, 4), (3,), (3,)), ((2, 2, 2, 3), (2,), (2,))],
         call=lambda x, w, b: F.instance_norm(x, weight=w, bias=b), ops=()),
    Case("nn.functional.group_norm", group_norm, (real, positive, real), [((2, 4, 3), (4,), (4,)), ((3, 4), (4,), (4,))],
         [{"num_groups": 2}, {"num_groups": 1}],
         call=lambda x, w, b, num_groups: F.group_norm(x, num_groups, w, b), ops=()),
    Case("nn.functional.local_response_norm", local_response_norm, (real,), [((2, 5, 3),), ((1, 2, 2, 2),)],
         [{"size": 3}, {"size": 2, "alpha": 0.5, "beta": 0.5, "k": 2.0}, {"size": 1, "alpha": 1.0}], ops=()),
    Case("nn.functional.normalize", lambda x, p=2.0, dim=1: x / (np.abs(x) ** p).sum(dim, keepdims=True) ** (1 / p), (real,),
         [((2, 3),), ((2, 3, 2),)], [{}, {"p": 3.0}, {"dim": -1}, {"p": 1.0, "dim": 0}], ops=()),
]  # fmt: skip
