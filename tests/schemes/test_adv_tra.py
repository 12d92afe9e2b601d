"""The trajectories are what the paper says they are, asked of the model itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelprint.core.errors import FingerprintError, UsageError
from modelprint.core.suspect import Answers
from modelprint.data.labelled import LabelledSet
from modelprint.modalities.image import IMAGE
from modelprint.perturb.evaluate import Evaluator, frozen
from modelprint.schemes.adv_tra import AdvTra
from modelprint.schemes.base import Enrollment, Queries
from modelprint.training.loop import predict
from tests.conftest import Digits


def craft(digits: Digits, scheme: AdvTra, *, seed: int = 0, budget: int | None = None) -> Queries:
    context = Enrollment(source=digits.source, seeds=digits.queries, budget=budget)
    return scheme.craft(context, torch.Generator().manual_seed(seed))


def labels_of(digits: Digits, queries: Queries) -> np.ndarray:
    return predict(digits.source, torch.from_numpy(queries.stored)).argmax(1).numpy()


@pytest.fixture(scope="module")
def made(digits: Digits) -> Queries:
    return craft(digits, AdvTra(trajectories=12))


@pytest.mark.parametrize(
    "scheme",
    [
        AdvTra(trajectories=6),
        AdvTra(trajectories=4, l=3, m=4),
        AdvTra(trajectories=4, l=1, m=2),
        AdvTra(trajectories=4, l=5, m=3, eight_bit=False),
        AdvTra(trajectories=4, m=4, near=3),
    ],
)
def test_every_leg_satisfies_equation_3_on_the_stored_points(digits: Digits, scheme: AdvTra) -> None:
    queries = craft(digits, scheme)
    per = scheme.points(10)
    told = labels_of(digits, queries).reshape(-1, per)
    targets = queries.columns["target"].reshape(-1, per)
    assert len(told) == scheme.trajectories
    for leg in range(scheme.m):
        first = 2 * scheme.l * leg
        target = targets[:, first + 1]
        for i in range(scheme.l):
            assert (told[:, first + i] != target).all()  # f(x_i) != y_tgt, i < l
        assert (told[:, first + scheme.l] == target).all()  # f(x_l) = y_tgt
        assert (targets[:, first + 1 : first + 2 * scheme.l + 1] == target[:, None]).all()


def test_trajectories_begin_at_rightly_classified_bases_and_span_every_class(digits: Digits, made: Queries) -> None:
    told = labels_of(digits, made).reshape(12, 37)
    assert (told[:, 0] == made.labels.reshape(12, 37)[:, 0]).all()
    bases = {image.tobytes() for image in made.stored.reshape(12, 37, -1)[:, 0]}
    assert bases <= {image.tobytes() for image in digits.queries.stored}
    assert len(bases) == 12
    targets = made.columns["target"].reshape(12, 37)
    assert all(len(set(row[1:])) >= 8 for row in targets)


def test_eight_bit_points_of_a_leg_differ_pairwise_and_steps_shrink(made: Queries) -> None:
    points = made.stored.reshape(12, 37, -1).astype(int)
    for trajectory in points:
        for leg in range(9):
            five = trajectory[4 * leg : 4 * leg + 5]
            assert len({point.tobytes() for point in five}) == 5
            first, second = (np.abs(five[i + 1] - five[i]).max() for i in (0, 1))
            assert second <= first + 1  # s_1 = .9 s_0, up to rounding


def test_the_far_side_repeats_the_steps_reversed(digits: Digits) -> None:
    queries = craft(digits, AdvTra(trajectories=4, l=2, m=1, eight_bit=False))
    points = torch.from_numpy(queries.stored.reshape(4, 5, -1))
    sizes = (points[:, 1:] - points[:, :-1]).abs().amax(2)
    assert torch.allclose(sizes[:, 0], sizes[:, 3], atol=1e-5)
    assert torch.allclose(sizes[:, 1], sizes[:, 2], atol=1e-5)
    assert torch.allclose(sizes[:, 1], 0.9 * sizes[:, 0], rtol=1e-3, atol=1e-5)


def test_paper_preset_makes_shrinking_steps_on_float_points(digits: Digits) -> None:
    scheme = AdvTra.preset("paper").with_settings({"trajectories": "3", "m": "2"})
    queries = craft(digits, scheme)
    assert IMAGE.codec(queries.stored) == "float32"
    per = scheme.points(10)
    points = torch.from_numpy(queries.stored).reshape(-1, per, 64)
    sizes = (points[:, 1:] - points[:, :-1]).abs().amax(2)
    told = labels_of(digits, queries).reshape(-1, per)
    targets = queries.columns["target"].reshape(-1, per)
    for leg in range(2):
        assert (sizes[:, 4 * leg + 1] < sizes[:, 4 * leg]).all()
        assert (told[:, 4 * leg + 2] == targets[:, 4 * leg + 1]).all()
        assert (told[:, 4 * leg + 1] != targets[:, 4 * leg + 1]).all()


def test_where_classes_are_more_targets_are_the_nearest(digits: Digits) -> None:
    queries = craft(digits, AdvTra(trajectories=12, m=1, near=1, retries=0))
    first = queries.columns["position"] == 0
    logits = predict(digits.source, torch.from_numpy(queries.stored[first]))
    assert (queries.columns["target"][queries.columns["position"] == 1] == logits.argsort(1)[:, -2].numpy()).all()
    wider = craft(digits, AdvTra(trajectories=12, m=1, near=3, retries=0))
    logits = predict(digits.source, torch.from_numpy(wider.stored[wider.columns["position"] == 0]))
    ranks = (logits.argsort(1, descending=True) == torch.from_numpy(
        wider.columns["target"][wider.columns["position"] == 1])[:, None]
    ).int().argmax(1)  # fmt: skip
    assert set(ranks.tolist()) == {1, 2, 3}


def test_the_same_seed_gives_the_same_queries_and_another_others(digits: Digits, made: Queries) -> None:
    assert (craft(digits, AdvTra(trajectories=12)).stored == made.stored).all()
    assert (craft(digits, AdvTra(trajectories=12), seed=1).stored != made.stored).any()


def test_batches_are_bounded_and_fill_up_to_the_number_asked_for(digits: Digits) -> None:
    sizes: list[int] = []
    before = digits.source.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    try:
        queries = craft(digits, AdvTra(trajectories=20, batch=8))
    finally:
        before.remove()
    assert len(queries) == 20 * 37
    assert max(size for size in sizes if size != len(digits.queries)) <= 8


def test_report_counts_the_evaluations_that_were_performed(digits: Digits) -> None:
    seen: list[int] = []
    before = digits.source.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    try:
        queries = craft(digits, AdvTra(trajectories=5))
    finally:
        before.remove()
    report = queries.report
    assert seen[:3] == [len(digits.queries), 1, 1]  # for right bases; are gradients, and doubles, to be had?
    assert report["forward_evaluations"] == sum(seen[3:])
    assert report["backward_evaluations"] < report["forward_evaluations"]
    assert report["success_rate"] == report["trajectories"] / report["bases_tried"]
    assert report["steps"] == 5 * 36
    assert report["flips_per_trajectory"] >= 9


def test_budget_keeps_whole_trajectories(digits: Digits) -> None:
    assert len(craft(digits, AdvTra(), budget=100)) == 2 * 37
    with pytest.raises(FingerprintError, match="no whole trajectory of 37"):
        craft(digits, AdvTra(), budget=36)
    asker = AdvTra().asker({"group": np.repeat([0, 1, 2], 37)}, 80)
    assert asker.total == 74


def test_score_is_the_detection_rate_with_ties_broken_by_mutation() -> None:
    state = {"group": np.repeat([0, 1], 5), "position": np.tile(np.arange(5), 2)}
    source = Answers(labels=np.zeros(10, np.int64))
    suspect = Answers(labels=np.array([9, 0, 0, 0, 1, 0, 1, 1, 1, 1]))  # x_0 of the first differs: not counted
    scheme = AdvTra()
    assert scheme.mutation_rates(state, source, suspect).tolist() == [0.25, 1.0]
    assert scheme.score(state, source, suspect) == pytest.approx(0.5 + 0.001 * (1 - 0.625))
    assert scheme.details(state, source, suspect) == {
        "matched": 1,
        "trajectories": 2,
        "mean_mutation_rate": pytest.approx(0.625),
    }
    unanswered = Answers(labels=np.array([0, 0, 0, 0, 0, -1, -1, -1, -1, -1]))
    assert scheme.details(state, source, unanswered)["trajectories"] == 1


def test_a_source_no_better_than_chance_is_refused(digits: Digits) -> None:
    shuffled = digits.queries.labels[torch.randperm(150, generator=torch.Generator().manual_seed(1)).numpy()]
    wrong = LabelledSet(
        name="shuffled", stored=digits.queries.stored, labels=shuffled, class_names=digits.queries.class_names
    )
    with pytest.raises(FingerprintError, match="no better than chance"):
        AdvTra().craft(Enrollment(source=digits.source, seeds=wrong), torch.Generator())


class Broken(torch.nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = torch.nn.Parameter(torch.tensor(value))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.value * torch.ones(len(inputs), 10) + inputs.sum() * 0


@pytest.mark.parametrize(("value", "words"), [(float("nan"), "NaN or infinite"), (1.0, "to every image")])
def test_a_broken_source_is_refused(digits: Digits, value: float, words: str) -> None:
    with pytest.raises(FingerprintError, match=words):
        AdvTra().craft(Enrollment(source=Broken(value), seeds=digits.queries), torch.Generator())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"l": "zero"}, "not a int"),
        ({"l": "0"}, "at least 1"),
        ({"near": "0"}, "at least 1"),
        ({"walk": "3"}, "use one of 1, 2"),
        ({"steps": "3"}, "has no parameter 'steps'"),
        ({"probing": "magic"}, "use one of bisection, length-control"),
        ({"eight_bit": "yes"}, "use true or false"),
    ],
)
def test_settings_that_do_not_fit_are_named(settings: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        AdvTra().with_settings(settings)


def test_the_version_of_the_walk_is_set_by_its_number() -> None:
    assert AdvTra().with_settings({"walk": "1"}) == AdvTra(walk=1)
    with pytest.raises(ValueError, match="walk 3 is unknown"):
        AdvTra(**{"walk": 3})


def test_gradient_signs_agree_with_finite_differences(digits: Digits) -> None:
    source = digits.source.double()
    try:
        images = torch.from_numpy(digits.queries.stored[:2]).double() / 255
        targets = torch.tensor([3, 5])
        with frozen(source) as model:
            aim = Evaluator(model).aim(images, lambda _, logits: targets.numpy())
            for row in range(2):
                for pixel in (9, 27, 45):
                    shift = torch.zeros_like(images[row]).view(-1)
                    shift[pixel] = 1e-6
                    shift = shift.view_as(images[row])
                    loss = [
                        torch.nn.functional.cross_entropy(model((images[row] + side * shift)[None]), targets[row][None])
                        for side in (1, -1)
                    ]
                    slope = float((loss[0] - loss[1]) / 2e-6)
                    if abs(slope) > 1e-6:
                        assert aim.sign[row].view(-1)[pixel] == np.sign(slope)
    finally:
        source.float()


def test_frozen_gives_the_model_back_as_it_was(digits: Digits) -> None:
    model = digits.source
    model.train()
    next(model.parameters()).requires_grad_(False)
    with frozen(model):
        assert not model.training
        assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.training
    assert [parameter.requires_grad for parameter in model.parameters()].count(False) == 1
    next(model.parameters()).requires_grad_(True)
    model.eval()
