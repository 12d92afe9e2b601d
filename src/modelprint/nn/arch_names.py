"""Architectures by name: registered, from somebody's code, from a library, or from a folder of Hugging Face."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from modelprint.core.identity import digest_file

ArchKind = Literal["registered", "file", "module", "timm", "torchvision", "hf"]
FORMS = (
    "path/to/file.py:callable, package.module:callable, timm:NAME, torchvision:NAME or hf:FOLDER"  # for error messages
)


def kind_of(arch: str) -> ArchKind:
    """What an architecture's name stands for.

    >>> [kind_of(arch) for arch in ("cnn", "nets.py:net", "package.nets:net", "timm:vit_tiny_patch16_224", "hf:vit")]
    ['registered', 'file', 'module', 'timm', 'hf']
    """
    prefix, colon, _ = arch.partition(":")
    if prefix == "timm" and colon:
        return "timm"
    if prefix == "torchvision" and colon:
        return "torchvision"
    if prefix == "hf" and colon:
        return "hf"
    if arch.rpartition(":")[0].endswith(".py") or arch.endswith(".py"):
        return "file"
    return "module" if colon else "registered"


def runs_code(arch: str) -> bool:
    """Whether building this architecture runs code that the name brings, which somebody must have asked for."""
    return kind_of(arch) in ("file", "module")


def located(arch: str, folder: Path) -> str:
    """The name with its file or folder where it lies: beside `folder`'s files, else as written (the working directory).

    >>> located("cnn", Path("models")), located("missing.py:net", Path("models"))
    ('cnn', 'missing.py:net')
    """
    kind = kind_of(arch)
    if kind == "hf":
        place = arch.removeprefix("hf:")
        beside = folder / place
        return f"hf:{beside}" if beside.is_dir() else arch
    if kind != "file":
        return arch
    place, colon, name = arch.rpartition(":")
    for candidate in (folder / place, Path(place), folder / Path(place).name):
        if candidate.is_file():
            return f"{_short(candidate)}{colon}{name}"
    return arch


def code_of(arch: str) -> str | None:
    """SHA-256 of the file that an architecture's name points to; None where there is none."""
    kind = kind_of(arch)
    if kind == "file":
        place = Path(arch.rpartition(":")[0])
    elif kind == "hf":
        place = Path(arch.removeprefix("hf:")) / "config.json"
    else:
        return None
    return digest_file(place) if place.is_file() else None


def same_arch(one: str, other: str) -> bool:
    """Whether two names stand for one architecture, however their files are spelled.

    >>> same_arch("./nets.py:net", "nets.py:net"), same_arch("cnn", "mlp")
    (True, False)
    """
    if one == other:
        return True
    if kind_of(one) != kind_of(other) or kind_of(one) not in ("file", "hf"):
        return False
    return _resolved(one) == _resolved(other)


def _resolved(arch: str) -> tuple[str, str]:
    if kind_of(arch) == "hf":
        return os.path.realpath(arch.removeprefix("hf:")), ""
    place, _, name = arch.rpartition(":")
    return os.path.realpath(place), name


def _short(path: Path) -> Path:
    """The path from the working directory where it lies below it, so that cards name no folders of a machine."""
    full, here = path.resolve(), Path.cwd()
    return full.relative_to(here) if full.is_relative_to(here) else path
