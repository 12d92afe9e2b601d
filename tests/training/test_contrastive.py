"""The loss against its formula, written out; the encoder against torch's own layers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from modelprint.stats.roc import auc
from modelprint.training.contrastive import EncoderRecipe, cosines, embed, supervised_contrastive, train_encoder


def by_hand(embeddings: torch.Tensor, classes: list[int], temperature: float) -> float:
    losses = []
    for i, anchor in enumerate(embeddings):
        terms = {
            a: math.exp(float(functional.cosine_similarity(anchor, other, dim=0)) / temperature)
            for a, other in enumerate(embeddings)
            if a != i
        }
        positives = [term for a, term in terms.items() if classes[a] == classes[i]]
        if positives:
            losses.append(-math.log(sum(positives) / sum(terms.values())))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("temperature", [0.07, 0.2, 1.0])
def test_the_loss_is_its_formula(temperature: float) -> None:
    embeddings = torch.randn(9, 5, generator=torch.Generator().manual_seed(1))
    classes = [0, 1, 1, 2, 0, 0, 3, 2, 1]  # class 3 is alone
    value = supervised_contrastive(embeddings, torch.tensor(classes), temperature=temperature)
    assert float(value) == pytest.approx(by_hand(embeddings, classes, temperature), rel=1e-5)


def test_the_length_of_an_embedding_does_not_matter_and_zeros_give_a_finite_loss() -> None:
    embeddings, classes = torch.rand(6, 4, generator=torch.Generator().manual_seed(2)), torch.tensor([0, 0, 1, 1, 2, 2])
    scaled = embeddings * torch.tensor([1.0, 5, 0.1, 2, 3, 9])[:, None]
    value = supervised_contrastive(embeddings, classes, temperature=0.2)
    assert torch.allclose(value, supervised_contrastive(scaled, classes, temperature=0.2))
    dead = torch.zeros(4, 3, requires_grad=True)
    value = supervised_contrastive(dead, torch.tensor([0, 0, 1, 1]), temperature=0.2)
    value.backward()
    assert value.isfinite()
    assert dead.grad is not None
    assert dead.grad.isfinite().all()


def test_without_a_pair_there_is_nothing_to_learn() -> None:
    with pytest.raises(ValueError, match="no two of 3 vectors"):
        supervised_contrastive(torch.ones(3, 2), torch.tensor([0, 1, 2]), temperature=0.2)


def blobs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    classes = np.arange(60) % 2
    return generator.normal(size=(60, 30)) + 1.0 * classes[:, None], classes


def test_a_trained_encoder_tells_unseen_vectors_of_two_classes_apart() -> None:
    vectors, classes = blobs(0)
    encoder = train_encoder(vectors, classes, EncoderRecipe(), generator=torch.Generator().manual_seed(0))
    unseen, truth = blobs(1)
    embedded = embed(encoder, unseen)
    reference = np.repeat(embed(encoder, vectors[classes == 1].mean(0, keepdims=True)), len(unseen), axis=0)
    likeness = cosines(reference, embedded)
    assert auc(likeness[truth == 1], likeness[truth == 0]) > 0.98


def test_embedding_is_two_layers_with_relu() -> None:
    vectors, classes = blobs(0)
    encoder = train_encoder(vectors, classes, EncoderRecipe(steps=3), generator=torch.Generator().manual_seed(0))
    layers = nn.Sequential(nn.Linear(30, 50), nn.ReLU(), nn.Linear(50, 20), nn.ReLU())
    layers.load_state_dict(
        {
            name: torch.from_numpy(encoder[key])
            for name, key in (
                ("0.weight", "weight-1"),
                ("0.bias", "bias-1"),
                ("2.weight", "weight-2"),
                ("2.bias", "bias-2"),
            )
        }
    )
    expected = layers(torch.from_numpy(vectors).float()).detach().numpy()
    np.testing.assert_allclose(embed(encoder, vectors), expected, atol=1e-4)


def test_the_same_generator_gives_the_same_encoder() -> None:
    vectors, classes = blobs(0)
    one, other = (
        train_encoder(vectors, classes, EncoderRecipe(steps=5), generator=torch.Generator().manual_seed(4))
        for _ in range(2)
    )
    assert all((one[name] == other[name]).all() for name in one)
