"""Each evasion does to images and answers what an independent computation does, and always the same."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import signal, special, stats
from torch.nn import functional

from modelprint.core.access import Access
from modelprint.core.errors import DataError, SuspectError, UsageError
from modelprint.core.suspect import Answers, Suspect, answers_from_scores
from modelprint.modalities.image.transforms import TRANSFORMS
from modelprint.suspects.evasion import EVASIONS, evaded, evasions
from modelprint.suspects.evasion.detector import Detector

CLASSES = 4


class Witness(Suspect):
    """A linear model on pixels, which remembers the images that it saw."""

    identity = "sha256:witness"

    def __init__(self, seed: int = 0, access: Access = Access.SCORES) -> None:
        self.weights = np.random.default_rng(seed).normal(size=(CLASSES, 3 * 8 * 8)).astype(np.float32)
        self.access = access
        self.seen: list[np.ndarray] = []
        self.finished = 0

    def finish(self) -> None:
        self.finished += 1

    def logits(self, images: np.ndarray) -> np.ndarray:
        unit = images.astype(np.float32) / np.float32(255) if images.dtype == np.uint8 else images
        found: np.ndarray = unit.reshape(len(unit), -1) @ self.weights.T
        return found

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        self.seen.append(images)
        return answers_from_scores(self.logits(images), who=self.identity)


IMAGES = np.random.default_rng(7).integers(0, 256, size=(60, 3, 8, 8)).astype(np.uint8)
UNIT = IMAGES.astype(np.float32) / 255
WITHOUT_PARTNER = [name for name in (*TRANSFORMS, *EVASIONS) if name != "ensemble"]
EVERY = pytest.mark.parametrize("name", [*WITHOUT_PARTNER, "ensemble"])


def behind(name: str, seed: int = 0, access: Access = Access.SCORES) -> Suspect:
    return evaded(Witness(access=access), name, seed=seed, partner=Witness(seed=1))


@EVERY
def test_the_same_seed_gives_the_same_answers_one_by_one_or_together(name: str) -> None:
    together = behind(name, seed=3).ask(IMAGES)
    single = behind(name, seed=3)
    one_by_one = np.concatenate([single.ask(IMAGES[place : place + 1]).labels for place in range(len(IMAGES))])
    assert (behind(name, seed=3).ask(IMAGES).labels == together.labels).all()
    assert (one_by_one == together.labels).all()


@pytest.mark.parametrize("name", [name for name in (*WITHOUT_PARTNER, "ensemble") if name != "detector"])
def test_an_image_sent_again_gets_the_same_answer(name: str) -> None:
    suspect = behind(name)
    first = suspect.ask(IMAGES).labels
    assert (suspect.ask(IMAGES[::-1].copy()).labels[::-1] == first).all()


@pytest.mark.parametrize("name", ["noise", "label-noise:below=1,rate=0.5", "permutation", "views"])
def test_another_seed_gives_other_answers(name: str) -> None:
    first, second = (behind(name, seed=seed).ask(IMAGES, access=Access.SCORES) for seed in (0, 1))
    assert first.scores is not None
    assert second.scores is not None
    assert not np.allclose(first.scores, second.scores)


@EVERY
def test_it_is_the_same_suspect_to_who_asks(name: str) -> None:
    inner = Witness()
    suspect = evaded(inner, name, partner=Witness(seed=1))
    assert suspect.identity == inner.identity
    assert suspect.access == (Access.LABELS if name == "top-1" else Access.SCORES)
    assert suspect.ask(IMAGES[:3]).scores is None
    suspect.finish()
    assert inner.finished == 1


def _jpeg(images: np.ndarray) -> np.ndarray:
    found = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0)).save(stream, "JPEG", quality=30)
        found.append(np.asarray(Image.open(io.BytesIO(stream.getvalue()))).transpose(2, 0, 1))
    return np.stack(found).astype(np.float32) / 255


def _blurred(images: np.ndarray) -> np.ndarray:
    reach = np.arange(-3, 4)
    kernel = np.exp(-(reach**2) / (2 * 0.7**2))
    kernel /= kernel.sum()
    padded = np.pad(images / 255, ((0, 0), (0, 0), (3, 3), (3, 3)), mode="edge")
    both = np.outer(kernel, kernel)
    return np.stack([[signal.convolve2d(plane, both, mode="valid") for plane in image] for image in padded])


def _resized(images: np.ndarray) -> np.ndarray:
    found = np.empty(images.shape)
    for place, image in enumerate(images):
        for channel, plane in enumerate(image):
            grown = np.asarray(Image.fromarray(plane.astype(np.float32)).resize((9, 9), Image.Resampling.BILINEAR))
            found[place, channel] = grown[:8, :8]  # of 9 pixels the middle 8, rounded down
    return found / 255


REFERENCES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "flip": lambda images: np.flip(images, axis=3) / 255,
    "jpeg": _jpeg,
    "blur": _blurred,
    "bit-depth": lambda images: (
        np.array([0, 85, 170, 255])[np.abs(images[..., None] - np.array([0, 85, 170, 255])).argmin(-1)] / 255
    ),
    "resize": _resized,
}


@pytest.mark.parametrize("name", REFERENCES)
def test_the_model_sees_what_an_independent_computation_gives(name: str) -> None:
    inner = Witness()
    evaded(inner, name).ask(IMAGES)
    (seen,) = inner.seen
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, REFERENCES[name](IMAGES), atol=2e-5)


def test_noise_is_normal_and_differs_from_image_to_image() -> None:
    inner = Witness()
    grey = np.full((50, 3, 8, 8), 0.5, np.float32) + np.linspace(0, 0.01, 50, dtype=np.float32)[:, None, None, None]
    evaded(inner, "noise:scale=0.05").ask(grey)
    noise = (inner.seen[0] - grey) / 0.05
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.001
    assert abs(np.corrcoef(noise.reshape(50, -1)[:2])[0, 1]) < 0.3
    evaded(inner, "noise").ask(IMAGES)
    assert (inner.seen[1].min(), inner.seen[1].max()) == (0.0, 1.0)


def test_rounded_scores_add_up_and_labels_stay() -> None:
    plain = Witness().ask(IMAGES, access=Access.SCORES)
    told = behind("rounding").ask(IMAGES, access=Access.SCORES)
    assert told.scores is not None
    shares = np.round(special.softmax(Witness().logits(IMAGES).astype(np.float64), axis=1), 1)
    np.testing.assert_allclose(told.scores, shares / shares.sum(1, keepdims=True), atol=1e-6)
    assert (told.labels == plain.labels).all()


def test_classes_that_all_round_to_nothing_leave_the_first() -> None:
    class Even(Witness):
        def logits(self, images: np.ndarray) -> np.ndarray:
            return np.tile(np.arange(30, dtype=np.float32) / 1000 - 1, (len(images), 1))

    told = evaded(Even(), "rounding").ask(IMAGES[:2], access=Access.SCORES)
    assert told.scores is not None
    assert (told.scores == np.eye(30)[[29, 29]]).all()


def test_top_1_refuses_scores() -> None:
    with pytest.raises(SuspectError, match="gives labels only"):
        behind("top-1").ask(IMAGES, access=Access.SCORES)
    assert (behind("top-1").ask(IMAGES).labels == Witness().ask(IMAGES).labels).all()


def test_label_noise_swaps_the_first_two_where_the_model_is_unsure() -> None:
    shares = special.softmax(Witness().logits(UNIT / 3), axis=1)  # darker images: less sure
    plain = shares.argsort(axis=1)
    always = evaded(Witness(), "label-noise:below=0.7,rate=1").ask(UNIT / 3, access=Access.SCORES)
    unsure = shares.max(1) < 0.7
    assert 5 < unsure.sum() < 55
    assert (always.labels == np.where(unsure, plain[:, -2], plain[:, -1])).all()
    assert always.scores is not None
    assert (always.scores.argmax(1) == always.labels).all()
    never = evaded(Witness(), "label-noise:rate=0").ask(UNIT / 3)
    assert (never.labels == plain[:, -1]).all()
    half = evaded(Witness(), "label-noise:below=1.1,rate=0.5").ask(UNIT / 3).labels != plain[:, -1]
    assert stats.binomtest(int(half.sum()), len(half)).pvalue > 0.001


def test_an_ensemble_answers_by_the_mean_probability() -> None:
    told = behind("ensemble:weight=0.25").ask(IMAGES, access=Access.SCORES)
    own, other = (special.softmax(Witness(seed=seed).logits(IMAGES).astype(np.float64), axis=1) for seed in (0, 1))
    mean = 0.75 * own + 0.25 * other
    assert told.scores is not None
    np.testing.assert_allclose(told.scores, mean, atol=1e-6)
    assert (told.labels == mean.argmax(1)).all()
    with pytest.raises(UsageError, match="needs an independent model"):
        evaded(Witness(), "ensemble")


def test_a_permutation_renames_every_class() -> None:
    plain = Witness().ask(IMAGES, access=Access.SCORES)
    told = behind("permutation").ask(IMAGES, access=Access.SCORES)
    pairs = {(int(own), int(other)) for own, other in zip(plain.labels, told.labels, strict=True)}
    assert len(pairs) == len({own for own, _ in pairs}) == len({other for _, other in pairs}) == CLASSES
    assert all(own != other for own, other in pairs)
    assert told.scores is not None
    assert plain.scores is not None
    assert (np.sort(told.scores, 1) == np.sort(plain.scores, 1)).all()
    assert (told.scores.argmax(1) == told.labels).all()


class Benign(Witness):
    """One class for all, so that every query's distance is to the nearest of all before."""

    def logits(self, images: np.ndarray) -> np.ndarray:
        return np.tile(np.array([1.0, 0.0], np.float32), (len(images), 1))


def test_the_detector_lets_normal_distances_pass_and_stops_steps_of_one_size() -> None:
    draw = np.random.default_rng(0)
    natural = draw.integers(0, 256, size=(300, 3, 8, 8)).astype(np.uint8)
    assert evaded(Benign(), "detector").ask(natural).answered.all()
    steps = np.clip(natural[:1].astype(np.int64) + 40 * (np.arange(100)[:, None, None, None] % 2), 0, 255)
    crafted = np.concatenate([natural[:60], steps + draw.integers(0, 2, size=(100, 3, 8, 8))]).clip(0, 255)
    told = evaded(Benign(), "detector").ask(crafted.astype(np.uint8), access=Access.SCORES)
    assert 100 <= told.answered.sum() < 160
    first = int(np.argmin(told.answered))
    assert not told.answered[first:].any()
    assert told.scores is not None
    assert np.isnan(told.scores[first:]).all()


def test_the_detector_keeps_the_papers_books() -> None:
    """Against Algorithm 3, written out with lists."""
    draw = np.random.default_rng(5)
    images = draw.random((150, 3, 8, 8)).astype(np.float32)
    labels = draw.integers(0, 3, size=150)

    class Told(Witness):
        def logits(self, images: np.ndarray) -> np.ndarray:
            return np.eye(3, dtype=np.float32)[labels]

    suspect = Detector(delta=0.0).wrap(Told())
    suspect.ask(images)
    kept: dict[int, list[np.ndarray]] = {}
    reaches: dict[int, list[float]] = {}
    distances = []
    for image, label in zip(images.reshape(150, -1), labels.tolist(), strict=True):
        if label not in kept:
            kept[label], reaches[label] = [image], []
            continue
        nearest = min(float(np.linalg.norm(image - other)) for other in kept[label])
        distances.append(nearest)
        if not reaches[label] or nearest > np.mean(reaches[label]) - np.std(reaches[label]):
            kept[label].append(image)
            reaches[label].append(nearest)
    np.testing.assert_allclose(suspect.distances, distances, rtol=1e-5)  # type: ignore[attr-defined]


def test_evasions_are_put_one_behind_the_other() -> None:
    inner = Witness()
    told = evaded(inner, "permutation + jpeg:quality=30", seed=2).ask(IMAGES)
    np.testing.assert_allclose(inner.seen[0], _jpeg(IMAGES), atol=1e-6)
    order = evasions("permutation", seed=2)[0].order(CLASSES)  # type: ignore[attr-defined]
    assert (told.labels == order[Witness().ask(_jpeg(IMAGES)).labels]).all()
    assert [one.recipe()["name"] for one in evasions("flip+top-1")] == ["Flip", "top-1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fog", "unknown evasion 'fog': use one of flip, noise"),
        ("jpeg:quality", "write its settings as name:key=value"),
        ("jpeg:level=3", "evasion jpeg has no parameter 'level'"),
        ("label-noise:rate=high", "rate='high' is not a float"),
        ("", "unknown evasion ''"),
    ],
)
def test_what_is_misspelt_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        evasions(text)


def test_views_are_answered_by_their_mean_probability() -> None:
    inner = Witness()
    answers = evaded(inner, "views:count=3,transform=noise").ask(IMAGES, access=Access.SCORES)
    noisy = [TRANSFORMS["noise"]()(UNIT, seed=seed) for seed in range(3)]
    wanted = np.mean([special.softmax(inner.logits(one).astype(np.float64), axis=1) for one in noisy], axis=0)
    assert answers.scores is not None
    assert np.allclose(answers.scores, wanted, atol=1e-6)
    assert len(inner.seen) == 3


def test_one_view_of_flipped_images_is_that_transform() -> None:
    one, other = (behind(name).ask(IMAGES).labels for name in ("views:count=1,transform=flip", "flip"))
    assert (one == other).all()


def test_an_unknown_transform_of_views_is_named() -> None:
    with pytest.raises(UsageError, match="no transform 'mirror': use one of flip, noise"):
        behind("views:transform=mirror")
    with pytest.raises(UsageError, match="count must be at least 1"):
        behind("views:count=0")


@pytest.mark.parametrize("name", ["rounding", "label-noise", "permutation", "views"])
def test_a_suspect_without_scores_is_refused(name: str) -> None:
    with pytest.raises(SuspectError, match="needs its scores"):
        behind(name, access=Access.LABELS)


def test_jpeg_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(DataError, match="1 or 3 channels, the images have 2"):
        partial(evaded(Witness(), "jpeg").ask, IMAGES[:, :2])()


def test_grey_images_stay_grey() -> None:
    stored = TRANSFORMS["jpeg"]()(UNIT[:, :1])
    assert stored.shape == (60, 1, 8, 8)
    assert np.abs(stored - UNIT[:, :1]).mean() < np.abs(UNIT[:, :1] - UNIT[::-1, :1]).mean()
    assert functional.mse_loss(torch.from_numpy(stored), torch.from_numpy(UNIT[:, :1])) > 0
