"""The source, near-equal models and models that guess, among calibration models."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from modelprint import enroll, verify
from modelprint.attacks.make import run_attack
from modelprint.cli.app import run
from modelprint.core.errors import FingerprintError, ModelprintError
from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.nn.files import save_model
from modelprint.nn.likeness import SAME_WEIGHTS, sketch_of
from modelprint.nn.loading import load_model
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import build
from modelprint.ownership.ask import record_answers
from modelprint.ownership.families import NEAR_SCORES, ONE_START, SAME_SCORES, calibration_records
from modelprint.ownership.fingerprint import CalibrationModel, Fingerprint
from modelprint.ownership.identify import identify
from modelprint.ownership.remarks import remarks
from modelprint.report.verdict.facts import fingerprint_facts
from modelprint.suspects.options import SuspectOptions
from modelprint.training.train import default_recipe, spec_for, train_model
from modelprint.zoo.population import load as load_zoo
from tests.conftest import Digits
from tests.ownership.test_negatives import export

CHECKOUT = Path(__file__).resolve().parents[2]
CODE = """
import torch


def block(inputs, outputs):
    return torch.nn.Sequential(
        torch.nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), torch.nn.BatchNorm2d(outputs), torch.nn.ReLU()
    )


class Other(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(32, 10)
        self.low, self.mid, self.top = block(1, 8), block(8, 16), block(16, 32)

    def forward(self, inputs):
        seen = torch.nn.functional.max_pool2d(self.mid(self.low(inputs)), 2)
        return self.fc(self.top(seen).mean(dim=(2, 3)))


def other(channels, size, classes):
    return Other()
"""
RENAMED = {"features.0": "low", "features.2": "mid", "features.4": "top", "head": "fc"}


def calibrated(digits: Digits, negatives: Any, **options: Any) -> Fingerprint:
    return enroll(digits.source, digits.queries, scheme="akh", budget=60, negatives=negatives, **options)


@pytest.fixture(scope="module")
def plain(digits: Digits) -> Fingerprint:
    return calibrated(digits, ())


def options_for(digits: Digits) -> ModelOptions:
    return ModelOptions(arch="cnn", arch_args={"width": 8}, mean=digits.spec.mean, std=digits.spec.std)


def renamed_state(body: nn.Module) -> dict[str, torch.Tensor]:
    """A network's tensors under the names of CODE."""
    state = {}
    for name, tensor in body.state_dict().items():
        old = next(prefix for prefix in RENAMED if name.startswith(prefix + "."))
        state[RENAMED[old] + name[len(old) :]] = tensor
    return state


def renamed(digits: Digits, place: Path) -> ModelOptions:
    (place / "code.py").write_text(CODE)
    torch.save(renamed_state(digits.source.body), place / "theirs.pth")
    return ModelOptions(arch=f"{place / 'code.py'}:other", mean=digits.spec.mean, std=digits.spec.std)


def halved(digits: Digits, place: Path) -> ModelOptions:
    state = digits.source.body.state_dict().items()
    save_file(
        {n: t.half().contiguous() if t.is_floating_point() else t for n, t in state}, place / "theirs.safetensors"
    )
    return options_for(digits)


def exported(digits: Digits, place: Path) -> ModelOptions:
    export(digits.source, place / "theirs.onnx")
    return ModelOptions()


@pytest.mark.filterwarnings("ignore")  # of torch's older exporter
@pytest.mark.parametrize("form", [renamed, halved, exported])
def test_the_source_in_any_form_stops_enrollment_and_verification(
    digits: Digits, plain: Fingerprint, tmp_path: Path, form: Callable[[Digits, Path], ModelOptions]
) -> None:
    options = form(digits, tmp_path)
    with pytest.raises(FingerprintError, match=r"theirs\..*the source itself"):
        calibrated(digits, tmp_path, options=options)
    with pytest.raises(FingerprintError, match=r"theirs\..*the source itself"):
        verify(plain, digits.strangers[0], negatives=tmp_path, options=SuspectOptions(model=options))


def test_recorded_scores_of_the_source_stop_and_recorded_labels_are_said(
    digits: Digits, plain: Fingerprint, tmp_path: Path
) -> None:
    scores, labels = tmp_path / "scores", tmp_path / "labels"
    for place in (scores, labels):
        place.mkdir()
        record_answers(plain, digits.source, out=place / "mine.npz", access=place.name)
        record_answers(plain, digits.strangers[0], out=place / "other.npz", access=place.name)
    with pytest.raises(FingerprintError, match=r"mine\.npz answers all 60 queries with the source's scores"):
        verify(plain, digits.strangers[1], negatives=scores)
    verdict = verify(plain, digits.source, negatives=labels, alpha=0.4)
    assert verdict.verdict == "not-shown"  # the copy raises the threshold, which wrongs nobody
    assert verdict.remarks is not None
    assert any(text.startswith("mine.npz gives the source's label to every query") for text in verdict.remarks)
    assert "mine.npz gives the source's label" in verdict.message
    assert not any("other.npz" in text and "source" in text for text in verdict.remarks)


def resaved(module: nn.Module, count: int, noise: float = 1e-4) -> list[nn.Module]:
    copies = []
    for number in range(count):
        one = copy.deepcopy(module)
        generator = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for tensor in one.parameters():
                tensor.mul_(1 + noise * torch.randn(tensor.shape, generator=generator))
        copies.append(one)
    return copies


def test_nineteen_copies_of_one_model_are_one_family_and_no_rate(digits: Digits, tmp_path: Path) -> None:
    said: list[str] = []
    copies = resaved(digits.strangers[0], 19)
    made = calibrated(digits, copies, notice=said.append)
    assert len({model.identity for model in made.manifest.calibration}) == 19
    assert set(made.families) == {made.manifest.calibration[0].identity}
    assert any("18 more" not in text and "and 15 more count as one family with model-0" in text for text in said)
    made.save(tmp_path / "fp")
    for fingerprint in (made, Fingerprint.load(tmp_path / "fp")):
        verdict = verify(fingerprint, digits.source)
        assert (verdict.verdict, verdict.threshold) == ("inconclusive", None)
        assert verdict.kinds is not None
        assert [(rate.n, rate.covered) for rate in verdict.kinds] == [(1, False)]
        assert "their weights are the same" in verdict.message
    again = verify(calibrated(digits, ()), digits.source, negatives=copies)
    assert (again.verdict, again.kinds and again.kinds[0].n) == ("inconclusive", 1)
    pooled = verify(made, digits.source, pool_kinds=True)
    assert pooled.verdict == "inconclusive"


def test_independent_models_stay_families_of_their_own(digits: Digits) -> None:
    made = calibrated(digits, digits.strangers)
    assert len(set(made.families)) == 3
    assert all(model.joined is None and model.near_source is None for model in made.manifest.calibration)
    assert verify(made, digits.source, alpha=0.25).remarks == ()


def test_a_copy_without_its_card_is_of_the_family_of_its_parent(digits: Digits) -> None:
    """Nobody says what it was made from; the highest score of the two stands."""
    tuned = run_attack("ftal", {"epochs": "1"}, digits.strangers[0], digits.spec, digits.attacker, seed=0).model
    made = calibrated(digits, [digits.strangers[0], tuned, digits.strangers[1]])
    joined = made.manifest.calibration[1].joined
    assert joined is not None
    assert (joined.to, joined.by) == ("model-0", "weights")
    assert made.families[1] == made.families[0] != made.families[2]
    mine = run_attack("ftal", {"epochs": "1"}, digits.source, digits.spec, digits.attacker, seed=0).model
    seen = calibrated(digits, [mine, digits.strangers[1]])
    assert any(
        "model-0 started from the source" in text for text in verify(seen, digits.source, alpha=0.4).remarks or ()
    )


def records_of(*kinds: str | None) -> list[CalibrationModel]:
    return [
        CalibrationModel(name=f"m{number}", identity="sha256:" + f"{number:064x}", kind=kind, accuracy=0.9)
        for number, kind in enumerate(kinds)
    ]


def labelled(labels: np.ndarray) -> Answers:
    return Answers(labels=labels.astype(np.int64))


def families(records: list[CalibrationModel], modules: list[nn.Module]) -> list[str]:
    answers = [
        answers_from_scores(np.random.default_rng(seed).normal(size=(60, 10)), who="a model")
        for seed in range(len(modules) + 1)
    ]
    made = calibration_records(
        records,
        answers[1:],
        [sketch_of(module) for module in modules],
        source=answers[0],
        source_sketch=None,
        classes=10,
        moved=False,
    )
    return [model.family for model in made]


def siblings(count: int) -> list[nn.Module]:
    """Networks that were tuned from one, each by itself."""
    torch.manual_seed(0)
    base = nn.Sequential(nn.Linear(30, 60), nn.Linear(60, 10))
    return resaved(base, count, noise=0.3)


def test_siblings_are_no_family_but_a_copy_of_one_of_them_is() -> None:
    sharing = siblings(6)
    copied = resaved(sharing[2], 1, noise=0.05)
    assert len(set(families(records_of(*["SHARED"] * 6), sharing))) == 6
    mine = families(records_of(*["OTHER"] * 6, None), [*sharing, *copied])
    assert len(set(mine)) == 6
    assert mine[6] == mine[2]


def test_models_of_one_start_that_nobody_calls_siblings_are_one_family() -> None:
    assert len(set(families(records_of(*[None] * 6), siblings(6)))) == 1


def test_a_copy_by_its_card_goes_with_its_parent_into_another_family() -> None:
    torch.manual_seed(0)
    first, second = (nn.Sequential(nn.Linear(30, 60), nn.Linear(60, 10)) for _ in range(2))
    parent, copied, other = records_of(None, "COPY", None)
    copied = copied.model_copy(update={"made_from": parent.identity})
    mine = families([other, parent, copied], [first, resaved(first, 1)[0], second])
    assert mine == [other.identity] * 3


def test_the_same_labels_are_one_family_only_where_others_differ() -> None:
    draw = np.random.default_rng(0)
    labels = [draw.integers(0, 10, size=100) for _ in range(3)]
    source = labelled(np.full(100, 9))

    def count(answers: list[Answers], kinds: list[str | None]) -> int:
        made = calibration_records(
            records_of(*kinds),
            answers,
            [None] * len(answers),
            source=source,
            source_sketch=None,
            classes=10,
            moved=False,
        )
        return len({model.family for model in made})

    twice = [labelled(labels[0]), labelled(labels[0]), labelled(labels[1]), labelled(labels[2])]
    with pytest.raises(FingerprintError, match="guesses"):  # answers without anything in common
        calibration_records(
            [record.model_copy(update={"accuracy": None}) for record in records_of(*[None] * 4)],
            twice, [None] * 4, source=source, source_sketch=None, classes=10, moved=False,
        )  # fmt: skip
    assert count(twice, [None] * 4) == 3
    boundary = [labelled(np.tile([3, 4], 50)) for _ in range(4)]
    assert count(boundary, ["SHARED"] * 4) == 4  # all answer alike: that tells nothing of two of them
    close = labels[0].copy()
    close[:10] += 1
    assert count([*twice[:2], labelled(close % 10)], [None] * 3) == 3  # others differ by ten labels only


@pytest.mark.parametrize("access", ["labels", "scores"])
def test_untrained_networks_and_their_recordings_are_refused_at_verification(
    digits: Digits, plain: Fingerprint, tmp_path: Path, access: str
) -> None:
    untrained = [build(digits.spec, seed=seed).eval() for seed in range(5)]
    with pytest.raises(FingerprintError, match=r"model-0 \(and 4 more: .*\) agrees .* no more than guesses do"):
        verify(plain, digits.source, negatives=untrained)
    torch.manual_seed(0)
    scattering = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))  # gives several classes, by chance
    for number, model in enumerate([*digits.strangers, scattering]):
        record_answers(plain, model, out=tmp_path / f"{number}.jsonl", access=access)
    with pytest.raises(FingerprintError, match=r"^3\.jsonl agrees .* no more than guesses do"):
        verify(plain, digits.source, negatives=tmp_path)
    (tmp_path / "3.jsonl").unlink()
    verdict = verify(plain, digits.source, negatives=tmp_path, alpha=0.25)
    assert verdict.remarks == ("the accuracy of the calibration models is not known",)


@pytest.mark.filterwarnings("ignore")
def test_an_untrained_onnx_file_stops_enrollment(digits: Digits, tmp_path: Path) -> None:
    export(build(digits.spec, seed=5).eval(), tmp_path / "blank.onnx")
    with pytest.raises(ModelprintError, match=r"blank\.onnx classifies .* no better than chance"):
        calibrated(digits, tmp_path)


def test_a_weak_model_stands_in_the_verdict(digits: Digits) -> None:
    few = digits.owner.take(np.arange(40), name="few")
    weak = train_model(few, spec_for(digits.owner, "mlp", {"width": 8}), default_recipe(few, epochs=40), seed=1).model
    made = calibrated(digits, [digits.strangers[0], weak, digits.strangers[1]])
    accuracy = made.manifest.calibration[1].accuracy
    verdict = verify(made, digits.source, alpha=0.25)
    (said,) = verdict.remarks or ()
    assert said.startswith(f"model-1 classifies {accuracy:.1%} rightly, the source {made.manifest.source_accuracy:.1%}")
    assert said in verdict.message
    assert f'"remarks":["{said}"]' in verdict.to_json()


def test_a_file_without_the_new_fields_is_read(digits: Digits, plain: Fingerprint) -> None:
    fields = plain.manifest.model_dump(mode="json")
    assert fields.pop("source_values").startswith("sha256:")
    older = type(plain.manifest).model_validate(fields)
    assert older.source_values is None
    assert "source_values" not in older.model_dump(mode="json")
    record = CalibrationModel(name="m", identity="sha256:x")
    assert record.model_dump(mode="json").keys() == {"name", "identity", "accuracy", "kind"}


def test_models_of_memory_and_of_a_file_are_sketched_alike(digits: Digits, tmp_path: Path) -> None:
    torch.save(digits.strangers[0].body.state_dict(), tmp_path / "x.pth")
    options = options_for(digits)
    loaded = load_model(
        tmp_path / "x.pth", arch=options.arch, arch_args=options.arch_args, mean=options.mean, std=options.std,
        shape=digits.queries.shape, classes=10,
    )  # fmt: skip
    one, other = sketch_of(loaded.module), sketch_of(digits.strangers[0])
    assert one is not None
    assert other is not None
    assert one.values == other.values


def test_no_calibration_model_of_the_committed_zoo_is_joined_by_its_weights() -> None:
    models = load_zoo("fashion", part="calibration")
    by_id = {model.id: model for model in models}
    records = [
        CalibrationModel(
            name=model.id,
            identity=model.row.sha256,
            accuracy=model.accuracy,
            kind=model.kind if model.source is None else "COPY",
            made_from=None if model.source is None else by_id[model.source].row.sha256,
        )
        for model in models
    ]
    draw = np.random.default_rng(0)
    answers = [labelled(draw.integers(0, 10, size=20)) for _ in range(len(models) + 1)]
    sketches = [sketch_of(load_model(model.path).module) for model in models]
    source = load_model(load_zoo("fashion", part="source")[0].path).module
    made = calibration_records(
        records, answers[1:], sketches, source=answers[0], source_sketch=sketch_of(source), classes=10, moved=False
    )
    assert len(made) == 149
    assert not [model.name for model in made if model.joined is not None or model.near_source is not None]


def test_the_study_joins_none_of_them_by_its_answers() -> None:
    study = json.loads((CHECKOUT / "benchmarks" / "results" / "likeness_fashion.json").read_text())
    for figures in study["schemes"].values():
        assert figures["joined"] == figures["near the source"] == []
        for kind in ("scores", "rounded scores"):
            assert figures[kind]["independent"]["min"] > 2 * NEAR_SCORES
            assert figures[kind]["siblings"]["min"] > 2 * NEAR_SCORES
            assert figures[kind]["saved as float16"]["max"] < SAME_SCORES
    assert study["weights"]["independent"]["min"] > 2 * ONE_START
    assert study["weights"]["saved as bfloat16"]["largest_worst"] < SAME_WEIGHTS


def test_the_report_and_the_record_of_the_fingerprint_name_the_family(digits: Digits) -> None:
    made = calibrated(digits, [*digits.strangers, *resaved(digits.strangers[0], 1)])
    facts = [fact.value for fact in fingerprint_facts(made) if fact.name == "Of these"]
    assert facts == list(remarks(made))
    assert facts[0].startswith("model-3 counts as one family with model-0, whose highest score stands")
    found = identify(digits.source, [made], alpha=0.4)
    assert "model-3 counts as one family" in found.candidates[0].message


def test_the_command_line_counts_families(digits: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    negatives = tmp_path / "negatives"
    negatives.mkdir()
    card = digits.trained.card.model_copy(update={"recipe": {}})
    for number, model in enumerate([digits.strangers[0], *resaved(digits.strangers[0], 2)]):
        save_model(negatives / f"{number}.safetensors", model, card)
    save_model(tmp_path / "mine.safetensors", digits.source, digits.trained.card)
    words = ["enroll", str(tmp_path / "mine.safetensors"), "digits:queries", "--scheme", "akh", "--out"]
    assert run([*words, str(tmp_path / "fp"), "--negatives", str(negatives)]) == 0
    said = capsys.readouterr()
    assert "1 family of 3 calibration models" in said.out
    assert "2.safetensors count as one family with 0.safetensors" in " ".join(said.err.split())
    save_model(negatives / "again.safetensors", digits.source, card)
    assert run(["verify", str(tmp_path / "fp"), str(negatives / "0.safetensors"), "--negatives", str(negatives)]) == 1
    assert "again.safetensors is the source itself" in " ".join(capsys.readouterr().err.split())
