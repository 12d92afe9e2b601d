"""Folders of Hugging Face: configurations without an end, code beside the weights, parts that lie elsewhere."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.hostile.commands import identify, record, verify
from tests.hostile.corpus import ANY, READ, REFUSED, Command, HostileInput, Place, family, hostile
from tests.hostile.mutation import DAMAGES
from tests.hostile.payloads import ESCAPES
from tests.hostile.pickles import archive, call, program, text
from tests.nn.real.operators import declare

VERIFY = verify("--timeout", "20")
SECONDS = 30.0  # the first folder waits for transformers
CONFIG, WEIGHTS, PREPROCESSOR = "config.json", "model.safetensors", "preprocessor_config.json"
Change = Callable[[Place, Path], object]


def seeds(place: Place) -> Path:
    """A small vision transformer that fits the fingerprint, as `save_pretrained` writes it; made once."""
    declare()  # before transformers is imported, here or by a command
    folder = place.seeds.folder / "hub"
    if not folder.exists():
        import torch
        import transformers

        transformers.utils.logging.disable_progress_bar()
        torch.manual_seed(0)
        config = transformers.ViTConfig(
            hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4, image_size=2, patch_size=1,
            num_channels=1, num_labels=3,
        )  # fmt: skip
        transformers.ViTForImageClassification(config).save_pretrained(folder)
        (folder / PREPROCESSOR).write_text(json.dumps({"size": {"height": 2, "width": 2}, "do_normalize": False}))
    return folder


def case(
    name: str,
    change: Change,
    exits: frozenset[int] = REFUSED,
    *,
    says: str = "/m|config|NaN or infinite",
    command: Command = VERIFY,
    quick: bool = False,
) -> HostileInput:
    """The folder `m`, changed."""

    def make(place: Place) -> str:
        path = place.root / "m"
        shutil.copytree(seeds(place), path)
        change(place, path)
        return f"hf:{path}"

    return hostile(f"hub_folders/{name}", make, command, says, exits, seconds=SECONDS, quick=quick)


def edited(file: str, **fields: Any) -> Change:
    """One JSON file with other fields."""

    def change(place: Place, path: Path) -> None:
        content = json.loads((path / file).read_text())
        (path / file).write_text(json.dumps({**content, **fields}))

    return change


def put(file: str, data: bytes | str) -> Change:
    """Another content of one file."""
    return lambda place, path: (path / file).write_bytes(data.encode() if isinstance(data, str) else data)


def there() -> bool:
    return find_spec("transformers") is not None


@family
def code() -> Iterator[HostileInput]:
    """Python files and pickles that come with the folder are never run."""
    if not there():
        return

    def module(place: Place, path: Path) -> None:
        (path / "evil.py").write_text(f"open({str(place.canary)!r}, 'w')\nclass Net: pass\nclass Config: pass\n")
        names = {"AutoConfig": "evil.Config", "AutoModelForImageClassification": "evil.Net"}
        edited(CONFIG, auto_map=names)(place, path)

    def unknown(place: Place, path: Path) -> None:
        module(place, path)
        edited(CONFIG, model_type="evil", architectures=["EvilNet"])(place, path)

    def pickled(place: Place, path: Path) -> None:
        (path / WEIGHTS).unlink()
        run = archive(program(call("os", "system", text(f"touch {place.canary}"))))
        (path / "pytorch_model.bin").write_bytes(run)

    def pickled_beside(place: Place, path: Path) -> None:
        (path / "pytorch_model.bin").write_bytes(archive(program(call("os", "system", text(f"touch {place.canary}")))))

    yield case("code/whole", lambda place, path: None, READ)
    yield case("code/own-module", module, ANY, quick=True)
    yield case("code/own-module-of-unknown-type", unknown)
    yield case("code/pickled-weights", pickled)
    yield case("code/pickle-beside-the-weights", pickled_beside, ANY)
    for name, command in {"record": record, "identify": identify}.items():
        yield case(f"code/own-module-of-unknown-type-by-{name}", unknown, command=command)
    for file in ("training_args.bin", "optimizer.pt", "scheduler.pt", "sitecustomize.py", "tokenizer.json"):
        yield case(f"code/beside-{file}", put(file, archive(program(call("os", "system", text("x"))))), ANY)


@family
def configurations() -> Iterator[HostileInput]:
    """Configurations that ask for all memory, or are none."""
    if not there():
        return
    fields: dict[str, dict[str, Any]] = {
        "hidden-huge": {"hidden_size": 2**40},
        "hidden-negative": {"hidden_size": -4},
        "hidden-text": {"hidden_size": "many"},
        "layers-huge": {"num_hidden_layers": 2**31},
        "layers-many": {"num_hidden_layers": 100_000},
        "image-huge": {"image_size": 2**31},
        "image-large": {"image_size": 2**13},
        "patch-zero": {"patch_size": 0},
        "channels-huge": {"num_channels": 2**31},
        "classes-huge": {"num_labels": 2**40, "id2label": None, "label2id": None},
        "classes-other": {"id2label": {str(number): "x" for number in range(5)}},
        "names-of-lists": {"id2label": [["a"], {}, 3]},
        "names-alike": {"id2label": {"0": "a", "1": "a", "2": "a"}},
        "type-unknown": {"model_type": "nobody"},
        "type-of-a-list": {"model_type": ["vit"]},
        "type-of-text": {"model_type": "bert"},
        "type-dotted": {"model_type": "os.system"},
        "type-path": {"model_type": "../../evil"},
        "architectures-dotted": {"architectures": ["os.system"]},
        "architectures-number": {"architectures": 3},
        "base-elsewhere": {"_name_or_path": "http://127.0.0.1:9/evil"},
        "quantised": {"quantization_config": {"quant_method": "gptq", "bits": 4}},
        "type-of-numbers": {"torch_dtype": "evil", "dtype": "evil"},
        "attention": {"_attn_implementation": "evil/kernels"},
        "backbone": {"use_timm_backbone": True, "backbone": "http://127.0.0.1:9/evil"},
    }
    harmless = {"names-alike", "base-elsewhere", "type-of-numbers", "attention", "backbone", "quantised", "names-of-lists",
                "architectures-dotted", "architectures-number", "classes-other"}  # fmt: skip
    for name, changed in fields.items():
        yield case(f"config/{name}", edited(CONFIG, **changed), ANY if name in harmless else REFUSED)
    texts: dict[str, str | bytes] = {
        "empty": "", "none": "null", "list": "[]", "number": "3", "deep": "[" * 100_000, "not-utf-8": b"\xff\xfe{}",
        "digits": '{"model_type": ' + "9" * 10_000 + "}", "infinite": '{"hidden_size": Infinity}', "nothing": "{}",
        "long": '{"model_type": "' + "x" * 10**6 + '"}',
    }  # fmt: skip
    for name, data in texts.items():
        yield case(f"config-text/{name}", put(CONFIG, data))
    for name, escape in ESCAPES.items():
        yield case(f"names/type-{name}", edited(CONFIG, model_type=f"vit{escape}"))
        yield case(f"names/class-{name}", edited(CONFIG, id2label={"0": escape, "1": "b", "2": "c"}), ANY)
    prepared: dict[str, dict[str, Any]] = {
        "size-huge": {"size": {"height": 2**31, "width": 2**31}},
        "size-text": {"size": "big"},
        "mean-long": {"do_normalize": True, "image_mean": [0.5] * 10_000, "image_std": [0.5] * 10_000},
        "std-zero": {"do_normalize": True, "image_mean": [0.5], "image_std": [0.0]},
        "std-text": {"do_normalize": True, "image_mean": ["a"], "image_std": ["b"]},
        "factor-huge": {"do_rescale": True, "rescale_factor": 1e300},
        "processor-of-its-own": {"auto_map": {"AutoImageProcessor": "evil.Processor"}},
    }
    for name, changed in prepared.items():
        yield case(f"preprocessor/{name}", edited(PREPROCESSOR, **changed), ANY)


@family
def folders() -> Iterator[HostileInput]:
    """Parts that are missing, damaged or elsewhere."""
    if not there():
        return

    def instead(file: str, make: Callable[[Place, Path], object]) -> Change:
        def change(place: Place, path: Path) -> None:
            (path / file).unlink(missing_ok=True)
            make(place, path / file)

        return change

    def shards(names: dict[str, str]) -> Change:
        def change(place: Place, path: Path) -> None:
            (path / WEIGHTS).rename(path / "model-00001-of-00001.safetensors")
            index = {"metadata": {}, "weight_map": names}
            (path / "model.safetensors.index.json").write_text(json.dumps(index))

        return change

    changes: dict[str, Change] = {
        "no-config": lambda place, path: (path / CONFIG).unlink(),
        "no-weights": lambda place, path: (path / WEIGHTS).unlink(),
        "weights-empty": put(WEIGHTS, b""),
        "weights-of-text": put(WEIGHTS, b"version https://git-lfs.github.com/spec/v1\n"),
        "weights-link-to-device": instead(WEIGHTS, lambda place, path: path.symlink_to("/dev/zero")),
        "weights-fifo": instead(WEIGHTS, lambda place, path: os.mkfifo(path)),
        "weights-folder": instead(WEIGHTS, lambda place, path: path.mkdir()),
        "config-fifo": instead(CONFIG, lambda place, path: os.mkfifo(path)),
        "config-link-to-device": instead(CONFIG, lambda place, path: path.symlink_to("/dev/zero")),
        "config-link-to-secret": instead(CONFIG, lambda place, path: path.symlink_to(place.secret)),
        "config-folder": instead(CONFIG, lambda place, path: path.mkdir()),
        "shards-elsewhere": shards({"classifier.weight": "../../secret"}),
        "shards-missing": shards({"classifier.weight": "model-00002-of-00002.safetensors"}),
        "shards-of-none": shards({}),
    }
    for name, change in changes.items():
        yield case(f"folders/{name}", change, quick=name == "config-fifo")
    for file in (CONFIG, WEIGHTS):
        for kind, damage in DAMAGES.items():
            for number in range(2):
                yield _damaged(file, kind, damage, number)


def _damaged(file: str, kind: str, damage: Callable[..., bytes], number: int) -> HostileInput:
    import random

    def change(place: Place, path: Path) -> None:
        draw = random.Random(f"hub {file} {kind} {number}")
        (path / file).write_bytes(damage((path / file).read_bytes(), draw))

    return case(f"damaged/{file.split('.', maxsplit=1)[0]}-{kind}-{number}", change, ANY)
