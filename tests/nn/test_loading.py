"""Every way of naming a model gives the same model; every misfit is a ModelError that names what is wrong."""

from __future__ import annotations

import os
import pickle
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from modelprint.core.errors import ModelError
from modelprint.core.identity import digest_file
from modelprint.nn.architectures import Normalized
from modelprint.nn.files import ModelCard, save_model
from modelprint.nn.loading import load_folder, load_model, weights_identity
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import ModelSpec, build

SPEC = ModelSpec(arch="cnn", arch_args={"width": 4}, channels=1, size=8, classes=10, mean=(0.3,), std=(0.4,))
SHAPE = (1, 8, 8)
BODY = {"arch": "cnn", "arch_args": {"width": 4}, "shape": SHAPE, "classes": 10}
FULL = dict(**BODY, mean=[0.3], std=[0.4])
CODE = """
from torch import nn

def tiny(classes, size, width=3):
    return nn.Sequential(nn.Flatten(), nn.Linear(size * size, width), nn.ReLU(), nn.Linear(width, classes))

def broken():
    raise RuntimeError("no such luck")

not_a_network = dict
number = 3
"""


@pytest.fixture(scope="module")
def model() -> Normalized:
    model = build(SPEC, seed=3)
    model(torch.rand(64, *SHAPE))  # statistics of BatchNorm that are not the initial ones
    return model.eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def saved(model: Normalized, tmp_path: Path) -> Path:
    save_model(tmp_path / "model.safetensors", model, ModelCard(spec=SPEC, recipe={"kind": "test"}, accuracy=0.5))
    return tmp_path / "model.safetensors"


def checkpoint(tmp_path: Path, content: object, name: str = "model.pt") -> Path:
    torch.save(content, tmp_path / name)
    return tmp_path / name


def refused(path: Path | str, **arguments: object) -> str:
    """The message with which a file is refused."""
    with pytest.raises(ModelError) as caught:
        load_model(path, **arguments)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_file_with_a_card_needs_no_words(saved, model, images):
    loaded = load_model(saved)
    assert torch.equal(loaded.module(images), model(images))
    assert not loaded.module.training
    assert (loaded.spec, loaded.identity, loaded.path) == (SPEC, digest_file(saved), saved)
    assert loaded.card is not None
    assert loaded.card.accuracy == 0.5


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".th"])
@pytest.mark.parametrize(
    "nest",
    [
        lambda state: state,
        lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}},
        lambda state: {"model": state},
        lambda state: {"model_state_dict": state},
        lambda state: {"net": state, "acc": 93.2},
        lambda state: {"module." + name: value for name, value in state.items()},
        lambda state: {"_orig_mod.module." + name: value for name, value in state.items()},
        lambda state: {"state_dict": {"module.body." + name: value for name, value in state.items()}},
    ],
)
def test_checkpoints_as_training_scripts_write_them(suffix, nest, model, images, tmp_path):
    path = checkpoint(tmp_path, nest(model.body.state_dict()), "model" + suffix)
    loaded = load_model(path, **FULL)
    assert torch.equal(loaded.module(images), model(images))
    assert loaded.spec == SPEC
    assert loaded.card is None


def test_a_legacy_checkpoint_without_counters(model, images, tmp_path):
    state = {name: value for name, value in model.body.state_dict().items() if "num_batches" not in name}
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert torch.equal(load_model(tmp_path / "old.pth", **FULL).module(images), model(images))


def test_without_normalisation_the_network_sees_the_pixels(model, images, tmp_path):
    loaded = load_model(checkpoint(tmp_path, model.body.state_dict()), **BODY)
    torch.testing.assert_close(loaded.module(images), model.body(images))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(dtype, model, images, tmp_path):
    save_model(tmp_path / "half.safetensors", model, ModelCard(spec=SPEC), dtype=dtype)
    loaded = load_model(tmp_path / "half.safetensors")
    assert {value.dtype for value in loaded.module.parameters()} == {torch.float32}
    torch.testing.assert_close(loaded.module(images), model(images), atol=0.05, rtol=0.05)


def test_an_architecture_in_a_file(tmp_path, images):
    (tmp_path / "nets.py").write_text(CODE)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.ReLU(), nn.Linear(5, 10)).eval()
    path = checkpoint(tmp_path, net.state_dict())
    arguments = {"arch": f"{tmp_path}/nets.py:tiny", "arch_args": {"width": 5}, "shape": SHAPE, "classes": 10}
    loaded = load_model(path, **arguments, mean=[0.5], std=[2.0])
    torch.testing.assert_close(loaded.module(images), net((images - 0.5) / 2.0))
    assert loaded.spec is not None
    assert (loaded.spec.arch, loaded.spec.arch_args) == (arguments["arch"], {"width": 5})
    assert (loaded.spec.shape, loaded.spec.classes, loaded.spec.code) == (SHAPE, 10, digest_file(tmp_path / "nets.py"))
    fresh = build(loaded.spec, seed=1)
    assert torch.equal(fresh.mean, torch.full((1, 1, 1), 0.5))
    assert not torch.equal(fresh(images), build(loaded.spec, seed=2)(images))
    assert torch.equal(fresh(images), build(loaded.spec, seed=1)(images))
    torch.testing.assert_close(load_model(path, **arguments).module(images), net(images))


def test_an_architecture_in_a_module(tmp_path, images):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    path = checkpoint(tmp_path, net[1].state_dict())
    arguments = {"in_features": 64, "out_features": 10}
    loaded = load_model(path, arch="torch.nn:Linear", arch_args=arguments)
    torch.testing.assert_close(loaded.module(images.flatten(1)), net(images))
    message = refused(path, arch="torch.nn:Linear", arch_args=arguments, shape=SHAPE, classes=10)
    assert "gives outputs" in message or "fails on two images of shape (1, 8, 8)" in message


@pytest.mark.parametrize(
    ("arch", "what"),
    [
        ("nets.py:broken", "RuntimeError: no such luck"),
        ("nets.py:absent", "has no absent: it has tiny, broken"),
        ("nets.py:number", "is a int"),
        ("nets.py:not_a_network", "must return a torch.nn.Module"),
        ("nets.py", "names no callable"),
        ("missing.py:tiny", "cannot import missing.py: FileNotFoundError"),
        ("no_such_package.nets:tiny", "cannot import no_such_package.nets"),
    ],
)
def test_code_that_gives_no_network(arch, what, tmp_path, monkeypatch):
    (tmp_path / "nets.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    assert what in refused(checkpoint(tmp_path, {"a": torch.zeros(2)}), arch=arch, arch_args={})


@pytest.fixture
def toml(model: Normalized, tmp_path: Path) -> Path:
    checkpoint(tmp_path, model.body.state_dict(), "weights.pt")
    path = tmp_path / "model.toml"
    path.write_text(
        'weights = "weights.pt"\narch = "cnn"\narch_args = { width = 4 }\nmean = [0.3]\nstd = [0.4]\n'
        "channels = 1\nsize = 8\nclasses = 10\n"
    )
    return path


def test_a_spec_file_says_it_once_and_for_all(toml, model, images):
    loaded = load_model(toml)
    assert torch.equal(loaded.module(images), model(images))
    assert (loaded.identity, loaded.path, loaded.spec) == (digest_file(toml.parent / "weights.pt"), toml, SPEC)


def test_the_caller_wins_over_a_spec_file(toml, model, images):
    loaded = load_model(toml, mean=[0.0], std=[1.0])
    torch.testing.assert_close(loaded.module(images), model.body(images))


def test_a_spec_file_may_name_code_only_when_trusted(tmp_path, images):
    (tmp_path / "nets.py").write_text(CODE + f"\nopen({str(tmp_path / 'ran')!r}, 'w').close()\n")
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.ReLU(), nn.Linear(3, 10))
    checkpoint(tmp_path, net.state_dict(), "weights.pt")
    spec = tmp_path / "model.toml"
    spec.write_text('weights = "weights.pt"\narch = "nets.py:tiny"')
    message = refused(spec, shape=SHAPE, classes=10)
    assert "nets.py:tiny" in message
    assert "--trust-code" in message
    assert not (tmp_path / "ran").exists()
    loaded = load_model(spec, shape=SHAPE, classes=10, trust_code=True)
    torch.testing.assert_close(loaded.module(images), net(images))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('weights = "weights.pt', "cannot be read as TOML"),
        ('arch = "cnn"', "weights: Field required"),
        ('weights = "weights.pt"\nmeans = [0.5]', "means: Extra inputs are not permitted; it may have weights, arch"),
        ('weights = "absent.pt"\narch = "cnn"', "absent.pt does not exist"),
        ('weights = "model.toml"\narch = "cnn"', "is no model file"),
        ('weights = "weights.pt"\nmean = [0.5]', "mean and std go together"),
        ('weights = "weights.pt"\nmean = [0.5]\nstd = [0.0]', "positive std"),
        ('weights = "weights.pt"\narch = "cnn"\nmean = [0.5, 0.4]\nstd = [1, 1]', "one per channel"),
        ('weights = "weights.pt"\narch = "cnn"\narch_args = { depth = 4 }', "does not take depth: it takes width"),
        ('weights = "weights.pt"\narch = "cnn"\narch_args = { width = 100000 }', "beyond 10000"),
        ('weights = "weights.pt"\narch = "cnn"\narch_args = { width = -4 }', "cannot build cnn"),
        ('weights = "weights.pt"\narch = "resnet19"', "unknown architecture 'resnet19': use one of mlp, cnn"),
        ('weights = "weights.pt"\narch = "cnn"\nchannels = 3', "channels differ: 3 by"),
    ],
)
def test_spec_files_with_mistakes(text, what, toml):
    toml.write_text(text)
    assert what in refused(toml, shape=SHAPE, classes=10)


def test_an_exported_program_only_when_trusted(model, images, tmp_path):
    path = tmp_path / "model.pt2"
    batch = torch.export.Dim("n")
    torch.export.save(torch.export.export(model, (images,), dynamic_shapes=({0: batch},)), path)
    assert "--trust-code" in refused(path)
    loaded = load_model(path, shape=SHAPE, classes=10, trust_code=True)
    torch.testing.assert_close(loaded.module(images[:3]), model(images[:3]))
    loaded.module.train()
    torch.testing.assert_close(loaded.module.eval()(images[:3]), model(images[:3]))
    inputs = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loaded.module(inputs).sum(), inputs)
    assert gradient.abs().sum() > 0
    fixed = tmp_path / "fixed.pt2"
    torch.export.save(torch.export.export(model, (images,)), fixed)
    assert "for any number of images" in refused(fixed, shape=SHAPE, classes=10, trust_code=True)
    fixed.write_bytes(path.read_bytes()[:-500])
    assert "is not a" in refused(fixed, trust_code=True)


class Evil:
    """A pickle of it makes a file when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return eval, (f"open({str(self.trace)!r}, 'w')", "")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".th", ".safetensors"])
@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle", "nested"])
def test_pickled_code_is_refused_and_not_run(kind, suffix, model, tmp_path):
    trace, path = tmp_path / "ran", tmp_path / f"model{suffix}"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Evil(trace)))
    else:
        content = {"state_dict": model.body.state_dict(), "extra": Evil(trace)} if kind == "nested" else Evil(trace)
        torch.save(content, path, _use_new_zipfile_serialization=kind != "legacy")
    message = refused(path, **FULL)
    if suffix == ".safetensors":
        assert "not a whole safetensors file" in message
    else:
        assert ("without running code" if kind == "pickle" else "eval), which could do anything: refused") in message
    assert not trace.exists()


def test_of_a_whole_pickled_module_the_tensors_are_read(model, images, tmp_path):
    loaded = load_model(checkpoint(tmp_path, model), **FULL)
    assert torch.equal(loaded.module(images), model(images))
    assert "modelprint.nn.architectures.Normalized" in loaded.notes[0]
    assert "no code of the file was run" in loaded.notes[0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("suffix", [".pt", ".ts"])
def test_torchscript_only_when_trusted(suffix, model, images, tmp_path):
    path = tmp_path / f"model{suffix}"
    torch.jit.save(torch.jit.trace(model.body, images), path)
    message = refused(path, **FULL)
    assert "TorchScript" in message
    assert "pass --trust-code if you trust its maker" in message
    loaded = load_model(path, mean=[0.3], std=[0.4], shape=SHAPE, classes=10, trust_code=True)
    torch.testing.assert_close(loaded.module(images), model(images))
    assert not loaded.module.training
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/constants.pkl", b"")
        archive.writestr("m/code/x.py", b"def")
    assert "is not a program that TorchScript saved" in refused(path, shape=SHAPE, classes=10, trust_code=True)


def test_onnx_can_be_a_suspect_but_not_a_source(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"onnx")
    assert "is an ONNX file, which answers but gives no gradients" in refused(tmp_path / "model.onnx")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".th", ".pt2", ".toml"])
def test_files_that_are_not_there(suffix, tmp_path):
    assert str(tmp_path) in refused(tmp_path / f"absent{suffix}", **FULL, trust_code=True)
    (tmp_path / f"empty{suffix}").touch()
    assert "empty" in refused(tmp_path / f"empty{suffix}", **FULL, trust_code=True)
    (tmp_path / f"folder{suffix}").mkdir()
    assert "folder" in refused(tmp_path / f"folder{suffix}", **FULL, trust_code=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(saved):
    saved.chmod(0)
    assert "Permission denied" in refused(saved)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
        (b"<html>404 not found</html>", "not a whole"),
        (b"\x80\x02", "not a whole"),
    ],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_files_of_something_else(content, what, suffix, tmp_path):
    (tmp_path / f"model{suffix}").write_bytes(content)
    assert what in refused(tmp_path / f"model{suffix}", **FULL)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("m.tflite", "is a TFLite file, which answers but gives no gradients here"),
        ("m.h5", "is a Keras file, which answers"),
        ("m.xml", "is an OpenVINO model, which answers"),
        ("m.mlmodel", "is a Core ML model, which is not read: check the model as an ONNX file"),
        ("m.engine", "is a TensorRT engine, which is not read: check the model as an ONNX file"),
    ],
)
def test_formats_of_other_libraries_are_named(name, what, tmp_path):
    (tmp_path / name).write_bytes(b"weights")
    assert what in refused(tmp_path / name, **FULL)


@pytest.mark.parametrize("name", ["model.doc", "model", "model.jpg"])
def test_files_of_unknown_kinds_name_the_ways_round(name, tmp_path):
    (tmp_path / name).write_bytes(b"weights")
    message = refused(tmp_path / name, **FULL)
    assert all(way in message for way in (".safetensors, .pt", "ONNX", "http", "callable", "a CSV file"))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ([torch.zeros(2)], "holds a list"),
        ({"epoch": 3}, "no weights by name (its keys: epoch)"),
        ({}, "its keys: none"),
    ],
)
def test_checkpoints_without_a_state_dict(content, what, tmp_path):
    assert what in refused(checkpoint(tmp_path, content), **FULL)


def test_an_architecture_must_be_known(model, tmp_path):
    path = checkpoint(tmp_path, model.body.state_dict())
    assert "does not say its architecture: give --arch, one of mlp, cnn" in refused(path, shape=SHAPE, classes=10)
    assert "does not say its channels, size, classes" in refused(path, arch="cnn")


def test_missing_and_unexpected_names_are_named(model, tmp_path):
    state = dict(model.body.state_dict())
    state["classifier.weight"] = state.pop("head.weight")
    message = refused(checkpoint(tmp_path, state), **FULL)
    assert "it lacks head.weight" in message
    assert "it has classifier.weight which the architecture does not have" in message
    assert "and 13 more" in refused(checkpoint(tmp_path, {"a": torch.zeros(1)}), **FULL)


def test_other_shapes_are_named(model, tmp_path):
    message = refused(checkpoint(tmp_path, model.body.state_dict()), **{**FULL, "arch_args": {"width": 8}})
    assert "features.0.0.weight is (4, 1, 3, 3) in the file, (8, 1, 3, 3) in the architecture" in message
    assert "--arch-args" in message


def test_another_number_of_classes_is_told(saved, model, tmp_path):
    path = checkpoint(tmp_path, model.body.state_dict())
    assert "the file tells 10 classes apart, 7 were expected" in refused(path, **{**FULL, "classes": 7})
    assert "classes differ: 10 by the metadata of" in refused(saved, classes=7)


def test_another_input_is_told(saved):
    assert "size differ: 8 by the metadata of" in refused(saved, shape=(1, 28, 28))
    assert "channels differ: 1 by the metadata of" in refused(saved, shape=(3, 8, 8))
    assert "height differ: 8 by the metadata of" in refused(saved, shape=(1, 9, 8))


def test_half_a_normalisation_is_refused(saved):
    assert "mean and std go together" in refused(saved, mean=[0.5])
    assert "one per channel" in refused(saved, mean=[0.5, 0.5, 0.5], std=[1.0, 1.0, 1.0])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_weights_are_named(value, model, tmp_path):
    state = {name: tensor.clone() for name, tensor in model.body.state_dict().items()}
    state["head.bias"][3] = value
    message = refused(checkpoint(tmp_path, state), **FULL)
    assert "head.bias holds NaN or infinite values (1 of 10)" in message


def test_a_tensor_that_claims_more_than_its_file_is_refused(tmp_path):
    path = checkpoint(tmp_path, {"weight": torch.zeros(1).expand(1_000_000, 1_000_000)})
    assert "claims 4,000,000,000,000 bytes of tensors" in refused(path, arch="mlp", shape=SHAPE, classes=10)


def test_an_architecture_larger_than_its_weights_is_never_built(saved, model):
    card = ModelCard(spec=SPEC.model_copy(update={"arch": "mlp", "arch_args": {"width": 10_000, "depth": 20}}))
    save_model(saved, model, card)  # 8 GB of parameters, by the card
    assert "does not fit architecture mlp(depth=20, width=10000)" in refused(saved)


@pytest.mark.parametrize(
    ("arch", "arguments"),
    [("wide", {"blocks": 10_000}), ("mobile", {"blocks": 10_000}), ("mlp", {"width": 2, "depth": 10_000})],
)
def test_a_card_of_ten_thousand_blocks_is_refused_at_once(saved, model, arch, arguments):
    card = ModelCard(spec=SPEC.model_copy(update={"arch": arch, "arch_args": arguments}))
    save_model(saved, model, card)
    started = time.process_time()
    assert "its weights do not fit" in refused(saved)
    assert time.process_time() - started < 1  # it was 31 s


def test_quantised_weights_are_refused(model, tmp_path):
    state = dict(model.body.state_dict())
    state["head.weight"] = (state["head.weight"] * 100).to(torch.int8)
    assert "head.weight is torch.int8" in refused(checkpoint(tmp_path, state), **FULL)
    state["head.weight"] = model.body.state_dict()["head.weight"].to_sparse()
    assert "head.weight is sparse" in refused(checkpoint(tmp_path, state), **FULL)


def test_a_folder_of_models(saved, toml, model):
    folder = saved.parent
    save_model(folder / "another.safetensors", build(SPEC, seed=9).eval(), ModelCard(spec=SPEC))
    found = load_folder(folder)
    assert [loaded.path and loaded.path.name for loaded in found] == [
        "another.safetensors",
        "model.safetensors",
        "model.toml",
    ]
    (folder / "second.toml").write_text('weights = "model.safetensors"')
    names = [loaded.path and loaded.path.name for loaded in load_folder(folder, shape=SHAPE, classes=10)]
    assert names == ["another.safetensors", "model.toml", "second.toml"]
    assert refused_folder(folder, classes=9) == refused(folder / "another.safetensors", classes=9)


def test_what_the_options_say_holds_for_files_of_a_folder_that_do_not_say_it(saved, model, images, tmp_path):
    checkpoint(tmp_path, model.body.state_dict(), "plain.pth")
    options = ModelOptions(arch="cnn", arch_args={"width": 4}, mean=(0.1,), std=(0.2,))
    with_card, plain = load_folder(tmp_path, options, shape=SHAPE, classes=10)
    assert with_card.spec == SPEC
    assert plain.spec == SPEC.model_copy(update={"mean": (0.1,), "std": (0.2,)})
    torch.testing.assert_close(plain.module(images), model.body((images - 0.1) / 0.2))


def refused_folder(folder: Path, **arguments: object) -> str:
    with pytest.raises(ModelError) as caught:
        load_folder(folder, **arguments)  # type: ignore[arg-type]
    return str(caught.value)


def test_folders_without_models(model, tmp_path):
    assert "holds no models: put .safetensors files" in refused_folder(tmp_path)
    assert "is not a folder" in refused_folder(tmp_path / "absent")
    checkpoint(tmp_path, model.body.state_dict(), "lonely.pth")
    assert "lonely.pth does not say its architecture: give --arch, write lonely.toml" in refused_folder(tmp_path)


def test_the_identity_of_weights_is_of_names_and_values(model):
    same, other = build(SPEC, seed=3), build(SPEC, seed=4)
    same.load_state_dict(model.state_dict())
    assert weights_identity(same) == weights_identity(model) != weights_identity(other)
    assert weights_identity(model).startswith("sha256:")
    assert weights_identity(model.to(memory_format=torch.channels_last)) == weights_identity(same)
    assert weights_identity(build(SPEC).bfloat16()) != weights_identity(build(SPEC))
