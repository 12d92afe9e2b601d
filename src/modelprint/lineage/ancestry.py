"""Which models an averaged model was made of: a regression on all of them at once."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from modelprint.core.errors import ModelError
from modelprint.lineage.pairing import paired
from modelprint.lineage.tensors import Tensors
from modelprint.lineage.weights import UnreadableError, read_form, weights_of
from modelprint.lineage.wiring import wired


def ancestry(suspect: Tensors, ancestors: Mapping[str, Tensors]) -> dict[str, float]:
    """The share of each ancestor in a suspect's weights, by least squares over all weights that all of them have.

    A model averaged from others (a soup) is the sum of their weights times these shares. Weights are taken in their own
    scales and in the order of the files, each weight brought to the size that it has in the first ancestor.

    >>> from modelprint.lineage.tensors import StateTensors
    >>> draw = torch.Generator().manual_seed(0)
    >>> a, b = ({"fc.weight": torch.rand(9, 9, generator=draw)} for _ in range(2))
    >>> soup = StateTensors({"fc.weight": 0.25 * a["fc.weight"] + 0.75 * b["fc.weight"]})
    >>> {name: round(share, 3) for name, share in ancestry(soup, {"a": StateTensors(a), "b": StateTensors(b)}).items()}
    {'a': 0.25, 'b': 0.75}

    Raises:
        ModelError: no ancestor is given, or no weight is in all of them.
    """
    if not ancestors:
        raise ModelError("no ancestor is given: name the models that the suspect may be made of")
    first, *others = ancestors.values()
    layers = wired(weights_of(first))
    products = torch.zeros(len(ancestors), len(ancestors), dtype=torch.float64)
    targets = torch.zeros(len(ancestors), dtype=torch.float64)
    named = [{pair.layer.name: pair.weight for pair in paired(layers, model).pairs} for model in (*others, suspect)]
    compared = 0
    for layer, weight in zip(layers, weights_of(first), strict=True):
        everyone = [weight, *(names.get(layer.name) for names in named)]
        if any(each is None or each.shape != layer.shape for each in everyone):
            continue
        try:
            forms = [
                read_form(model, each, run=layer.run).flatten().double()
                for model, each in zip((first, *others, suspect), everyone, strict=True)
                if each is not None
            ]
        except UnreadableError:
            continue
        size = forms[0].norm()
        stacked = torch.stack(forms[:-1]) / size
        products += stacked @ stacked.T * layer.numel**0.5
        targets += stacked @ (forms[-1] / size) * layer.numel**0.5
        compared += 1
    if not compared:
        raise ModelError("no weight is in the suspect and all ancestors: they cannot be compared")
    solved = torch.linalg.lstsq(products, targets[:, None]).solution[:, 0]
    return dict(zip(ancestors, solved.tolist(), strict=True))
