"""Start from somebody's weights: a public checkpoint, whose last layer starts anew where the classes differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from modelprint.core.errors import ModelError
from modelprint.nn.arch_names import runs_code
from modelprint.nn.architectures import Normalized
from modelprint.nn.fitting import fit_names, unwrapped
from modelprint.nn.heads import head_of
from modelprint.nn.libraries import named_as_in
from modelprint.nn.options import ModelOptions
from modelprint.nn.places import path_of, weights_of
from modelprint.nn.spec import ModelSpec
from modelprint.nn.weight_files import read_weights


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a training started from.

    Attributes:
        file: its name, without folders.
        sha256: "sha256:..." of the file: models with the same are homologous.
        head: whether the last layer came from it, too.
    """

    file: str
    sha256: str
    head: Literal["kept", "fresh"]


def identity_of(weights: str | Path) -> str:
    """SHA-256 of the weights that a training starts from, a file or a folder of transformers, as `Start` has it.

    Raises:
        ModelError: missing, or no weights.
    """
    return read_weights(weights_of(path_of(weights))).identity


def completed_by(options: ModelOptions, weights: Path | None) -> ModelOptions:
    """Options, with the architecture and normalisation that modelprint wrote into the weights where none were given.

    Raises:
        ModelError: the file is missing or damaged, or names code as its architecture, which is not run unasked.
    """
    card = None if weights is None else read_weights(weights_of(path_of(weights))).card
    if card is None:
        return options
    if options.arch is None:
        if runs_code(card.spec.arch) and not options.trust_code:
            raise ModelError(
                f"--init {weights} names code, {card.spec.arch}, as its architecture: name it with --arch yourself"
            )
        options = replace(options, arch=card.spec.arch, arch_args=options.arch_args or dict(card.spec.arch_args))
    if options.mean is None and options.std is None and options.arch == card.spec.arch:
        options = replace(options, mean=card.spec.mean, std=card.spec.std)
    return options


def start_from(model: Normalized, weights: str | Path, spec: ModelSpec) -> Start:
    """Put the weights of a file into a model; its last layer stays as it is where the file's has another shape or none.

    Args:
        spec: of the model.

    Raises:
        ModelError: the file is missing or damaged, or other tensors than the last layer's do not fit; they are named.
    """
    path = weights_of(path_of(weights))
    file = read_weights(path)
    body = model.body
    own = body.state_dict()
    head = head_of(model, spec)
    state = named_as_in(body, file.state)
    names = unwrapped(state.keys(), own.keys())
    given = {names[name]: tensor for name, tensor in state.items()}
    of_head = [f"{head.name}.{name}" for name in head.layer.state_dict()]
    fresh = any(name not in given or given[name].shape != own[name].shape for name in of_head)
    if fresh:
        given = {**given, **{name: own[name] for name in of_head}}
    body.load_state_dict(fit_names(given, body, who=f"--init {path}", arch=spec.arch).state)
    return Start(file=path.name, sha256=file.identity, head="fresh" if fresh else "kept")
