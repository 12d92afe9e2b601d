"""Shadow models at enrollment: trained, read from a folder, recorded, or refused."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from modelprint import Fingerprint, enroll, verify
from modelprint.attacks import run_attack
from modelprint.core.errors import DataError, FingerprintError, ModelError, SuspectError, UsageError
from modelprint.nn.files import save_model
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import build
from modelprint.ownership.fingerprint import Manifest
from modelprint.ownership.shadows import NONE, shadow_models
from modelprint.schemes.uap import Uap
from modelprint.training.loop import TrainRecipe, predict
from modelprint.training.train import train_model
from modelprint.zoo.reference_models.shadows import auto_shadows, shadow_folder
from modelprint.zoo.reference_models.training import HowTrained
from tests.conftest import Digits
from tests.schemes.world import least_alike, strangers

SCHEME = Uap(points=25, views=3, epsilon=64 / 255, least_fooling=0.5, images=300)


@pytest.fixture(scope="module")
def place(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """source.safetensors and shadows/ with two copies and two strangers, as attack and train write them."""
    folder = tmp_path_factory.mktemp("shadows")
    (folder / "shadows").mkdir()
    save_model(folder / "source.safetensors", digits.source, digits.trained.card)
    source = load_model(folder / "source.safetensors")
    for seed, kind in enumerate(("ftal", "rtal")):
        stolen = run_attack(
            kind, {"epochs": "2"}, digits.source, digits.spec, digits.owner, seed=seed, source_identity=source.identity
        )
        save_model(folder / "shadows" / f"{kind}.safetensors", stolen.model, stolen.card)
    for seed in (21, 22):
        trained = train_model(digits.owner, digits.spec, TrainRecipe(epochs=6, batch_size=64, shift=1), seed=seed)
        save_model(folder / "shadows" / f"stranger-{seed}.safetensors", trained.model, trained.card)
    return folder


@pytest.fixture(scope="module")
def source(place: Path) -> LoadedModel:
    return load_model(place / "source.safetensors")


@pytest.fixture(scope="module")
def fingerprint(digits: Digits, place: Path, source: LoadedModel) -> Fingerprint:
    return enroll(
        source,
        digits.queries,
        scheme=SCHEME,
        train_data=digits.owner,
        shadows=place / "shadows",
        negatives=digits.strangers,
    )


def test_a_folder_is_told_apart_by_the_cards(fingerprint: Fingerprint, place: Path) -> None:
    told = {record.name: record for record in fingerprint.manifest.shadows}
    assert {name: record.side for name, record in told.items()} == {
        "ftal.safetensors": "copy",
        "rtal.safetensors": "copy",
        "stranger-21.safetensors": "stranger",
        "stranger-22.safetensors": "stranger",
    }
    stored = load_model(place / "shadows" / "ftal.safetensors")
    assert told["ftal.safetensors"].identity == stored.identity


def test_another_models_copies_are_strangers(place: Path, tmp_path: Path, digits: Digits) -> None:
    other = LoadedModel(module=digits.strangers[0], identity="sha256:other", spec=digits.spec, card=None, path=None)
    found = shadow_folder(place / "shadows", other)
    assert (len(found.surrogates), len(found.references)) == (0, 4)


def test_verifying_needs_the_fingerprint_alone(digits: Digits, fingerprint: Fingerprint, tmp_path: Path) -> None:
    fingerprint.save(tmp_path / "fp")
    loaded = Fingerprint.load(tmp_path / "fp")
    assert loaded.identity == fingerprint.identity
    assert loaded.manifest.shadows == fingerprint.manifest.shadows
    copy = run_attack("ftal", {"epochs": "3"}, digits.source, digits.spec, digits.attacker, seed=5).model
    others = strangers(digits, 4, seed=301)
    for access in ("labels", "scores"):
        found = verify(loaded, copy, access=access, alpha=0.25)
        assert (found.verdict, found.scheme) == ("derived", "uap"), access
        assert verify(fingerprint, copy, access=access, alpha=0.25) == found
        other = least_alike(others, partial(verify, loaded, access=access))
        assert verify(loaded, other, access=access, alpha=0.25).verdict == "not-shown", access


def test_a_budget_at_verification_asks_whole_views(digits: Digits, fingerprint: Fingerprint) -> None:
    assert verify(fingerprint, digits.source, budget=120, alpha=0.25).queries == 100


def test_a_suspect_that_gives_labels_only_is_scored_on_them(digits: Digits, fingerprint: Fingerprint) -> None:
    def labels(images: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(images)
        return predict(digits.source, pixels).argmax(1).numpy()

    found = verify(fingerprint, labels, alpha=0.25)
    assert (found.verdict, found.access) == ("derived", "labels")
    assert found.score == pytest.approx(1.0)


def test_suspects_of_other_classes_are_refused(digits: Digits, fingerprint: Fingerprint) -> None:
    seven = build(digits.spec.model_copy(update={"classes": 7})).eval()
    with pytest.raises(SuspectError, match="7 classes"):
        verify(fingerprint, seven, access="scores")
    with pytest.raises(SuspectError, match="answered class 12"):
        verify(fingerprint, lambda images: np.full(len(images), 12))


def test_a_manifest_without_shadows_is_written_as_it_was_before_there_were_any(fingerprint: Fingerprint) -> None:
    told = fingerprint.manifest.model_dump(mode="json")
    plain = Manifest.model_validate({**told, "shadows": []})
    assert "shadows" in told
    assert "shadows" not in plain.model_dump(mode="json")


def test_shadows_are_trained_on_request(digits: Digits, source: LoadedModel) -> None:
    quick = HowTrained(settings={"epochs": "15"})
    small = digits.owner.take(slice(0, 200), name="digits:owner[0:200]")
    done: list[tuple[int, int]] = []
    made = auto_shadows(
        small, source, 2, seed=3, how=quick, holdout=digits.queries, progress=lambda *step: done.append(step)
    )
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    kinds = [model.card.recipe["kind"] for model in (*made.surrogates, *made.references) if model.card is not None]
    assert kinds in (["extract-labels", "rtal", "train", "train"], ["rtal", "train", "train"])
    assert {model.card.recipe["source"] for model in made.surrogates if model.card is not None} == {source.identity}
    assert len({model.identity for model in (*made.surrogates, *made.references)}) == len(kinds)
    again = auto_shadows(small, source, 2, seed=3, how=quick, holdout=digits.queries)
    assert [model.identity for model in again.references] == [model.identity for model in made.references]


def named(source: LoadedModel, digits: Digits, shadows: object, *, train: bool = True) -> object:
    return shadow_models(
        shadows,  # type: ignore[arg-type]
        source=source,
        seeds=digits.queries,
        train_data=digits.owner if train else None,
        seed=0,
    )


def test_training_without_train_data_is_refused(source: LoadedModel, digits: Digits) -> None:
    with pytest.raises(UsageError, match=r"--shadow 4 trains models: name .* --train-data"):
        named(source, digits, "4", train=False)


@pytest.mark.parametrize("count", [0, 1, "1"])
def test_too_few_are_refused_before_any_is_trained(source: LoadedModel, digits: Digits, count: int | str) -> None:
    with pytest.raises(UsageError, match="2 surrogates and 2 reference models or more"):
        named(source, digits, count)


def test_without_any_the_error_says_how_to_get_some(source: LoadedModel, digits: Digits) -> None:
    assert named(source, digits, None) is NONE
    with pytest.raises(FingerprintError, match=r"got 0 and 0: .*--shadow N"):
        enroll(source, digits.queries, scheme="uap", train_data=digits.owner)


def test_a_model_that_does_not_say_how_it_was_made_is_refused(place: Path, source: LoadedModel, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.safetensors"
    model = load_model(place / "shadows" / "ftal.safetensors")
    assert model.card is not None
    save_model(foreign, model.module, model.card.model_copy(update={"recipe": {}}))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"foreign.safetensors does not tell how it was made"):
        shadow_folder(tmp_path, source)


def test_the_source_among_its_shadows_is_refused(place: Path, source: LoadedModel, tmp_path: Path) -> None:
    shutil.copy(place / "source.safetensors", tmp_path / "again.safetensors")
    with pytest.raises(ModelError, match="is the source itself"):
        shadow_folder(tmp_path, source)


def test_shadows_that_learned_the_queries_images_are_refused(
    source: LoadedModel, digits: Digits, tmp_path: Path
) -> None:
    leaky = run_attack("ftal", {"epochs": "1"}, digits.source, digits.spec, digits.queries, seed=0)
    save_model(tmp_path / "leaky.safetensors", leaky.model, leaky.card)
    with pytest.raises(FingerprintError, match=r"leaky.safetensors was trained on digits:queries"):
        named(source, digits, tmp_path)


def test_shadows_of_other_classes_are_refused(source: LoadedModel, digits: Digits, tmp_path: Path) -> None:
    moved = run_attack("transfer", {"classes": "5", "epochs": "1"}, digits.source, digits.spec, digits.owner, seed=0)
    save_model(tmp_path / "five.safetensors", moved.model, moved.card)
    with pytest.raises((DataError, ModelError), match="5"):
        named(source, digits, tmp_path)


def test_a_folder_that_holds_a_checkpoint_without_a_spec_is_refused(source: LoadedModel, tmp_path: Path) -> None:
    save_file({"weight": source.module.state_dict()["body.head.weight"].clone()}, tmp_path / "bare.safetensors")
    with pytest.raises(ModelError):
        shadow_folder(tmp_path, source)


def test_code_that_a_folder_names_is_run_only_where_it_is_trusted(
    digits: Digits, source: LoadedModel, tmp_path: Path
) -> None:
    """`--trust-code` holds for shadow folders as for the model itself."""
    (tmp_path / "nets.py").write_text(
        "import torch\n\n\ndef net(classes):\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, classes))\n"
    )
    for name in ("copy", "other"):
        torch.save({"1.weight": torch.rand(10, 64), "1.bias": torch.zeros(10)}, tmp_path / f"{name}.pt")
    (tmp_path / "models.toml").write_text(
        '[defaults]\narch = "nets.py:net"\nmean = [0.0]\nstd = [1.0]\n\n'
        '[models."copy.pt"]\nmade_from = "source"\n\n[models."other.pt"]\nkind = "SADT"\n'
    )
    with pytest.raises(ModelError, match=r"models.toml names code \(nets.py:net\): pass --trust-code"):
        shadow_folder(tmp_path, source, shape=(1, 8, 8), classes=10)
    trusted = shadow_folder(tmp_path, source, ModelOptions(trust_code=True), shape=(1, 8, 8), classes=10)
    assert (len(trusted.surrogates), len(trusted.references)) == (1, 1)
