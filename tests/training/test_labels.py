"""Labels that rounding cannot turn."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelprint.training.labels import labels_of
from modelprint.training.loop import predict


class Cancelling(nn.Module):
    """Two logits a hair apart, each a sum of large numbers that cancel: single precision loses the hair."""

    def __init__(self) -> None:
        super().__init__()
        self.large = nn.Parameter(torch.tensor([4096.0, -4096.0]))

    def forward(self, images: Tensor) -> Tensor:
        first, second = self.large + images.flatten(1).sum(1, keepdim=True) * 1e-4, self.large
        return torch.stack([second.sum(-1).expand(len(images)), first.sum(-1)], dim=1)


def test_where_single_precision_cannot_tell_double_does() -> None:
    model = Cancelling().eval()
    images = torch.tensor([[[[1]]], [[[0]]], [[[3]]]], dtype=torch.uint8)
    told = predict(model, images)
    assert told[0, 0] == told[0, 1]  # the hair is lost: single precision says 0
    assert labels_of(model, images).tolist() == [1, 0, 1]


class Casting(Cancelling):
    """A model that has no doubles."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).float()


def test_a_model_without_doubles_keeps_its_word() -> None:
    model = Casting().eval()
    images = torch.tensor([[[[1]]]], dtype=torch.uint8)
    assert labels_of(model, images).tolist() == predict(model, images).argmax(1).tolist()


def test_clear_labels_are_not_asked_again() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False)).eval()
    nn.init.eye_(model[1].weight)  # type: ignore[arg-type]
    asked: list[int] = []
    model.register_forward_hook(lambda _, inputs, __: asked.append(len(inputs[0])))
    images = torch.tensor([[[[200, 0], [0, 0]]], [[[0, 200], [0, 0]]]], dtype=torch.uint8)
    assert labels_of(model, images).tolist() == [0, 1]
    assert asked == [2]
