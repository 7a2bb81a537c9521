"""`functional_call` under its older path.

Source: https://pytorch.org/docs/stable/generated/torch.nn.utils.stateless.functional_call.html
"""

from ...func import functional_call

__all__ = ["functional_call"]
