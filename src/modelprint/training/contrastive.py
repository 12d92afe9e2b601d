"""An encoder trained by the supervised contrastive loss: vectors of one class end up in one direction.

P. Khosla, P. Teterwak, C. Wang, A. Sarna, Y. Tian, P. Isola, A. Maschinot, C. Liu, D. Krishnan, "Supervised Contrastive
Learning", NeurIPS 2020; here with the sum over positives inside the logarithm, as the UAP fingerprints have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from modelprint.perturb.precision import DTYPES, Precision

NEVER = -1e9  # a logit that takes no part


def supervised_contrastive(
    embeddings: Float[Tensor, "n d"], classes: Int[Tensor, " n"], *, temperature: float
) -> Float[Tensor, ""]:
    """The mean of L_i = -log(sum_{p: y_p = y_i} exp(cos(z_i, z_p) / T) / sum_a exp(cos(z_i, z_a) / T)), p, a != i.

    Vectors that are alone in their class take no part; an embedding of zeros has cosine 0 with everything.

    >>> apart = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> round(float(supervised_contrastive(apart, torch.tensor([0, 0, 1, 1]), temperature=0.2)), 4)
    0.0134

    Raises:
        ValueError: no two vectors share a class.
    """
    unit = functional.normalize(embeddings, dim=1, eps=1e-8)
    logits = unit @ unit.T / temperature
    itself = torch.eye(len(classes), dtype=torch.bool, device=logits.device)
    same = (classes[:, None] == classes[None]) & ~itself
    counted = same.any(1)
    if not counted.any():
        raise ValueError(f"no two of {len(classes)} vectors share a class: nothing can be told apart")
    all_others = torch.logsumexp(logits.masked_fill(itself, NEVER), 1)
    positives = torch.logsumexp(logits.masked_fill(~same, NEVER), 1)
    loss: Tensor = (all_others - positives)[counted].mean()
    return loss


@dataclass(frozen=True, kw_only=True)
class EncoderRecipe:
    """How an encoder is built and trained.

    Attributes:
        hidden, width: of the two layers; ReLU after each.
        temperature: of the loss.
        rate: Adam's.
        batch: vectors of a step.
        steps: of training.
        precision: of training.
    """

    hidden: int = 50
    width: int = 20
    temperature: float = 0.2
    rate: float = 5e-4
    batch: int = 512
    steps: int = 100
    precision: Precision = "double"


Encoder = Mapping[str, np.ndarray]


def train_encoder(
    vectors: Float[np.ndarray, "n d"],
    classes: Int[np.ndarray, " n"],
    recipe: EncoderRecipe,
    *,
    generator: torch.Generator,
) -> Encoder:
    """The weights of an encoder, float32: "weight-1" (hidden, d), "bias-1", "weight-2" (width, hidden), "bias-2"."""
    dtype = DTYPES[recipe.precision]
    inputs = torch.from_numpy(np.ascontiguousarray(vectors)).to(dtype)
    targets = torch.from_numpy(classes)
    weights = {
        "weight-1": _uniform((recipe.hidden, inputs.shape[1]), generator),
        "bias-1": torch.zeros(recipe.hidden),
        "weight-2": _uniform((recipe.width, recipe.hidden), generator),
        "bias-2": torch.zeros(recipe.width),
    }
    moving = [nn.Parameter(weight.to(dtype)) for weight in weights.values()]
    optimizer = torch.optim.Adam(moving, lr=recipe.rate)
    for _ in range(recipe.steps):
        index = torch.randperm(len(inputs), generator=generator)[: recipe.batch]
        embedded = _forward(inputs[index], *moving)
        loss = supervised_contrastive(embedded, targets[index], temperature=recipe.temperature)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return {name: weight.detach().float().numpy() for name, weight in zip(weights, moving, strict=True)}


def embed(encoder: Encoder, vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n width"]:
    """The embeddings of vectors, float64, all entries >= 0."""
    hidden = np.maximum(vectors @ encoder["weight-1"].T.astype(np.float64) + encoder["bias-1"], 0)
    embedded: Float[np.ndarray, "n width"] = np.maximum(hidden @ encoder["weight-2"].T + encoder["bias-2"], 0)
    return embedded


def cosines(one: Float[np.ndarray, "n d"], other: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """The cosine of each pair of rows; 0 where a row is all zeros.

    >>> cosines(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 1.0], [1.0, 0.0]])).round(4).tolist()
    [0.7071, 0.0]
    """
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    products = (one * other).sum(axis=1)
    ratios: Float[np.ndarray, " n"] = np.divide(products, lengths, out=np.zeros_like(lengths), where=lengths > 1e-12)
    return ratios


def _forward(inputs: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor) -> Tensor:
    hidden = functional.relu(functional.linear(inputs, weight1, bias1))
    embedded: Tensor = functional.relu(functional.linear(hidden, weight2, bias2))
    return embedded


def _uniform(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    """As linear layers begin: uniform within 1 / sqrt(inputs)."""
    bound = shape[1] ** -0.5
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)
