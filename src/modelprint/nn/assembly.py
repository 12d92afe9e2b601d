"""A network from its description and its weights, checked before it is handed out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from modelprint.core.errors import ModelError, first_line
from modelprint.modalities.base import modality_of
from modelprint.nn.arch_names import FORMS, code_of, kind_of, runs_code
from modelprint.nn.architectures import ARCHITECTURES, Normalized
from modelprint.nn.bodies import build_body
from modelprint.nn.description import ArchName, Description, Normalisation
from modelprint.nn.fitting import fit_names
from modelprint.nn.libraries import named_as_in
from modelprint.nn.spec import ModelSpec, body_of, build

_AS_IT_IS = Normalisation(mean=(0.0,), std=(1.0,))


@dataclass(frozen=True, kw_only=True)
class Assembled:
    """A network with its weights.

    Attributes:
        spec: None where its inputs or classes are not known, which only code can do without.
        notes: what a user should know.
    """

    module: Normalized
    spec: ModelSpec | None
    notes: tuple[str, ...] = ()


MOST_REPEATS = 200  # blocks or layers in a row: each takes a millisecond to be built, were there weights for it or not


def assembled(state: Mapping[str, Tensor], description: Description, *, who: str, ema: bool = False) -> Assembled:
    """The network that is described, with these weights.

    Args:
        ema: whether averaged weights are wanted where the state holds both.

    Raises:
        ModelError: an architecture that is not named, not there or not trusted, or weights that do not fit it.
    """
    arch = description.arch
    if arch is None:
        raise ModelError(
            f"{who} does not say its architecture: give --arch, one of {', '.join(ARCHITECTURES)}, or {FORMS}, or "
            "write a spec file"
        )
    if runs_code(arch.name) and not arch.trusted:
        raise ModelError(
            f"{who}: its spec names code, {arch.name}, as architecture: name it with --arch yourself, or "
            "pass --trust-code if you trust its maker"
        )
    known = description.inputs is not None or None not in (
        description.channels,
        description.size,
        description.classes,
    )
    spec = complete_spec(description, arch, who=who) if known or not runs_code(arch.name) else None
    label = arch.name
    if spec is not None and kind_of(arch.name) == "registered":
        label = _named(spec)
        _refuse_misfits(state, spec, who=who)
    model = build(spec) if spec is not None else _of_unknown_inputs(description, arch)
    named = named_as_in(model.body, state)
    fitting = fit_names(named, model.body, who=who, arch=label, classes=description.classes, ema=ema)
    model.body.load_state_dict(fitting.state)
    return Assembled(module=model, spec=spec, notes=(*_changed_code(spec, arch, who), *fitting.notes))


def _refuse_misfits(state: Mapping[str, Tensor], spec: ModelSpec, *, who: str) -> None:
    """Build a registered architecture without memory first, so that claims of a file cost nothing."""
    for name in ("blocks", "depth"):
        repeats = spec.arch_args.get(name)
        most = min(MOST_REPEATS, len(state))
        if isinstance(repeats, int | float) and repeats > most:
            raise ModelError(
                f"{who}: its weights do not fit {spec.arch} with {name}={repeats}: it holds {len(state)} tensors, "
                f"so that {name} can be {most} at most"
            )
    empty = [name for name, value in spec.arch_args.items() if value == 0 and name in ("width", "channels", "size")]
    if empty:
        raise ModelError(f"{who}: {spec.arch} with {empty[0]}=0 has layers without numbers: its card is damaged")
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            skeleton = body_of(spec)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise ModelError(f"{who}: cannot build {spec.arch} with {spec.arch_args}: {first_line(error)}") from error
    fit_names(state, skeleton, who=who, arch=_named(spec), classes=spec.classes)


def _of_unknown_inputs(description: Description, arch: ArchName) -> Normalized:
    """A network of somebody's code, where nobody says what it takes."""
    shape = (description.channels, description.height, description.size)
    body = build_body(
        arch.name, description.arch_args or {}, shape=shape, classes=description.classes, folder=arch.folder
    )
    return preprocessed(body, description, who=arch.name)


def _changed_code(spec: ModelSpec | None, arch: ArchName, who: str) -> tuple[str, ...]:
    if spec is None or arch.code is None or spec.code == arch.code:
        return ()
    return (
        f"{who} was made with other code than {arch.name} holds now: its SHA-256 was {arch.code}, it is "
        f"{spec.code or 'not known'}",
    )


def complete_spec(description: Description, arch: ArchName, *, who: str) -> ModelSpec:
    """The spec of an architecture, from all that is said of the model.

    Raises:
        ModelError: no such architecture, or a number that nothing tells, or one that cannot be.
    """
    if kind_of(arch.name) == "registered" and arch.name not in ARCHITECTURES:
        raise ModelError(
            f"{who}: unknown architecture {arch.name!r}: use one of {', '.join(ARCHITECTURES)}, or {FORMS}"
        )
    numbers: dict[str, object] = {
        "channels": description.channels,
        "size": description.size,
        "classes": description.classes,
    }
    if description.inputs is not None:
        numbers = {"input": description.inputs.model_dump(mode="json"), "classes": description.classes}
    unknown = [name for name, value in numbers.items() if value is None]
    if unknown:
        raise ModelError(f"{who} does not say its {', '.join(unknown)}: name its data, or write them into a spec file")
    scale = description.normalisation or _AS_IT_IS
    fields = {
        "arch": arch.name,
        "arch_args": dict(description.arch_args or {}),
        **numbers,
        "height": None if description.height == description.size else description.height,
        "mean": scale.mean,
        "std": scale.std,
        "bgr": bool(description.bgr),
        "value_range": None if description.value_range == (0.0, 1.0) else description.value_range,
        "resize_to": description.resize_to,
        "head": description.head,
        "code": code_of(arch.name),
    }
    try:
        return ModelSpec.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        value = f"{place} = {first['input']!r}: " if place else ""
        raise ModelError(f"{who}: {value}{first['msg']}") from error


def _named(spec: ModelSpec) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in spec.arch_args.items())
    shape, what = "x".join(map(str, spec.shape)), modality_of(spec.inputs).plural
    return f"{spec.arch}({arguments}) for {shape} {what}, {spec.classes} classes"


def preprocessed(module: nn.Module, description: Description, *, who: str) -> Normalized:
    """A network behind the preprocessing that is said, if any.

    Raises:
        ModelError: more or fewer numbers than channels.
    """
    scale = description.normalisation or _AS_IT_IS
    if description.channels is not None and not {len(scale.mean), len(scale.std)} <= {1, description.channels}:
        raise ModelError(
            f"{who}: {len(scale.mean)} means and {len(scale.std)} stds for {description.channels} channels: "
            "give one per channel"
        )
    return Normalized(
        module,
        scale.mean,
        scale.std,
        bgr=bool(description.bgr),
        value_range=description.value_range or (0.0, 1.0),
        size=description.resize_to,
    )
