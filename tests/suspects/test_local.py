from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.core.access import Access
from modelprint.core.errors import DataError, SuspectError
from modelprint.suspects.local import CallableSuspect, TorchSuspect


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4))


def reference(net: nn.Module, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net.eval()(torch.from_numpy(images).float() / 255).numpy()


def test_torch_answers_as_the_bare_model_in_evaluation_mode(net: nn.Module, images: np.ndarray) -> None:
    expected = reference(net, images)
    answers = TorchSuspect(net.train(), "sha256:0", batch_size=7).ask(images, access=Access.SCORES)
    assert answers.scores is not None
    np.testing.assert_allclose(answers.scores, expected, atol=1e-5)
    assert (answers.labels == expected.argmax(1)).all()


def test_torch_gives_labels_only_when_labels_are_asked_for(net: nn.Module, images: np.ndarray) -> None:
    assert TorchSuspect(net, "sha256:0").ask(images).scores is None


def test_torch_takes_floats_of_any_width_and_read_only_arrays(net: nn.Module, images: np.ndarray) -> None:
    suspect = TorchSuspect(net, "sha256:0")
    floats = images.astype(np.float64) / 255
    floats.flags.writeable = images.flags.writeable = False
    assert (suspect.ask(floats).labels == suspect.ask(images).labels).all()


def test_torch_says_that_images_do_not_fit(net: nn.Module) -> None:
    with pytest.raises(SuspectError, match=r"does not take images of shape \(3, 4, 4\)"):
        TorchSuspect(net, "sha256:0").ask(np.zeros((2, 3, 4, 4), np.uint8))


def test_torch_refuses_nan_other_classes_and_wrong_ranges(net: nn.Module, images: np.ndarray) -> None:
    with pytest.raises(SuspectError, match="4 classes apart, expected 10"):
        TorchSuspect(net, "sha256:0", classes=10).ask(images)
    with pytest.raises(DataError, match="divide by 255"):
        TorchSuspect(net, "sha256:0").ask(images.astype(np.float32))
    nn.init.constant_(net[4].bias, float("nan"))
    with pytest.raises(SuspectError, match="NaN or infinite outputs for 40 of 40"):
        TorchSuspect(net, "sha256:0").ask(images)


@pytest.mark.parametrize("form", [np.asarray, list, torch.from_numpy])
def test_callable_may_return_labels_in_any_form(images: np.ndarray, form: object) -> None:
    suspect = CallableSuspect(lambda batch: form(batch[:, 0, 0, 0].astype(np.int64) % 4), batch_size=16)
    assert suspect.ask(images).labels.tolist() == [i % 4 for i in range(40)]
    assert suspect.identity.startswith("callable:tests.suspects.test_local")


def test_callable_sees_the_images_as_they_are_in_batches(images: np.ndarray) -> None:
    seen: list[tuple[int, np.dtype]] = []

    def model(batch: np.ndarray) -> np.ndarray:
        seen.append((len(batch), batch.dtype))
        return np.zeros((len(batch), 3), np.float32)

    CallableSuspect(model, batch_size=16).ask(images)
    CallableSuspect(model, batch_size=64).ask(images.astype(np.float32) / 255)
    assert seen == [(16, np.uint8), (16, np.uint8), (8, np.uint8), (40, np.float32)]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda n: np.zeros(n - 1, int), "to 40 images"),
        (lambda n: np.full(n, 1.5), "one number per image, such as 1.5"),
        (lambda n: np.full((n, 3), np.nan), "NaN"),
        (lambda n: np.full(n, -1), "answered class -1"),
        (lambda n: np.full(n, 9), "answered class 9, expected 0 to 3"),
        (lambda n: ["cat"] * n, "answered class 'cat', the fingerprint has no names"),
        (lambda n: [[1, 2], [1]] * (n // 2), "no array of labels or scores"),
        (lambda n: np.zeros((n, 5)), "5 classes apart, expected 4"),
    ],
)
def test_callable_that_answers_nonsense_is_told_so(images: np.ndarray, result: object, message: str) -> None:
    with pytest.raises(SuspectError, match=message):
        CallableSuspect(lambda batch: result(len(batch)), classes=4).ask(images)


def test_callable_of_labels_cannot_give_scores(images: np.ndarray) -> None:
    with pytest.raises(SuspectError, match=r"labels only.*--access labels"):
        CallableSuspect(lambda batch: np.zeros(len(batch), int)).ask(images, access=Access.SCORES)
