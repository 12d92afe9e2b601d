"""The documented procedure on digits: re-derivation, the judge's models, a fresh challenge on the judge's images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelprint.core.errors import DataError, IntegrityError, UsageError
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.architectures import Normalized
from modelprint.nn.files import save_model
from modelprint.nn.loading import LoadedModel, load_model, weights_identity
from modelprint.ownership.challenge import Challenge, challenge
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.schemes.akh import Akh
from modelprint.training.loop import predict
from tests.conftest import Digits
from tests.contract.test_commands import run
from tests.printed import printed as as_described

ALPHA = "0.25"  # three calibration models
FORGED = 30


@pytest.fixture(scope="module")
def folder(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An owner who forges his data against victim.safetensors, his bundle about it, and what a judge holds."""
    place = tmp_path_factory.mktemp("case")
    save_model(place / "source.safetensors", digits.source, digits.trained.card)
    (place / "judge").mkdir()
    other, victim, another = digits.strangers
    for name, model in {"victim": victim, "judge/0": other, "judge/1": another}.items():
        card = digits.trained.card.model_copy(update={"recipe": {"kind": "train", "seed": name}})
        save_model(place / f"{name}.safetensors", model, card)
    words = ("--arch", "cnn", "--arch-args", '{"width": 8}', "--epochs", "10", "--seed", "9")
    run("train", "digits:owner", *words, "--out", "judge/2.safetensors", cwd=place)
    (place / "owner").mkdir()
    for path in (place / "judge").iterdir():  # the owner's are the same networks in other files
        opened = load_model(path)
        assert isinstance(opened.module, Normalized)
        card = digits.trained.card.model_copy(update={"recipe": {"kind": "train", "seed": f"owner {path.stem}"}})
        save_model(place / "owner" / path.name, opened.module, card)
    run("attack", "source.safetensors", "digits:attacker", "--kind", "ftll", "--set", "epochs=1",
        "--out", "suspect.safetensors", cwd=place)  # fmt: skip
    for name, data in {"owner": forged(digits), "judge": own_images(digits), "training": digits.owner}.items():
        np.savez(place / f"{name}.npz", x_train=data.stored.transpose(0, 2, 3, 1), y_train=data.labels,
                 x_test=data.stored[:0].transpose(0, 2, 3, 1), y_test=data.labels[:0])  # fmt: skip
    run("enroll", "source.safetensors", "owner.npz", "--scheme", "akh", "--set", f"queries={FORGED}",
        "--negatives", "owner", "--out", "mine.fp", cwd=place)  # fmt: skip
    run("key", "--out", "me.pem", cwd=place)
    run("seal", "mine.fp", "--key", "me.pem", "--out", "mine.commitment", "--alpha", ALPHA, cwd=place)
    for suspect, bundle in {"victim": "victim.tar", "suspect": "evidence.tar"}.items():
        run("bundle", "mine.fp", f"{suspect}.safetensors", "--commitment", "mine.commitment", "--key", "me.pem",
            "--alpha", ALPHA, "--out", bundle, cwd=place)  # fmt: skip
    return place


def forged(digits: Digits) -> LabelledSet:
    """Images that the source gets right, and some moved until source and victim give one wrong class."""
    source, (other, victim, another) = digits.source, digits.strangers
    seeds = digits.queries
    images = torch.from_numpy(seeds.stored)
    right = predict(source, images).argmax(1).numpy() == seeds.labels
    target = predict(source, images).topk(2, dim=1).indices[:, 1]
    start = images.float() / 255
    points = start.clone()
    for _ in range(60):
        points.requires_grad_(True)
        gain = sum(model(points).log_softmax(1).gather(1, target[:, None]).sum() for model in (source, victim))
        gain = gain + sum((1 - model(points).softmax(1).gather(1, target[:, None])).clamp(min=1e-6).log().sum()
                          for model in (other, another))  # fmt: skip
        (gradient,) = torch.autograd.grad(gain, points)
        points = (points.detach() + 0.02 * gradient.sign()).clamp(start - 0.3, start + 0.3).clamp(0, 1)
    moved = (points.detach() * 255).round().to(torch.uint8)
    own, theirs = (predict(model, moved).argmax(1).numpy() for model in (source, victim))
    agreed = np.flatnonzero((own == theirs) & (own != seeds.labels) & right)
    assert len(agreed) >= FORGED
    return LabelledSet(
        name="forged", class_names=seeds.class_names,
        stored=np.concatenate([seeds.stored[right], moved.numpy()[agreed[:FORGED]]]),
        labels=np.concatenate([seeds.labels[right], seeds.labels[agreed[:FORGED]]]),
    )  # fmt: skip


def own_images(digits: Digits) -> LabelledSet:
    """What no model here learned from, and the owner did not have: another part, and noisy twins of it."""
    data = load_data("digits:holdout")
    noise = np.random.default_rng(0).integers(-60, 61, (6, *data.stored.shape))
    twins = (data.stored.astype(int) + noise).clip(0, 255).astype(np.uint8)
    return LabelledSet(
        name="judges", class_names=data.class_names,
        stored=np.concatenate([data.stored, *twins]), labels=np.tile(data.labels, 7),
    )  # fmt: skip


FRESH = ("--source", "source.safetensors", "--data", "judge.npz", "--negatives", "judge", "--seed", "41")


def test_forged_data_pass_re_derivation_and_the_judge_s_models_and_a_fresh_challenge_contradicts(folder: Path) -> None:
    again = ("--rederive", "--source", "source.safetensors", "--data", "owner.npz", "--negatives", "judge")
    passed = as_described("check", run("check", "victim.tar", *again, "--format", "json", cwd=folder).stdout)
    assert passed["rederived"]["exact"]
    assert passed["verdict"]["verdict"] == passed["rejudged"]["verdict"] == "derived"  # of an independent model
    images = next(one for one in passed["not_checked"] if "inputs and seed" in one["what"])
    assert "--suspect SUSPECT" in images["option"]

    done = run("check", "victim.tar", *FRESH, "--suspect", "victim.safetensors", "--owner-data", "owner.npz",
               "--format", "json", cwd=folder, code=3)  # fmt: skip
    printed = as_described("check", done.stdout)
    assert printed["fits"] is False
    assert "the bundle says derived (p = 0.25), the fresh challenge not-shown" in done.stderr
    assert printed["challenge"]["contradicts"] in done.stderr.replace("\n", " ")
    assert printed["challenge"]["verdict"]["verdict"] == "not-shown"


def test_the_documented_commands_run_as_they_stand(folder: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text()
    part = page[page.index("## What a judge does") : page.index("## How it is made")].replace("\\\n", " ")
    lines = [line.split()[1:] for line in part.splitlines() if line.strip().startswith("modelprint check")]
    assert len(lines) == 3
    printed = []
    for words in lines:
        known = [word for word in words if word not in ("--tsa-root", "tsa.pem")]  # no server stamps here
        printed.append(as_described("check", run(*known, "--format", "json", cwd=folder).stdout))
    first, second, third = printed
    assert all(one["fits"] and one["verdict"]["verdict"] == "derived" for one in printed)
    assert first["rejudged"]["verdict"] == "derived"
    assert second["rederived"]["exact"]
    assert third["challenge"]["verdict"]["verdict"] == "derived"
    open_after_all = set.intersection(*({one["what"] for one in each["not_checked"]} for each in printed))
    assert open_after_all == {
        "when the fingerprint was committed",
        "that these answers are the suspect's",
    }


def test_of_a_copy_both_say_derived_and_whose_everything_is(folder: Path, digits: Digits) -> None:
    done = run("check", "evidence.tar", *FRESH, "--suspect", "suspect.safetensors", "--owner-data", "owner.npz",
               "--train-data", "digits:owner", "--format", "json", cwd=folder)  # fmt: skip
    printed = as_described("check", done.stdout)
    fresh = printed["challenge"]
    assert printed["fits"] is True
    assert fresh["verdict"]["verdict"] == "derived"
    count = len(load_data(str(folder / "judge.npz")))
    assert (fresh["seed"], fresh["contradicts"], fresh["same_suspect"]) == (41, None, True)
    assert fresh["images"] == {"name": "judge.npz", "count": count, "left_out": 0, "whose": "judge"}
    assert fresh["models"] == {"count": 3, "whose": "judge"}
    assert fresh["alpha"] == {"value": 0.25, "whose": "commitment"}
    assert any("on judge.npz with seed 41" in text for text in printed["checked"])
    claims = {one["what"]: one for one in printed["not_checked"]}
    assert not any("inputs and seed" in what or "none of your inputs" in what for what in claims)
    assert "that the calibration models are independent, and answered so" not in claims

    named = ("--negatives", "owner", "--format", "json")
    printed = as_described("check", run("check", "evidence.tar", *named, cwd=folder).stdout)
    claims = {one["what"]: one for one in printed["not_checked"]}
    assert claims["that the calibration models are independent, and answered so"]["why"].endswith("owner's choice")

    words = ("check", "evidence.tar", "--source", "source.safetensors", "--data", "judge.npz")
    table = run(*words, "--suspect", "suspect.safetensors", cwd=folder)
    assert "fresh challenge with seed" in table.stderr  # drawn
    for text in ("inconclusive", "the owner's", "yours", "NOT checked", "--owner-data DATA", "--train-data DATA"):
        assert text in table.stdout
    assert "the fresh challenge is inconclusive" in table.stdout


def test_images_of_the_owner_or_of_training_are_refused(folder: Path, digits: Digits) -> None:
    words = ("check", "evidence.tar", "--source", "source.safetensors", "--suspect", "suspect.safetensors", "--data")
    assert "is the set that the owner committed" in run(*words, "owner.npz", cwd=folder, code=1).stderr
    assert "stand in the training data" in run(*words, "digits:train", "--train-data", "digits:owner",
                                               cwd=folder, code=1).stderr  # fmt: skip
    assert "is what the source was trained on" in run(*words, "digits:owner", cwd=folder, code=1).stderr
    assert "stand in the owner's data" in run(*words, "digits:queries", "--owner-data", "owner.npz",
                                                   cwd=folder, code=1).stderr  # fmt: skip
    assert "the owner committed" in run(*words, "judge.npz", "--owner-data", "digits:queries", cwd=folder,
                                        code=3).stderr  # fmt: skip
    assert "the one that the owner committed" in run(*words, "judge.npz", "--seed", "0", cwd=folder, code=2).stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--suspect", "suspect.safetensors"), "needs --source MODEL, --data DATA and --suspect"),
        (("--source", "source.safetensors", "--data", "judge.npz"), "name the --suspect, too"),
        (("--seed", "3"), "are for a fresh challenge"),
        (("--rederive", *FRESH, "--suspect", "suspect.safetensors"), "run check twice"),
        (("--negatives", "auto:4"), "name a folder here"),
        ((*FRESH, "--suspect", "answers.jsonl"), "answers no fresh query"),
    ],
)
def test_options_that_do_not_go_together(folder: Path, words: tuple[str, ...], text: str) -> None:
    assert text in run("check", "evidence.tar", *words, cwd=folder, code=2).stderr


def loaded(digits: Digits) -> LoadedModel:
    module = digits.source
    return LoadedModel(module=module, identity=weights_identity(module), spec=digits.spec, card=None, path=None)


def asked(digits: Digits, fingerprint: Fingerprint, data: LabelledSet, **more: Any) -> Challenge:
    return challenge(
        fingerprint, loaded(digits), data, digits.source,
        **{"seed": 3, "alpha": 0.25, "access": "labels", "stated_suspect": "nobody", **more},
    )  # fmt: skip


def test_a_few_shared_images_are_left_out_and_many_refused(digits: Digits) -> None:
    made = enroll(loaded(digits), digits.queries, scheme=Akh(queries=4), negatives=digits.strangers)
    judges = own_images(digits)
    queries = LabelledSet(name="two", stored=made.queries[:2], labels=made.true_labels[:2],
                          class_names=judges.class_names)  # fmt: skip
    mixed = replace(judges, stored=np.concatenate([judges.stored, queries.stored]),
                    labels=np.concatenate([judges.labels, queries.labels]))  # fmt: skip
    fresh = asked(digits, made, mixed, negatives=digits.strangers)
    assert (fresh.images, fresh.left_out, fresh.same_suspect, fresh.models) == (len(judges), 2, False, "owner")
    assert fresh.verdict.verdict == "derived"
    with pytest.raises(DataError, match="2 of 52 images of judges stand in the owner's queries"):
        asked(digits, made, mixed.take(slice(-52, None)))
    with pytest.raises(IntegrityError, match="another model"):
        challenge(made, replace(loaded(digits), identity="sha256:other"), judges, digits.source, seed=3, alpha=0.25,
                  access="labels", stated_suspect="nobody")  # fmt: skip
    other = LabelledSet(name="other", stored=judges.stored[:9], labels=judges.labels[:9] * 0, class_names=("a", "b"))
    with pytest.raises(DataError, match="name a set of the same task"):
        asked(digits, made, other)


def test_shadow_models_are_needed_where_the_bundle_had_them(digits: Digits) -> None:
    made = enroll(loaded(digits), digits.queries, scheme=Akh(queries=4), negatives=digits.strangers)
    fields = made.manifest.model_dump(mode="json", exclude={"tensors"})
    record = {"name": "a", "identity": "sha256:" + "0" * 64, "side": "copy"}
    with_shadows = Fingerprint.bind(
        {**fields, "shadows": [record]}, queries=made.queries, true_labels=made.true_labels, source=made.source,
        state=made.state, calibration=made.calibration,
    )  # fmt: skip
    with pytest.raises(UsageError, match="--shadow N, trained on --train-data, or --shadow FOLDER"):
        asked(digits, with_shadows, own_images(digits))
