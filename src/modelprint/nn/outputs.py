"""What networks return, as logits: the one place that knows the forms."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from modelprint.core.errors import ModelError


def logits_of(outputs: object) -> Tensor:
    """The logits in what a network returned: a tensor, `.logits`, the entry "logits", or the first of a tuple or list.

    >>> import torch
    >>> logits_of(({"logits": torch.tensor([[1.0, 2.0]])}, "hidden states")).tolist()
    [[1.0, 2.0]]

    Raises:
        ModelError: none of these.
    """
    if isinstance(outputs, Tensor):
        return outputs
    inner = getattr(outputs, "logits", None)
    if inner is None and isinstance(outputs, Mapping):
        inner = outputs.get("logits")
    if isinstance(inner, Tensor):
        return inner
    if isinstance(outputs, tuple | list) and outputs:
        return logits_of(outputs[0])
    if outputs is None:
        raise ModelError("the model returns nothing: is a `return` missing at the end of its forward?")
    if type(outputs).__module__ == "numpy":
        raise ModelError(
            "the model returns an array of NumPy: it must return the logits (n, classes) as a tensor of torch, without "
            ".numpy() in its forward"
        )
    raise ModelError(
        f"the model returns a {type(outputs).__name__}: it must return logits (n, classes) as a tensor, as .logits, "
        'under the key "logits", or first in a tuple'
    )
