"""Calibration models from anywhere: several architectures and formats in one folder, recordings, addresses."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from modelprint import enroll, verify
from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, ModelError, ModelprintError, UsageError
from modelprint.nn.files import save_model
from modelprint.nn.options import ModelOptions
from modelprint.nn.refs import StoredModel
from modelprint.nn.spec import build
from modelprint.ownership.ask import record_answers
from modelprint.ownership.auto import AutoNegatives
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.kinds import Group
from modelprint.ownership.verify import examine
from modelprint.suspects.local import TorchSuspect
from modelprint.suspects.serving import create_app
from modelprint.training.train import default_recipe, spec_for, train_model
from tests.conftest import Digits
from tests.suspects.servers import running

NETS = """
import torch


def tiny(channels, size, classes):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(channels * size * size, classes))
"""


@pytest.fixture(scope="module")
def linear(digits: Digits) -> nn.Module:
    """A network of no registered architecture, trained by hand."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    inputs, labels = torch.from_numpy(digits.owner.stored).float() / 255, torch.from_numpy(digits.owner.labels)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(inputs), labels).backward()
        optimizer.step()
    return module.eval()


@pytest.fixture
def folder(digits: Digits, linear: nn.Module, tmp_path: Path) -> Path:
    """One with a card, one checkpoint of a registered architecture, one of code, one ONNX file."""
    place = tmp_path / "negatives"
    place.mkdir()
    save_model(place / "a.safetensors", digits.strangers[0], digits.trained.card.model_copy(update={"recipe": {}}))
    torch.save(digits.strangers[1].body.state_dict(), place / "b.pth")
    torch.save(linear.state_dict(), place / "c.pth")
    (place / "nets.py").write_text(NETS)
    export(linear, place / "d.onnx")
    spec = digits.spec
    (place / "models.toml").write_text(
        f'[models."b.pth"]\narch = "cnn"\narch_args = {{ width = 8 }}\nmean = {list(spec.mean)}\n'
        f"std = {list(spec.std)}\n"
        'kind = "SADT"\n\n[models."c.pth"]\narch = "nets.py:tiny"\nmean = [0.0]\nstd = [1.0]\nkind = "OTHER"\n'
    )
    return place


def export(module: nn.Module, path: Path) -> None:
    torch.onnx.export(
        module, (torch.zeros(1, 1, 8, 8),), path, input_names=["x"], output_names=["y"],
        dynamic_axes={"x": {0: "n"}, "y": {0: "n"}}, dynamo=False,
    )  # fmt: skip


def calibrated(digits: Digits, negatives: Any, **options: Any) -> Fingerprint:
    return enroll(digits.source, digits.queries, scheme="akh", budget=30, negatives=negatives, **options)


@pytest.mark.filterwarnings("ignore")  # of torch's older exporter
def test_a_folder_of_several_architectures_and_formats(digits: Digits, folder: Path, linear: nn.Module) -> None:
    said: list[str] = []
    made = calibrated(digits, folder, options=ModelOptions(trust_code=True), notice=said.append)
    assert [model.name for model in made.manifest.calibration] == ["a.safetensors", "b.pth", "c.pth", "d.onnx"]
    assert [model.kind for model in made.manifest.calibration] == [None, "SADT", "OTHER", None]
    assert [group.kind for group in made.groups] == ["INDEPENDENT", "INDEPENDENT", "OTHER", "INDEPENDENT"]
    assert all((model.accuracy or 0) > 0.8 for model in made.manifest.calibration)
    held = calibrated(digits, [*digits.strangers[:2], linear])
    for mine, theirs in zip(made.calibration, [*held.calibration, held.calibration[2]], strict=True):
        assert (mine.labels == theirs.labels).all()
    accuracy, joined = said
    assert accuracy.startswith("the source classifies 9")
    assert joined.startswith("d.onnx counts as one family with c.pth")


@pytest.mark.filterwarnings("ignore")
def test_code_that_a_folder_names_is_run_only_where_it_is_trusted(digits: Digits, folder: Path) -> None:
    with pytest.raises(ModelError, match=r"models.toml names code \(nets.py:tiny\): pass --trust-code"):
        calibrated(digits, folder)


@pytest.mark.filterwarnings("ignore")  # TorchScript is deprecated
def test_trust_reaches_programs_in_a_folder(digits: Digits, tmp_path: Path) -> None:
    for number, stranger in enumerate(digits.strangers[:2]):
        script = torch.jit.trace(stranger, torch.rand(2, 1, 8, 8))  # type: ignore[no-untyped-call]
        torch.jit.save(script, tmp_path / f"{number}.pt")  # type: ignore[no-untyped-call]
    with pytest.raises(ModelprintError, match=r"0.pt: a TorchScript archive holds code: pass --trust-code"):
        calibrated(digits, tmp_path)
    found = calibrated(digits, tmp_path, options=ModelOptions(trust_code=True))
    assert [one.name for one in found.manifest.calibration] == ["0.pt", "1.pt"]


def test_the_arch_of_the_command_line_holds_for_files_that_say_nothing(digits: Digits, tmp_path: Path) -> None:
    torch.save(digits.strangers[1].body.state_dict(), tmp_path / "b.pth")
    save_model(tmp_path / "a.safetensors", digits.strangers[0], digits.trained.card.model_copy(update={"recipe": {}}))
    with pytest.raises(ModelprintError, match=r"b\.pth does not say its architecture: give --arch"):
        calibrated(digits, tmp_path)
    spec = digits.spec
    options = ModelOptions(arch="cnn", arch_args={"width": 8}, mean=spec.mean, std=spec.std)
    made = calibrated(digits, tmp_path, options=options)
    assert [model.name for model in made.manifest.calibration] == ["a.safetensors", "b.pth"]
    assert verify(made, digits.source).kinds is not None


def test_models_that_do_not_fit_are_named_together(digits: Digits, tmp_path: Path) -> None:
    card = digits.trained.card.model_copy(update={"recipe": {}})
    save_model(tmp_path / "good.safetensors", digits.strangers[0], card)
    for name, classes in (("five", 5), ("seven", 7)):
        spec = digits.spec.model_copy(update={"classes": classes})
        save_model(tmp_path / f"{name}.safetensors", build(spec), card.model_copy(update={"spec": spec}))
    with pytest.raises(ModelprintError) as refusal:
        calibrated(digits, tmp_path)
    assert "five.safetensors" in str(refusal.value)
    assert "seven.safetensors" in str(refusal.value)
    assert "good" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_source_itself_and_models_made_from_it_are_refused(digits: Digits, tmp_path: Path) -> None:
    with pytest.raises(FingerprintError, match="is the source itself"):
        calibrated(digits, [digits.source])
    save_model(tmp_path / "x.safetensors", digits.strangers[0], digits.trained.card.model_copy(update={"recipe": {}}))
    (tmp_path / "models.toml").write_text('[models."x.safetensors"]\nmade_from = "source"\n')
    with pytest.raises(FingerprintError, match=r"x\.safetensors was made from the source"):
        calibrated(digits, tmp_path)


def test_a_model_near_chance_stops_enrollment_and_a_weak_one_is_said(digits: Digits) -> None:
    with pytest.raises(FingerprintError, match=r"model-0 classifies .* no better than chance"):
        calibrated(digits, [build(digits.spec, seed=5).eval()])
    few = digits.owner.take(np.arange(40), name="few")
    weak = train_model(few, spec_for(digits.owner, "mlp", {"width": 8}), default_recipe(few, epochs=40), seed=1).model
    said: list[str] = []
    calibrated(digits, [weak], notice=said.append)
    assert any("model-0 classifies" in line and "so weak a model" in line for line in said)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[defaults]\nfoo = 1\n", "models.toml: defaults.foo"),
        ('[models."gone.pth"]\narch = "cnn"\n', "names gone.pth, which"),
        ("[defaults]\nmean = [0.5]\n", "mean and std go together"),
        ("[defaults\n", "cannot be read as TOML"),
        ('[defaults]\nkind = "FRIEND"\n', "models.toml: defaults.kind"),
    ],
)
def test_bad_models_files_end_in_one_line(digits: Digits, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "models.toml").write_text(text)
    with pytest.raises(ModelError, match=message.replace(".", r"\.")) as refusal:
        calibrated(digits, tmp_path)
    assert "\n" not in str(refusal.value)


def test_recorded_answers_calibrate(digits: Digits, tmp_path: Path) -> None:
    plain = calibrated(digits, ())
    for number, stranger in enumerate(digits.strangers):
        record_answers(plain, stranger, out=tmp_path / f"{number}.npz", access="labels")
    modules = verify(plain, digits.source, negatives=list(digits.strangers), alpha=0.3)
    recorded = verify(plain, digits.source, negatives=tmp_path, alpha=0.3, access="scores")
    assert (recorded.verdict, recorded.threshold) == ("derived", modules.threshold)
    assert recorded.access == "labels"
    assert "labels only, so that labels are compared" in recorded.message
    record_answers(plain, digits.strangers[0], out=tmp_path / "short.npz", access="labels", budget=10)
    asked = {query.tobytes() for query in plain.queries[:10]}
    known = sum(query.tobytes() in asked for query in plain.queries)  # one that stands there twice counts twice
    with pytest.raises(ModelprintError, match=rf"short.npz answered {known} of 30 queries"):
        verify(plain, digits.source, negatives=tmp_path)


def test_answers_by_hand_calibrate(digits: Digits, tmp_path: Path) -> None:
    plain = calibrated(digits, ())
    modules = verify(plain, digits.source, negatives=list(digits.strangers), alpha=0.3, access="labels")
    hashes = plain.modality.hashes(plain.queries)
    for number, stranger in enumerate(digits.strangers):
        labels = examine(plain, stranger).answers.labels
        rows = "".join(f"{query},{label}\n" for query, label in zip(hashes, labels, strict=True))
        (tmp_path / f"{number}.csv").write_text("query,label\n" + rows)
    (tmp_path / "metrics.csv").write_text("epoch,loss\n1,2.3\n")
    by_hand = verify(plain, digits.source, negatives=tmp_path, alpha=0.3)
    assert (by_hand.verdict, by_hand.threshold) == ("derived", modules.threshold)
    (tmp_path / "short.csv").write_text("index,label\n0,1\n")
    with pytest.raises(ModelprintError, match=r"short.csv names queries by their number: .* by the SHA-256"):
        verify(plain, digits.source, negatives=tmp_path)


def test_a_server_calibrates_and_gets_no_token(digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPRINT_API_TOKEN", "secret-of-mine")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    said: list[str] = []
    sent: list[str | None] = []
    app = create_app(TorchSuspect(digits.strangers[0], "sha256:x"), name="rival", input_shape=digits.queries.shape,
        classes=10, access=Access.SCORES)  # fmt: skip

    @app.middleware("http")
    async def overheard(request: Any, call_next: Any) -> Any:
        sent.append(request.headers.get("authorization"))
        return await call_next(request)

    with running(app) as url:
        place = tmp_path / "negatives"
        place.mkdir()
        (place / "models.toml").write_text(f'[models.rival]\nurl = "{url}"\nkind = "DAST"\n')
        made = calibrated(digits, place, notice=said.append)
    assert [model.kind for model in made.manifest.calibration] == ["DAST"]
    assert (made.calibration[0].labels == calibrated(digits, [digits.strangers[0]]).calibration[0].labels).all()
    assert any("is asked as a calibration model" in line for line in said)
    assert sent
    assert set(sent) == {None}  # the folder may be anybody's


def test_one_calibration_model_is_in_memory_at_a_time(
    digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, module in enumerate(digits.strangers):
        card = digits.trained.card.model_copy(update={"recipe": {}})
        save_model(tmp_path / f"{number}.safetensors", module, card)
    alive: list[weakref.ref[nn.Module]] = []
    most: list[int] = []
    opened = StoredModel.opened

    def counted(self: StoredModel, device: torch.device | None = None) -> Any:
        manager = opened(self, device)
        enter = type(manager).__enter__

        class Counted:
            def __enter__(self) -> nn.Module:
                module = enter(manager)
                alive.append(weakref.ref(module))
                gc.collect()
                most.append(sum(one() is not None for one in alive))
                return module

            def __exit__(self, *error: object) -> Any:
                return manager.__exit__(*error)  # type: ignore[arg-type]

        return Counted()

    monkeypatch.setattr(StoredModel, "opened", counted)
    made = calibrated(digits, tmp_path, expect="blur")
    assert len(made.calibration) == 6
    assert len(most) == 6  # three models plainly, and behind blur
    assert max(most) == 1


def test_siblings_are_ranked_by_themselves_at_verification_too(digits: Digits, tmp_path: Path) -> None:
    start = {"file": "base.pth", "sha256": "sha256:" + "a" * 64, "head": "kept"}
    card = digits.trained.card
    save_model(
        tmp_path / "source.safetensors",
        digits.source,
        card.model_copy(update={"recipe": {"kind": "train", "init": start}}),
    )
    place = tmp_path / "negatives"
    place.mkdir()
    other = {**start, "sha256": "sha256:" + "b" * 64}
    for name, init, model in zip(("sibling", "other"), (start, other), digits.strangers[:2], strict=True):
        recipe = {"kind": "train", "init": init}
        save_model(place / f"{name}.safetensors", model, card.model_copy(update={"recipe": recipe}))
    made = enroll(tmp_path / "source.safetensors", digits.queries, scheme="akh", budget=30, negatives=place)
    assert made.groups == (Group(kind="OTHER"), Group(kind="SHARED"))
    assert made.manifest.bases == (start["sha256"],)
    again = enroll(tmp_path / "source.safetensors", digits.queries, scheme="akh", budget=30)
    verdict = verify(again, digits.source, negatives=place)
    assert verdict.kinds is not None
    assert [rate.kind for rate in verdict.kinds] == ["OTHER", "SHARED"]


@pytest.mark.parametrize("text", ["auto:2+3", "auto:x", "auto:2,scratch:", "auto:2,scratch:1+1"])
def test_numbers_of_models_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="auto:N"):
        AutoNegatives.parse(text)


def test_scratch_models_need_siblings_beside_them(digits: Digits, tmp_path: Path) -> None:
    save_model(tmp_path / "source.safetensors", digits.source, digits.trained.card)
    with pytest.raises(UsageError, match="without --init all are from scratch"):
        enroll(
            tmp_path / "source.safetensors", digits.queries, scheme="akh", train_data=digits.owner,
            negatives="auto:2,scratch:2",
        )  # fmt: skip
