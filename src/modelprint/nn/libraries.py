"""Networks of timm, torchvision and transformers, untrained; nothing is downloaded and no code of a folder is run."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modelprint.core.errors import ModelError, first_line
from modelprint.core.untrusted import read_regular

_PLAIN = re.compile(r"[\w.\-]+")
_NEVER = frozenset({
    "pretrained", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "weights",
    "weights_backbone", "features_only", "num_classes", "in_chans",
})  # fmt: skip  # arguments that would read other files, or contradict the data


def library(name: str, extra: str) -> Any:
    """A library of an extra.

    Raises:
        ModelError: it is not installed, or cannot be imported beside this torch.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelError(f"{name} is not installed ({error}): pip install 'modelprint[{extra}]'") from error
    except Exception as error:  # compiled operators that do not load raise RuntimeError, OSError ...
        raise ModelError(
            f"{name} cannot be imported beside torch {torch.__version__} ({first_line(error)}): install the build of "
            f"{name} that belongs to it"
        ) from error


def build_from_timm(name: str, arguments: Mapping[str, object], shape: tuple[int, ...], classes: int) -> nn.Module:
    """An untrained network of timm, fitted to channels, classes and, where it needs to know, size."""
    _check(f"timm:{name}", arguments)
    timm = library("timm", "timm")
    if not _PLAIN.fullmatch(name) or not timm.is_model(name):
        raise _unknown("timm", name, timm.list_models())
    keywords = dict(arguments)
    if "img_size" not in keywords and _needs_size(timm, name):
        keywords["img_size"] = shape[1:]
    with _failing(f"timm:{name}"):
        net: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes, in_chans=shape[0], **keywords)
    return net


def build_from_torchvision(
    name: str, arguments: Mapping[str, object], shape: tuple[int, int, int], classes: int
) -> nn.Module:
    """An untrained network of torchvision; its first convolution is replaced where the images are not of 3 channels."""
    _check(f"torchvision:{name}", arguments)
    models = library("torchvision", "timm") and library("torchvision.models", "timm")
    offered = models.list_models(module=models)
    if name not in offered:
        raise _unknown("torchvision", name, offered)
    with _failing(f"torchvision:{name}"):
        keywords = {**_fitted(name, shape[2]), **arguments}
        net: nn.Module = models.get_model(name, weights=None, num_classes=classes, **keywords)
    if shape[0] != 3:
        _take_channels(net, shape[0], who=f"torchvision:{name}")
    return net


def build_from_folder(folder: Path, arguments: Mapping[str, object], shape: tuple[int, ...], classes: int) -> nn.Module:
    """The untrained image classifier that the config.json of a folder describes; `auto_map` code is never run."""
    who = f"hf:{folder}"
    settings = read_config(folder)
    if "model_type" not in settings:
        raise ModelError(f"{folder / 'config.json'} names no model_type: it is not a configuration of transformers")
    _check(who, settings.get("model_args") or {})  # of models of timm in a wrapper
    if settings.get("use_pretrained_backbone") or settings.get("quantization_config"):
        raise ModelError(
            f"{who}: config.json asks for weights from elsewhere or for quantised layers, which is refused: save the "
            "model with its own float weights"
        )
    transformers = library("transformers", "hf")
    with _failing(who):
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    config.num_labels = classes
    if hasattr(config, "num_channels"):
        config.num_channels = shape[0]
    if hasattr(config, "image_size"):
        config.image_size = shape[2] if shape[1] == shape[2] else list(shape[1:])
    for key, value in arguments.items():
        if not hasattr(config, key):
            raise ModelError(f"{who}: {type(config).__name__} has no {key}: look at config.json for what it has")
        setattr(config, key, value)
    with _failing(who):
        net: nn.Module = transformers.AutoModelForImageClassification.from_config(config, trust_remote_code=False)
    return net


def named_as_in(body: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state under the names of the network's layers: transformers keeps other names in files than in modules.

    Anything else, and a state that has the network's names already, comes back as it is.
    """
    own = body.state_dict()
    if not type(body).__module__.startswith("transformers.") or own.keys() <= state.keys():
        return dict(state)
    maker: Any = type(body)
    who = type(body).__name__
    with torch.random.fork_rng(devices=[]), _silent(library("transformers", "hf")), _failing(who):
        converted, report = maker.from_pretrained(
            None, config=body.config, state_dict=dict(state), output_loading_info=True, ignore_mismatched_sizes=True
        )
    absent = {*report["missing_keys"], *(mismatch[0] for mismatch in report["mismatched_keys"])}
    named = {name: tensor for name, tensor in converted.state_dict().items() if name not in absent}
    kept = {*report["unexpected_keys"], *absent}  # for the loader to name
    return {**named, **{name: tensor for name, tensor in state.items() if name in kept}}


@contextlib.contextmanager
def _silent(transformers: Any) -> Iterator[None]:
    """Inside, transformers draws no bars and reports nothing: what does not fit is said by the loader."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a folder.

    Raises:
        ModelError: no such folder or file, or no JSON object in it.
    """
    file = folder / "config.json"
    if not file.is_file():
        what = "holds no config.json" if folder.is_dir() else "is no folder"
        raise ModelError(f"{folder} {what}: name a folder as save_pretrained writes it, with config.json and weights")
    return read_json(file)


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        ModelError: it is none.
    """
    try:
        value = json.loads(read_regular(file))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read as JSON ({first_line(error)}): copy or download it again") from error
    if not isinstance(value, dict):
        raise ModelError(f"{file} holds a {type(value).__name__} where a JSON object was expected")
    return value


def _unknown(where: str, name: str, offered: list[str]) -> ModelError:
    near = ", ".join(difflib.get_close_matches(name, offered, n=4, cutoff=0.3) or offered[:4])
    return ModelError(f"{where} has no classifier {name!r}: it has {near} ...")


def _needs_size(timm: Any, name: str) -> bool:
    """Whether a network is made for one size: transformers and mixers with their position embeddings."""
    config = timm.models.get_pretrained_cfg(name, allow_unregistered=True)
    return bool(config is not None and config.fixed_input_size)


def _fitted(name: str, side: int) -> dict[str, object]:
    """Networks with auxiliary classifiers, without these; transformers for the size of the images."""
    if name.startswith("vit_"):
        return {"image_size": side}
    if name in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "init_weights": True}
    return {}


def _take_channels(net: nn.Module, channels: int, *, who: str) -> None:
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == 3 and module.groups == 1:
            first = nn.Conv2d(
                channels,
                module.out_channels,
                module.kernel_size,  # type: ignore[arg-type]
                module.stride,  # type: ignore[arg-type]
                module.padding,  # type: ignore[arg-type]
                module.dilation,  # type: ignore[arg-type]
                bias=module.bias is not None,
            )
            parent, _, leaf = name.rpartition(".")
            setattr(net.get_submodule(parent), leaf, first)
            return
    raise ModelError(f"{who} takes images of 3 channels, the data have {channels}: name another architecture")


def _check(who: str, arguments: Mapping[str, object]) -> None:
    refused = sorted(_NEVER & arguments.keys())
    if refused:
        raise ModelError(
            f"{who}: the argument {refused[0]} is not for you to give: weights come from the model file, channels and "
            "classes from the data"
        )


@contextlib.contextmanager
def _failing(who: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # libraries raise anything on arguments that do not fit
        raise ModelError(f"{who} failed: {type(error).__name__}: {first_line(error)}; look at --arch-args") from error
