"""TFLite, Keras and OpenVINO models answer as the networks that they were made from; a refusal is one clear line."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelprint.core.access import Access
from modelprint.core.errors import ModelError, ModelprintError, SuspectError
from modelprint.core.suspect import Suspect
from modelprint.nn.folders import folder_models
from modelprint.nn.kinds import kind_of
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import ModelSpec, build
from modelprint.suspects import onnx_session
from modelprint.suspects.open import open_suspect
from modelprint.suspects.options import SuspectOptions
from tests.formats.layers import Layer, keras_model, layers_of, openvino_files, tflite_file
from tests.formats.ways import onnx_file

ABSENT = [name for name in ("ai_edge_litert", "keras", "h5py", "openvino") if find_spec(name) is None]
pytestmark = [
    pytest.mark.skipif(bool(ABSENT), reason=f"needs {', '.join(ABSENT)}"),
    pytest.mark.filterwarnings("ignore"),  # of the libraries that save
]

MODEL = build(ModelSpec(arch="cnn", arch_args={"width": 4}, channels=1, size=8, classes=5), seed=3).eval()
LAYERS = layers_of(MODEL.body)


@pytest.fixture(scope="module")
def grey() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 1, 8, 8), dtype=np.uint8)


def scores_of(images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        logits: np.ndarray = MODEL(torch.from_numpy(images).float() / 255).numpy()
    return logits


def opened(path: Path, **changes: Any) -> Suspect:
    return open_suspect(str(path), SuspectOptions(**changes))


def asked(path: Path, images: np.ndarray, **changes: Any) -> np.ndarray:
    scores = opened(path, **changes).ask(images, access=Access.SCORES).scores
    assert scores is not None
    return scores


def refusal(path: Path, images: np.ndarray | None = None, **changes: Any) -> str:
    with pytest.raises(ModelprintError) as caught:
        asked(path, np.zeros((1, 1, 8, 8), np.uint8) if images is None else images, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("batch", [1, 4, None])
def test_tflite_whatever_its_batch(batch: int | None, grey: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(tflite_file(LAYERS, batch=batch))
    suspect = opened(tmp_path / "m.tflite", classes=5)
    for part in (grey, grey[:1], grey[:5]):
        np.testing.assert_allclose(suspect.ask(part, access=Access.SCORES).scores, scores_of(part), atol=1e-5)
    assert suspect.input_shape == (1, 8, 8)  # type: ignore[attr-defined]


def test_tflite_of_integers_is_asked_and_answers_in_real_numbers(grey: np.ndarray, tmp_path: Path) -> None:
    """Inputs of 1/255 a step are exact; scores are whole multiples of their step, the nearest ones."""
    last = LAYERS[-1]
    louder = [*LAYERS[:-1], Layer(kind="dense", weight=100 * last.weight, bias=100 * last.bias)]
    (tmp_path / "m.tflite").write_bytes(tflite_file(louder, integers="ends"))
    scores = asked(tmp_path / "m.tflite", grey)
    assert (scores / 0.25 == np.rint(scores / 0.25)).all()
    assert np.abs(scores - 100 * scores_of(grey)).max() < 0.25 / 2 + 0.5  # half a step, and weights of eight bits
    assert np.unique(scores).size > 5


def test_colour_images_are_laid_out_channels_last_and_resized(tmp_path: Path) -> None:
    """The average of each channel, through a layer that keeps channels apart."""
    keeps = Layer(kind="dense", weight=np.diag([1.0, 2.0, 3.0]).astype(np.float32), bias=np.zeros(3, np.float32))
    (tmp_path / "m.tflite").write_bytes(tflite_file([Layer(kind="mean"), keeps], size=(4, 6, 3)))
    colour = np.random.default_rng(1).integers(0, 256, (3, 3, 4, 6), dtype=np.uint8)
    wanted = colour.mean((2, 3)) / 255 * [1, 2, 3]
    np.testing.assert_allclose(asked(tmp_path / "m.tflite", colour), wanted, atol=1e-5)
    reversed_ = asked(tmp_path / "m.tflite", colour, model=ModelOptions(bgr=True))
    np.testing.assert_allclose(reversed_, colour[:, ::-1].mean((2, 3)) / 255 * [1, 2, 3], atol=1e-5)
    larger = np.repeat(np.repeat(colour, 2, 2), 2, 3)
    suspect = opened(tmp_path / "m.tflite", input_shape=(3, 8, 12))
    scores = suspect.ask(larger, access=Access.SCORES).scores
    assert "takes images of 4 x 6: those of 8 x 12 are resized" in suspect.notes[0]
    np.testing.assert_allclose(scores, wanted, atol=0.02)


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.hdf5", "m.bin"])
def test_keras_in_both_forms_and_by_content(name: str, grey: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / ("m.keras" if name == "m.bin" else name)
    keras_model(LAYERS).save(file if name != "m.hdf5" else tmp_path / "m.h5")
    (tmp_path / "m.h5").rename(file) if name == "m.hdf5" else file.rename(tmp_path / name)
    assert kind_of(tmp_path / name) == "keras"
    np.testing.assert_allclose(asked(tmp_path / name, grey), scores_of(grey), atol=1e-5)


def test_keras_takes_sizes_that_are_left_open(grey: np.ndarray, tmp_path: Path) -> None:
    from modelprint.suspects.foreign.keras_library import keras

    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs)).save(tmp_path / "m.keras")
    colour = np.random.default_rng(1).integers(0, 256, (3, 3, 4, 6), dtype=np.uint8)
    np.testing.assert_allclose(asked(tmp_path / "m.keras", colour), colour.mean((2, 3)) / 255, atol=1e-5)


def test_openvino_covers_its_weights(grey: np.ndarray, tmp_path: Path) -> None:
    path = openvino_files(onnx_file(tmp_path, MODEL), tmp_path / "m.xml")
    whole = opened(path)
    np.testing.assert_allclose(whole.ask(grey, access=Access.SCORES).scores, scores_of(grey), atol=1e-4)
    data = bytearray((tmp_path / "m.bin").read_bytes())
    data[0] ^= 1
    (tmp_path / "m.bin").write_bytes(data)
    assert opened(path).identity != whole.identity
    (tmp_path / "m.bin").unlink()
    assert "is not a model that OpenVINO can run" in refusal(path)
    (tmp_path / "m.bin").symlink_to(tmp_path / "m.onnx")
    assert "keeps its weights in 'm.bin', which cannot be read" in refusal(path)


@pytest.mark.parametrize("name", ["m.tflite", "m.keras", "m.h5", "m.xml"])
def test_damaged_files_are_named(name: str, tmp_path: Path) -> None:
    openvino_files(onnx_file(tmp_path, MODEL, name="o.onnx"), tmp_path / "whole.xml")
    (tmp_path / "whole.tflite").write_bytes(tflite_file(LAYERS))
    for suffix in (".keras", ".h5"):
        keras_model(LAYERS).save(tmp_path / f"whole{suffix}")
    data = (tmp_path / f"whole{Path(name).suffix}").read_bytes()
    for damaged in (b"", data[: len(data) // 2], b"garbage"):
        (tmp_path / name).write_bytes(damaged)
        assert refusal(tmp_path / name).startswith(str(tmp_path / name))
    (tmp_path / name).unlink()
    assert "m." in refusal(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("m.tflite", "ai_edge_litert", "tflite"), ("m.h5", "keras", "keras"), ("m.xml", "openvino", "openvino")],
)
def test_without_its_library_the_extra_is_named(
    name: str, package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(b"x")
    monkeypatch.setattr(onnx_session, "find_spec", lambda wanted: None if wanted == package else object())
    assert f"needs {package}: pip install 'modelprint[{extra}]'" in refusal(tmp_path / name)


def changed_config(change: Callable[[dict[str, Any]], None], folder: Path) -> Path:
    """A Keras file with another configuration."""
    keras_model(LAYERS).save(folder / "a.keras")
    with zipfile.ZipFile(folder / "a.keras") as whole, zipfile.ZipFile(folder / "m.keras", "w") as forged:
        for name in whole.namelist():
            data = whole.read(name)
            if name == "config.json":
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            forged.writestr(name, data)
    return folder / "m.keras"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"class_name": "Lambda"}, "holds a Lambda layer, which is code of its maker: refused, nothing was run"),
        ({"class_name": "TFSMLayer"}, "holds a TFSMLayer layer, which is a SavedModel elsewhere"),
        ({"module": "os", "class_name": "system"}, "holds 'system' of 'os', a class of its maker's own"),
        ({"module": "keras.src.utils.file_utils", "class_name": "get_file"}, "holds 'get_file' of"),
        ({"module": "keras.config", "class_name": "enable_unsafe_deserialization"}, "a class of its maker's own"),
        ({"registered_name": "mine>Attention"}, "whose code the file does not bring"),
        ({"class_name": "NoSuchLayer"}, "is not a Keras file that Keras"),
    ],
)
def test_keras_files_name_only_what_keras_computes_with(change: dict[str, str], what: str, tmp_path: Path) -> None:
    path = changed_config(lambda config: config["config"]["layers"][1].update(change), tmp_path)
    assert what in refusal(path)


def test_optimisers_and_losses_of_ones_own_are_no_hindrance(grey: np.ndarray, tmp_path: Path) -> None:
    own = {"loss": {"module": "mine", "class_name": "function", "config": "focal", "registered_name": "focal"}}
    path = changed_config(lambda config: config.update(compile_config=own), tmp_path)
    np.testing.assert_allclose(asked(path, grey), scores_of(grey), atol=1e-5)


def test_another_number_of_classes_or_size_is_named(grey: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(tflite_file(LAYERS))
    assert "5 classes apart, expected 7" in refusal(tmp_path / "m.tflite", classes=7)
    with pytest.raises(SuspectError, match=r"\(n, 8, 8, 1\) but the queries are \(n, 2, 8, 8\)"):
        opened(tmp_path / "m.tflite").ask(np.zeros((2, 2, 8, 8), np.uint8))


def test_a_folder_of_models_may_hold_them(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(tflite_file(LAYERS))
    keras_model(LAYERS).save(tmp_path / "b.keras")
    openvino_files(onnx_file(tmp_path, MODEL, name="c.onnx"), tmp_path / "d.xml")
    torch.save(MODEL.body.state_dict(), tmp_path / "e.bin")
    listed = folder_models(tmp_path, ModelOptions(arch="cnn"))
    assert [(model.name, model.is_torch) for model in listed] == [
        ("a.tflite", False),
        ("b.keras", False),
        ("c.onnx", False),
        ("d.xml", False),
        ("e.bin", True),
    ]


def test_weights_of_other_libraries_are_not_compared(tmp_path: Path) -> None:
    from modelprint.lineage import open_tensors

    (tmp_path / "m.tflite").write_bytes(tflite_file(LAYERS))
    with pytest.raises(ModelError, match=r"is a TFLite file, whose weights are not read: name the checkpoint"):
        open_tensors(tmp_path / "m.tflite")


def test_a_program_is_not_opened_where_nothing_confines_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SavedModels may write as they are restored; TFLite files cannot."""
    from modelprint.suspects import onnx_session
    from modelprint.suspects.engines import ENGINES

    monkeypatch.setattr(onnx_session, "available", lambda: False)
    monkeypatch.setattr(onnx_session, "find_spec", lambda name: True)
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(ModelError, match="a program that may write files, and this system cannot confine it"):
        onnx_session.ConfinedSession(tmp_path, engine=ENGINES["saved-model"], threads=1, seconds=5.0)
    assert [kind for kind, engine in ENGINES.items() if engine.is_program] == ["saved-model"]


@pytest.mark.tensorflow
@pytest.mark.parametrize("by", ["export", "saved_model"])
def test_saved_models(by: str, grey: np.ndarray, tmp_path: Path) -> None:
    """Saved by TensorFlow in another process, as two libraries of protocol buffers do not share one."""
    from tests.suspects.foreign.tensorflow_files import save

    save(tmp_path / "model", LAYERS, by=by)
    assert kind_of(tmp_path / "model") == "saved-model"
    np.testing.assert_allclose(asked(tmp_path / "model", grey, timeout=60.0), scores_of(grey), atol=1e-5)
    (listed,) = folder_models(tmp_path, ModelOptions())
    assert (listed.name, listed.is_torch) == ("model", False)
    shutil.rmtree(tmp_path / "model" / "variables")
    assert "is not a SavedModel that TensorFlow restores" in refusal(tmp_path / "model", timeout=60.0)


@pytest.mark.tensorflow
@pytest.mark.parametrize("what", ["read", "write", "print"])
def test_saved_models_that_touch_files_are_refused(what: str, tmp_path: Path) -> None:
    from tests.suspects.foreign.tensorflow_files import save_touching

    target = tmp_path / "target"
    save_touching(tmp_path / "model", target, what=what)
    assert "answers by operators that touch files" in refusal(tmp_path / "model", timeout=60.0)
    assert not target.exists()


@pytest.mark.tensorflow
@pytest.mark.parametrize("integers", [False, True])
def test_tflite_as_tensorflow_converts_it(integers: bool, grey: np.ndarray, tmp_path: Path) -> None:
    from tests.suspects.foreign.tensorflow_files import convert, save

    save(tmp_path / "model", LAYERS, by="export")
    convert(tmp_path / "model", tmp_path / "m.tflite", integers=integers)
    wanted = scores_of(grey)
    within = 0.05 * np.abs(wanted).max() if integers else 1e-5
    np.testing.assert_allclose(asked(tmp_path / "m.tflite", grey), wanted, atol=within)
