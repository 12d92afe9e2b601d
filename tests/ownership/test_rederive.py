from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelprint.core.errors import IntegrityError, ModelprintError, UsageError
from modelprint.core.suspect import answers_from_scores
from modelprint.nn.files import save_model
from modelprint.nn.loading import LoadedModel, weights_identity
from modelprint.nn.options import ModelOptions
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.rederive import data_enrolled, rederive
from modelprint.schemes import SCHEMES
from modelprint.schemes.adv_tra import AdvTra
from modelprint.schemes.akh import Akh
from modelprint.schemes.base import Scheme
from modelprint.schemes.cae import Cae
from modelprint.schemes.contrast import Contrast
from modelprint.schemes.ipguard import IPGuard
from modelprint.schemes.uap import Uap
from modelprint.training.loop import predict
from modelprint.training.own_recipe import OwnRecipe
from modelprint.training.recipes import AdamW
from modelprint.training.train import spec_for, train_model
from modelprint.zoo.reference_models.training import HowTrained
from tests.conftest import Digits
from tests.sealing.world import fingerprint

FREE = (  # of shadow models and training images
    AdvTra(trajectories=2, m=3),
    Akh(queries=10),
    IPGuard(queries=4, steps=100, k=1.0),
    SCHEMES["cort"](),
    SCHEMES["sac"](),
    SCHEMES["fbi"](),
)
LEARNING = (
    Contrast(queries=20, candidates=200),
    Cae(queries=10, steps=30, epsilon=0.25, rate=0.01, conferrability=0.0),
    Uap(epsilon=0.25, images=100, least_fooling=0, steps=20),
)


def swapped(made: Fingerprint, source: LoadedModel) -> Fingerprint:
    """The fingerprint with its last query made by hand, and everything else in order."""
    import torch

    images = made.queries.copy()
    images[-1] = images[-1][..., ::-1]
    told = answers_from_scores(predict(source.module, torch.from_numpy(images)).numpy(), who="source")
    fields = made.manifest.model_dump(mode="json", exclude={"tensors"})
    return Fingerprint.bind(fields, queries=images, true_labels=made.true_labels, source=told, state=made.state)


@pytest.mark.parametrize("scheme", FREE, ids=lambda scheme: scheme.name)
def test_queries_come_out_again_and_one_made_by_hand_does_not(digits: Digits, scheme: Scheme) -> None:
    module = digits.source
    source = LoadedModel(module=module, identity=weights_identity(module), spec=digits.spec, card=None, path=None)
    made = enroll(source, digits.queries, scheme=scheme, seed=5)
    found = rederive(made, source, digits.queries)
    assert (found.exact, found.differing, found.queries) == (True, 0, len(made))
    with pytest.raises(IntegrityError, match=f"query {len(made) - 1} is not what the published algorithm makes"):
        rederive(swapped(made, source), source, digits.queries)
    with pytest.raises(IntegrityError, match="other images"):
        rederive(made, source, digits.queries.take(np.arange(50)))


@pytest.mark.parametrize("scheme", LEARNING, ids=lambda scheme: scheme.name)
def test_so_they_do_where_shadow_models_are_trained_again(digits: Digits, scheme: Scheme, tmp_path: Path) -> None:
    module, kept = digits.source, tmp_path / "shadows"
    source = LoadedModel(module=module, identity=weights_identity(module), spec=digits.spec, card=None, path=None)
    few = digits.owner.take(np.arange(400))
    made = enroll(
        source, digits.queries, scheme=scheme, seed=5, shadows=2, train_data=few, budget=20, keep_shadows=kept
    )
    found = rederive(made, source, digits.queries, shadows=2, train_data=few)
    assert (found.exact, found.differing, found.queries) == (True, 0, len(made))
    with pytest.raises(IntegrityError, match=f"query {len(made) - 1} is not what the published algorithm makes"):
        rederive(swapped(made, source), source, digits.queries, shadows=kept, train_data=few)
    with pytest.raises(IntegrityError, match="training data are not the committed ones"):
        rederive(made, source, digits.queries, shadows=2, train_data=few.take(np.arange(100)))


def test_shadow_models_that_were_kept_need_no_training(digits: Digits, tmp_path: Path) -> None:
    module = digits.source
    source = LoadedModel(module=module, identity=weights_identity(module), spec=digits.spec, card=None, path=None)
    few, folder = digits.owner.take(np.arange(400)), tmp_path / "shadows"
    scheme, how = Contrast(queries=20, candidates=200), HowTrained(settings={"epochs": "5"})
    made = enroll(
        source, digits.queries, scheme=scheme, seed=5, shadows=4, train_data=few, keep_shadows=folder, how=how
    )  # fmt: skip
    assert len(list(folder.glob("*.safetensors"))) == len(made.manifest.shadows) >= 6
    assert rederive(made, source, digits.queries, shadows=folder, train_data=few).exact
    assert rederive(made, source, digits.queries, shadows=4, train_data=few).exact
    with pytest.raises(IntegrityError, match="shadow"):
        rederive(made, source, digits.queries, shadows=2, train_data=few)
    again = enroll(source, digits.queries, scheme=scheme, seed=5, shadows=folder, train_data=few)
    assert rederive(again, source, digits.queries, shadows=4, train_data=few, how=how).exact
    first, second = sorted(folder.glob("stranger-*"))[:2]
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    with pytest.raises(IntegrityError, match=r"not the committed ones.*--keep-shadows"):
        rederive(made, source, digits.queries, shadows=folder, train_data=few)
    for shadows, where, why in ((folder, tmp_path / "other", "nothing is trained"), (4, folder, "is not empty")):
        with pytest.raises(UsageError, match=why):
            enroll(
                source, digits.queries, scheme=scheme, shadows=shadows, train_data=few, keep_shadows=where
            )  # fmt: skip


FIT = """
import torch

def fit(model, data, *, seed, device, progress):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(6):
        for inputs, targets in data.batches(64, seed + epoch):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
"""


def test_shadow_models_of_an_own_recipe_are_trained_by_it_again(digits: Digits, tmp_path: Path) -> None:
    code = tmp_path / "mine.py"
    code.write_text(FIT)
    spec = spec_for(digits.owner, "mlp", {"width": 16, "depth": 1})
    module = train_model(digits.owner, spec, OwnRecipe.named(f"{code}:fit"), seed=1).model
    source = LoadedModel(module=module, identity=weights_identity(module), spec=spec, card=None, path=None)
    few, how = digits.owner.take(np.arange(400)), HowTrained(recipe=f"{code}:fit")
    scheme = Contrast(queries=20, candidates=200)
    made = enroll(source, digits.queries, scheme=scheme, seed=5, shadows=2, train_data=few, how=how)
    assert rederive(made, source, digits.queries, shadows="2", train_data=few, how=how).exact
    trusted = ModelOptions(trust_code=True)
    assert rederive(made, source, digits.queries, shadows="2", train_data=few, options=trusted).exact
    with pytest.raises(UsageError, match=r"names code, .*mine\.py:fit, as the recipe .*--recipe, or say --trust-code"):
        rederive(made, source, digits.queries, shadows="2", train_data=few)
    with pytest.raises(IntegrityError, match="shadow models are not the committed ones"):
        rederive(made, source, digits.queries, shadows="2", train_data=few, how=HowTrained(recipe="sgd"))


def test_recipe_settings_and_checkpoint_are_those_of_the_fingerprint(digits: Digits, tmp_path: Path) -> None:
    start, spec = tmp_path / "public.safetensors", spec_for(digits.owner, "mlp", {"width": 16, "depth": 1})
    trained = train_model(digits.owner, spec, AdamW(epochs=8, lr=0.01, batch_size=32, augment="none"), seed=1)
    save_model(start, trained.model, trained.card)
    module = trained.model
    source = LoadedModel(module=module, identity=weights_identity(module), spec=spec, card=None, path=None)
    few = digits.owner.take(np.arange(400))
    how = HowTrained(recipe="sgd", settings={"epochs": "6", "lr": "0.05"}, init=start)
    scheme = Contrast(queries=20, candidates=200)
    made = enroll(source, digits.queries, scheme=scheme, seed=5, shadows=4, train_data=few, how=how)
    trusted = ModelOptions(trust_code=True)
    assert rederive(made, source, digits.queries, shadows=4, train_data=few, options=trusted).exact
    start.unlink()  # what an owner names is not even looked for
    with pytest.raises(UsageError, match=r"names a file, .*public\.safetensors, as the checkpoint .*with --init"):
        rederive(made, source, digits.queries, shadows=4, train_data=few)
    with pytest.raises(IntegrityError, match="shadow models are not the committed ones"):
        rederive(made, source, digits.queries, shadows=4, train_data=few, how=HowTrained())


@pytest.mark.parametrize("name", ["/dev/stdin", "../owner.npz", "photos:train", "digits.npz:queries[0:3]", ""])
def test_data_that_an_owner_names_are_not_opened(name: str) -> None:
    tiny = fingerprint()
    manifest = tiny.manifest.model_copy(update={"data_name": name})
    with pytest.raises(ModelprintError, match=r"name your copy of these images with --data|is not NAME"):
        data_enrolled(replace(tiny, manifest=manifest))


@pytest.mark.parametrize("name", ["digits", "cifar10:queries[0:500]", "fashion-mnist:test"])
def test_published_sets_are_found_by_their_names(name: str) -> None:
    tiny = fingerprint()
    assert data_enrolled(replace(tiny, manifest=tiny.manifest.model_copy(update={"data_name": name}))) == name
