"""Networks of one's own code: built, described, trusted, preprocessed; what bad code does is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from modelprint.cli.app import run
from modelprint.core.errors import ModelError
from modelprint.core.identity import digest_file
from modelprint.nn.files import ModelCard, save_model
from modelprint.nn.heads import head_of
from modelprint.nn.loading import load_folder, load_model, open_model
from modelprint.nn.options import ModelOptions
from modelprint.nn.outputs import logits_of
from modelprint.nn.spec import ModelSpec, build
from modelprint.zoo.pool import TaskPool

SHAPE = (3, 8, 8)
CODE = """
import types
import torch
from torch import nn
from torch.nn import functional as F

print("imported")

class Own(nn.Module):
    # the head is registered first, and another linear layer after it
    def __init__(self, num_classes, in_chans, img_size, form="tensor"):
        super().__init__()
        self.answer = nn.Linear(12, num_classes)
        self.body = nn.Linear(in_chans * img_size ** 2, 12)
        self.form = form

    def forward(self, x):
        print("asked")
        logits = self.answer(torch.tanh(self.body(x.flatten(1))))
        if self.form == "logits":
            return types.SimpleNamespace(logits=logits)
        if self.form == "mapping":
            return {"logits": logits, "features": x}
        if self.form == "tuple":
            return logits, x
        if self.form == "dropout":
            return F.dropout(logits, 0.5)
        if self.form == "raises":
            raise KeyError("no such key")
        if self.form == "text":
            return "cat"
        if self.form == "exits":
            raise SystemExit(3)
        return logits
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    return "own.py:Own"


def spec_of(arch: str, **changes: object) -> ModelSpec:
    fields = {"arch": arch, "channels": 3, "size": 8, "classes": 5, "code": digest_file(Path("own.py")), **changes}
    return ModelSpec.model_validate(fields)


def written(arch: str, file: str = "own.safetensors", **changes: object) -> Path:
    spec = spec_of(arch, **changes)
    save_model(Path(file), build(spec, seed=1).eval(), ModelCard(spec=spec))
    return Path(file)


@pytest.mark.parametrize("form", ["tensor", "logits", "mapping", "tuple"])
def test_outputs_in_every_form_are_logits(code: str, form: str):
    images = torch.rand(2, *SHAPE)
    plain = build(spec_of(code), seed=1).eval()
    assert torch.equal(build(spec_of(code, arch_args={"form": form}), seed=1).eval()(images), plain(images))


def test_what_is_no_logits_is_named():
    with pytest.raises(ModelError, match=r"returns a dict: it must return logits"):
        logits_of({"scores": torch.zeros(1)})


def test_the_head_is_found_in_the_order_of_use_or_by_its_name(code: str):
    spec = spec_of(code)
    assert head_of(build(spec), spec).name == "answer"
    named = spec.model_copy(update={"head": "body"})
    assert head_of(build(named), named).name == "body"
    wrong = spec.model_copy(update={"head": "fc"})
    with pytest.raises(ModelError, match=r"no linear layer 'fc' \(--head\): its last ones are answer, body"):
        head_of(build(wrong), wrong)


def test_a_card_with_code_needs_trust_or_the_same_name(code: str, tmp_path: Path):
    path = written(code)
    with pytest.raises(ModelError, match=r"names code, own.py:Own, as architecture: name it with --arch"):
        load_model(path)
    for loaded in (load_model(path, trust_code=True), load_model(path, arch=str(tmp_path / "own.py:Own"))):
        assert loaded.spec == spec_of(code)
        assert not loaded.notes
    folder = tmp_path / "folder"
    folder.mkdir()
    path.rename(folder / "a.safetensors")
    (model,) = load_folder(folder, ModelOptions(arch=code))
    assert model.spec == spec_of(code)
    with pytest.raises(ModelError, match="--trust-code"):
        load_folder(folder, ModelOptions(arch="cnn"))


def test_code_that_was_edited_since_is_said(code: str):
    path = written(code)
    Path("own.py").write_text(CODE + "\n# edited\n")
    (note,) = load_model(path, trust_code=True).notes
    assert "was made with other code than own.py:Own holds now" in note


def _answers(spec: ModelSpec, seed: int) -> list[float]:
    with torch.inference_mode():
        values: list[float] = build(spec, seed=seed).eval()(torch.ones(1, *SHAPE))[0].tolist()
    return values


def test_worker_processes_build_it_too(code: str):
    here: dict[int, list[float]] = {}
    with TaskPool(_answers, spec_of(code), jobs=2) as pool:
        pool.run([1, 2], lambda index, result: here.update({index: result}))
    assert here == {0: pytest.approx(_answers(spec_of(code), 1)), 1: pytest.approx(_answers(spec_of(code), 2))}


@pytest.mark.parametrize(
    ("form", "what"),
    [
        ("raises", r"fails on two images of shape \(3, 8, 8\): KeyError: 'no such key' \(own.py, line 29\)"),
        ("exits", r"fails on two images of shape \(3, 8, 8\): SystemExit: 3 \(own.py, line 33\)"),
        ("text", r"the model returns a str"),
    ],
)
def test_code_that_fails_is_one_clear_line(code: str, form: str, what: str):
    path = written(code, arch_args={"form": form})
    with pytest.raises(ModelError, match=what) as caught:
        load_model(path, trust_code=True, shape=SHAPE, classes=5)
    assert "\n" not in str(caught.value)


def test_preprocessing_by_options(code: str):
    net = build(spec_of(code), seed=1).body.eval()
    torch.save(net.state_dict(), "own.pth")
    options = ModelOptions(arch=code, mean=(1.0, 2.0, 3.0), std=(2.0,), bgr=True, value_range=(0.0, 255.0), size=(8, 8))
    images = torch.rand(2, *SHAPE)
    expected = net((255 * images.flip(1) - torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)) / 2.0)
    loaded = open_model("own.pth", options, shape=SHAPE, classes=5)
    torch.testing.assert_close(loaded.module(images), expected)
    assert loaded.spec is not None
    save_model(Path("again.safetensors"), loaded.module, ModelCard(spec=loaded.spec))  # type: ignore[arg-type]
    again = load_model("again.safetensors", trust_code=True)
    torch.testing.assert_close(again.module(images), expected)
    assert again.spec == loaded.spec


def test_inputs_of_another_size_are_resized_where_the_size_is_given(code: str):
    net = build(spec_of(code), seed=1).body.eval()
    torch.save(net.state_dict(), "own.pth")
    images = torch.rand(2, 3, 12, 10)
    loaded = open_model("own.pth", ModelOptions(arch=code, size=(8, 8)), shape=(3, 12, 10), classes=5)
    small = nn.functional.interpolate(images, (8, 8), mode="bilinear", antialias=True)
    torch.testing.assert_close(loaded.module(images), net(small))
    assert "takes images of 8 x 8: those of 12 x 10 are resized" in loaded.notes[0]
    assert loaded.spec is not None
    assert build(loaded.spec)(images).shape == (2, 5)
    path = written(code)
    with pytest.raises(ModelError, match=r"height differ|size differ: 8 by the metadata .* give --size 8"):
        load_model(path, trust_code=True, shape=(3, 12, 12), classes=5)
    resized = open_model(path, ModelOptions(trust_code=True), shape=(3, 12, 12), classes=5, resize=True)
    assert resized.module(torch.rand(2, 3, 12, 12)).shape == (2, 5)


def test_old_cards_do_not_change():
    spec = ModelSpec(arch="cnn", channels=1, size=8, classes=10)
    assert set(spec.model_dump(mode="json")) == {"arch", "arch_args", "channels", "size", "classes", "mean", "std"}


def test_what_a_model_prints_is_no_result(code: str, capfd: pytest.CaptureFixture[str]):
    written(code, channels=1, size=8, classes=10)
    capfd.readouterr()
    words = ["attack", "own.safetensors", "digits:attacker[0:60]", "--kind", "ftal", "--set", "epochs=1"]
    assert run([*words, "--out", "copy.safetensors", "--arch", code]) == 0
    out, err = capfd.readouterr()
    assert out.startswith("copy.safetensors: ftal, accuracy")
    assert len(out.splitlines()) == 1
    assert "imported" in err
    assert "asked" in err
