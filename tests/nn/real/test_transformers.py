"""Folders as save_pretrained writes them, with small random models of transformers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from modelprint.core.access import Access
from modelprint.core.errors import ModelError
from modelprint.nn.heads import head_of
from modelprint.nn.loading import load_model
from modelprint.nn.spec import ModelSpec, build

transformers = pytest.importorskip("transformers")
SHAPE = (1, 8, 8)


@pytest.fixture(scope="module", autouse=True)
def no_bars() -> None:
    transformers.utils.logging.disable_progress_bar()


def tiny(kind: str = "vit"):
    torch.manual_seed(0)
    if kind == "vit":
        config = transformers.ViTConfig(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
            image_size=8, patch_size=2, num_channels=1, num_labels=7,
        )  # fmt: skip
        return transformers.ViTForImageClassification(config).eval()
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], num_channels=1, num_labels=7, layer_type="basic"
    )
    return transformers.ResNetForImageClassification(config).eval()


@pytest.fixture(scope="module")
def net():
    return tiny()


@pytest.fixture(scope="module")
def folder(net, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("hub") / "vit"
    net.save_pretrained(place)
    preprocessor = {"size": {"height": 8, "width": 8}, "image_mean": [0.3], "image_std": [0.4], "do_normalize": True}
    (place / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return place


def test_a_folder_says_all_by_itself(net, folder):
    images = torch.rand(3, *SHAPE)
    expected = net((images - 0.3) / 0.4).logits
    for reference in (f"hf:{folder}", folder, folder / "model.safetensors"):
        loaded = load_model(reference)
        torch.testing.assert_close(loaded.module(images), expected)
        assert loaded.spec is not None
        assert (loaded.spec.arch, loaded.spec.shape, loaded.spec.classes) == (f"hf:{folder}", SHAPE, 7)
        assert head_of(loaded.module, loaded.spec).name == "classifier"


def test_a_folder_is_a_suspect_by_its_whole_path_and_from_here(net, folder, monkeypatch):
    """hf:/models/vit is no address."""
    from modelprint.suspects.open import open_suspect

    images = np.random.default_rng(0).integers(0, 256, (4, *SHAPE), dtype=np.uint8)
    expected = net((torch.from_numpy(images).float() / 255 - 0.3) / 0.4).logits.argmax(1)
    monkeypatch.chdir(folder.parent)
    for reference in (f"hf:{folder}", f"hf:{folder.name}", str(folder)):
        assert open_suspect(reference).ask(images, access=Access.LABELS).labels.tolist() == expected.tolist()


def test_shards_are_one_model(net, tmp_path):
    net.save_pretrained(tmp_path, max_shard_size="8KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    images = torch.rand(3, *SHAPE)
    loaded = load_model(tmp_path, shape=SHAPE, classes=7)
    torch.testing.assert_close(loaded.module(images), net(images).logits)
    next(iter(sorted(tmp_path.glob("*.safetensors")))).unlink()
    with pytest.raises(ModelError, match="does not exist"):
        load_model(tmp_path, shape=SHAPE, classes=7)


def test_a_checkpoint_in_bin_and_a_residual_network(tmp_path):
    net = tiny("resnet")
    net.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(net.state_dict(), tmp_path / "pytorch_model.bin")
    loaded = load_model(tmp_path, shape=SHAPE, classes=7)
    images = torch.rand(3, *SHAPE)
    torch.testing.assert_close(loaded.module(images), net(images).logits)
    assert loaded.spec is not None
    assert head_of(loaded.module, loaded.spec).name == "classifier.1"


def test_the_folder_is_an_architecture_for_other_classes(folder):
    spec = ModelSpec(arch=f"hf:{folder}", channels=3, size=12, classes=5)
    assert build(spec, seed=1).eval()(torch.rand(2, 3, 12, 12)).shape == (2, 5)
    with pytest.raises(ModelError, match="ViTConfig has no colour"):
        build(spec.model_copy(update={"arch_args": {"colour": 3}}))


def test_config_files_that_contradict_the_data_or_each_other_are_named(folder, tmp_path, net):
    with pytest.raises(ModelError, match=r"size differ: 8 by .*config.json, 16 by the data"):
        load_model(folder, shape=(1, 16, 16), classes=7)
    with pytest.raises(ModelError, match=r"classes differ: 7 by .*config.json, 9 by the data"):
        load_model(folder, shape=SHAPE, classes=9)
    net.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"size": {"height": 16, "width": 16}}')
    with pytest.raises(ModelError, match=r"size differ: 16 by .*preprocessor_config.json, 8 by .*config.json"):
        load_model(tmp_path)


def test_code_of_a_folder_is_never_run(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "ours"
    config["auto_map"] = {"AutoConfig": "ours.Config", "AutoModelForImageClassification": "ours.Net"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "ours.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    with pytest.raises(ModelError, match="hf:") as caught:
        build(ModelSpec(arch=f"hf:{tmp_path}", channels=1, size=8, classes=7))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"use_pretrained_backbone": True}, "asks for weights from elsewhere"),
        ({"quantization_config": {"load_in_8bit": True}}, "or for quantised layers"),
        (
            {"model_type": "timm_wrapper", "model_args": {"checkpoint_path": "/tmp/x.pth"}},
            "checkpoint_path is not for you",
        ),
    ],
)
def test_a_config_may_not_fetch_other_files(change: dict[str, object], what: str, folder: Path, tmp_path: Path):
    config = {**json.loads((folder / "config.json").read_text()), **change}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=what):
        build(ModelSpec(arch=f"hf:{tmp_path}", channels=1, size=8, classes=7))


def test_folders_without_what_they_need(tmp_path):
    for place, what in ((tmp_path, "holds no config.json"), (tmp_path / "absent", "is no folder")):
        with pytest.raises(ModelError, match=what):
            build(ModelSpec(arch=f"hf:{place}", channels=1, size=8, classes=7))
    with pytest.raises(ModelError, match=r"a folder without model.safetensors"):
        load_model(f"hf:{tmp_path}")


@pytest.mark.hf
def test_other_names_in_files_than_in_layers_are_understood_for_many_kinds(tmp_path):
    small = {"num_labels": 7, "num_channels": 1, "image_size": 32}
    kinds = {
        "deit": (transformers.DeiTConfig, transformers.DeiTForImageClassification),
        "beit": (transformers.BeitConfig, transformers.BeitForImageClassification),
        "dinov2": (transformers.Dinov2Config, transformers.Dinov2ForImageClassification),
    }
    for name, (config, maker) in kinds.items():
        torch.manual_seed(1)
        net = maker(
            config(
                hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, patch_size=8, **small
            )
        ).eval()
        net.save_pretrained(tmp_path / name)
        images = torch.rand(2, 1, 32, 32)
        loaded = load_model(tmp_path / name, shape=(1, 32, 32), classes=7)
        torch.testing.assert_close(loaded.module(images), net(images).logits, msg=name)
