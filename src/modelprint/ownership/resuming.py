"""Enrollments that go on where they were cut off: what decides an enrollment, and where its unfinished pieces lie."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modelprint.core.devices import device_of
from modelprint.core.identity import digest, digest_arrays, digest_file, digest_json
from modelprint.core.unfinished import ABOUT, Unfinished
from modelprint.nn.loading import LoadedModel
from modelprint.nn.refs import ModelRef
from modelprint.ownership.ahead import Notice
from modelprint.schemes.base import Enrollment, Scheme
from modelprint.training.loop import predict

PROBED = 64  # inputs whose answers tell a network from another one with the same weights
OLD = 30 * 86_400.0  # seconds after which nobody goes on with an enrollment
_PACKAGE = Path(__file__).resolve().parents[1]


def user_place() -> Path:
    """Where a user's unfinished enrollments are kept: in the user cache."""
    import pooch

    return Path(pooch.os_cache("modelprint")) / "unfinished"


def unfinished_enrollment(
    scheme: Scheme,
    source: LoadedModel,
    context: Enrollment,
    *,
    seed: int,
    out: str | Path | None,
    notice: Notice,
    place: Path | None = None,
) -> Unfinished:
    """Where this enrollment keeps its pieces; those of the same one that was cut off are there.

    Pieces that were kept too long ago are removed. Where a shadow model is not known by its file and spec, nothing is
    kept.

    Args:
        out: where the fingerprint goes.
        place: a folder for all unfinished enrollments; None: in the user cache.
    """
    work = work_of(scheme, source, context, seed=seed)
    if work is None:
        return Unfinished()
    place = place or user_place()
    own = place / digest_json(work).removeprefix("sha256:")[:32]
    target = None if out is None else str(Path(out).resolve())
    _tidy(place, own, work, target, notice)
    kept = sorted(own.glob("*.safetensors"))
    if kept:
        size = sum(file.stat().st_size for file in kept) / 1e6
        since = datetime.fromtimestamp(min(file.stat().st_mtime for file in kept), UTC)
        notice(
            f"this enrollment was cut off before: it goes on from what is kept in {own} ({len(kept)} files, "
            f"{size:.1f} MB, since {since:%Y-%m-%d %H:%M} UTC)"
        )
    return Unfinished(own, work=work, label={"out": target, "title": scheme.title}, notice=notice)


def work_of(scheme: Scheme, source: LoadedModel, context: Enrollment, *, seed: int) -> dict[str, Any] | None:
    """Everything that decides what an enrollment computes, as JSON; None where a shadow model has no spec."""
    shadows = {
        "surrogates": context.surrogates,
        "references": context.references,
        "reference copies": context.reference_copies,
    }
    if any(model.spec is None for side in shadows.values() for model in side):
        return None
    seeds, train_images = context.seeds, context.train_images
    probe = predict(source.module, torch.from_numpy(np.asarray(seeds.stored[:PROBED])), modality=seeds.modality)
    return {
        "versions": [version("modelprint"), torch.__version__, np.__version__, *sys.version_info[:3]],
        "code": _code(scheme),
        "processor": [torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()],
        "device": device_of(source.module).type,
        "scheme": scheme.name,
        "parameters": scheme.parameters(),
        "seed": seed,
        "budget": context.budget,
        "source": [source.identity, None if source.spec is None else source.spec.canonical()],
        "source's answers": digest_arrays({"logits": probe.numpy()}),
        "data": seeds.identity,
        "train data": None if train_images is None else train_images.identity,
        **{side: _named(models) for side, models in shadows.items()},
    }


def _named(models: Sequence[ModelRef]) -> list[list[str]]:
    return [[model.identity, "" if model.spec is None else model.spec.canonical()] for model in models]


def _code(scheme: Scheme) -> list[str | None]:
    """SHA-256 of this package's code and of the scheme's file, so that pieces of edited code are not used."""
    own = sys.modules[type(scheme).__module__].__file__
    return [_package_code(), None if own is None else digest_file(Path(own))]


@cache
def _package_code() -> str:
    return digest(b"".join(file.read_bytes() for file in sorted(_PACKAGE.rglob("*.py"))))


def finish(unfinished: Unfinished, *, out: str | Path | None) -> None:
    """Forget an enrollment's pieces, and those of others into the same folder: its fingerprint is written."""
    place = unfinished.place
    unfinished.clear()
    if place is None or out is None:
        return
    for folder in _others(place.parent, place):
        if _about(folder).get("out") == str(Path(out).resolve()):
            shutil.rmtree(folder, ignore_errors=True)


def _tidy(place: Path, own: Path, work: Mapping[str, Any], target: str | None, notice: Notice) -> None:
    """Remove what is old; say that what is kept of another enrollment into the same folder is not used."""
    for folder in _others(place, own):
        about = _about(folder)
        before = about.get("work")
        if target is not None and about.get("out") == target and isinstance(before, dict):
            changed = ", ".join(name for name in work if before.get(name) != work[name])
            notice(
                f"an enrollment into {target} was cut off before, with other inputs ({changed}): what is kept of it in "
                f"{folder} is not used"
            )
        elif time.time() - _last_used(folder) > OLD:
            shutil.rmtree(folder, ignore_errors=True)


def _others(place: Path, own: Path) -> list[Path]:
    folders = sorted(place.glob("*")) if place.is_dir() else []
    return [folder for folder in folders if folder != own and folder.is_dir()]


def _about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / ABOUT).read_text())
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _last_used(folder: Path) -> float:
    try:
        return max(file.stat().st_mtime for file in (folder, *folder.glob("*")))
    except OSError:  # another process removes it
        return time.time()
