"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from modelprint.cli.console import say
from modelprint.core.errors import UsageError

if TYPE_CHECKING:
    import torch

    from modelprint.data.labelled import LabelledSet
    from modelprint.modalities.base import InputSpec
    from modelprint.nn.loading import LoadedModel
    from modelprint.nn.options import ModelOptions
    from modelprint.suspects.open import SuspectOptions

Format = Literal["table", "json"]
Settings = Annotated[
    list[str] | None,
    Parameter(name="--set", consume_multiple=True, help="Hyper-parameters as key=value; may be repeated."),
]

PoolKinds = Annotated[
    bool,
    Parameter(
        negative="",
        help="Rank kinds of too few calibration models with the most frequent kind; else no rate is known for them.",
    ),
]

_MODEL = Group("Model files", help="For weights that do not say what they are.")
_API = Group("APIs", help="For suspects behind a server.")
_COMPUTE = Group("Computing", help="Where models compute.")


_Numbers = Parameter(group=_MODEL, consume_multiple=True, negative_iterable="")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ModelFlags:
    """How to read weights that do not say what they are."""

    arch: Annotated[str | None, Parameter(group=_MODEL)] = None
    "A registered architecture, file.py:callable, package.module:callable, timm:NAME, torchvision:NAME or hf:FOLDER."
    arch_args: Annotated[str | None, Parameter(group=_MODEL)] = None
    "Its arguments as JSON: '{\"width\": 16}'."
    mean: Annotated[list[float] | None, _Numbers] = None
    "Mean per channel, on the [0, 1] scale (or that of --range), that the model normalises by."
    std: Annotated[list[float] | None, _Numbers] = None
    "Spread per channel."
    size: Annotated[list[int] | None, _Numbers] = None
    "The side, or height and width, that the model takes: images of another size are brought to it; pictures in files \
when they are read, see --crop, others by the model."
    bgr: Annotated[bool | None, Parameter(group=_MODEL, negative="")] = None
    "The model takes blue, green, red."
    value_range: Annotated[
        list[float] | None, Parameter(name="--range", group=_MODEL, consume_multiple=True, negative_iterable="")
    ] = None
    "Lowest and highest value that the model takes before it normalises: 0 255."
    head: Annotated[str | None, Parameter(group=_MODEL)] = None
    "The layer that attacks on the last layer touch; the last linear layer that the model uses unless given."
    weights: Annotated[str, Parameter(group=_MODEL)] = "raw"
    "Of a checkpoint that holds several: raw, ema, or the key that they lie under."
    trust_code: Annotated[bool, Parameter(group=_MODEL, negative="")] = False
    "Run code that a model file names."

    def options(self) -> ModelOptions:
        """These words as the record that loaders take.

        Raises:
            UsageError: arguments that are no JSON object, or a size or range of too few or many numbers.
        """
        from modelprint.nn.options import ModelOptions

        size, value_range = checked_size(self.size), self.value_range
        if value_range is not None and len(value_range) != 2:
            raise UsageError(f"--range takes the lowest and the highest value, got {len(value_range)} numbers")
        return ModelOptions(
            arch=self.arch,
            arch_args=_arguments(self.arch_args),
            mean=None if self.mean is None else tuple(self.mean),
            std=None if self.std is None else tuple(self.std),
            size=None if size is None else (size[0], size[-1]),
            bgr=self.bgr,
            value_range=None if value_range is None else (value_range[0], value_range[1]),
            head=self.head,
            weights=self.weights,
            trust_code=self.trust_code,
        )

    def load(
        self,
        reference: str,
        *,
        shape: tuple[int, ...] | None = None,
        classes: int | None = None,
        inputs: InputSpec | None = None,
        device: str | torch.device = "cpu",
    ) -> LoadedModel:
        """The model at a path, fitted to inputs and classes where its file does not say, on a device."""
        from modelprint.nn.loading import open_model

        loaded = open_model(reference, self.options(), shape=shape, classes=classes, inputs=inputs, device=device)
        for note in loaded.notes:
            say(note)
        return loaded

    def load_for(
        self, reference: str, data: LabelledSet, *, device: str | torch.device = "cpu"
    ) -> tuple[LoadedModel, LabelledSet]:
        """The model at a path, and its data, whose classes are numbered as the model does."""
        from modelprint.training.classes import open_for

        opened = open_for(data, reference, self.options(), device=device)
        for note in (*opened.model.notes, *opened.notes):
            say(note)
        return opened.model, opened.data

    def load_source_for(
        self, reference: str, data: LabelledSet, *, device: str | torch.device = "cpu"
    ) -> tuple[LoadedModel, LabelledSet]:
        """As `load_for`; a file that answers and gives no gradients may be a source, too."""
        from modelprint.ownership.asked_source import open_source

        opened = open_source(data, reference, self.options(), device=device)
        for note in (*opened.model.notes, *opened.notes):
            say(note)
        return opened.model, opened.data


def checked_size(size: list[int] | None) -> list[int] | None:
    """What --size says.

    Raises:
        UsageError: more than two numbers.
    """
    if size is not None and len(size) not in (1, 2):
        raise UsageError(f"--size takes one side, or height and width, got {len(size)} numbers")
    return size


def _arguments(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"--arch-args {text!r} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"--arch-args {text!r} is not a JSON object such as '{{\"width\": 16}}'")
    return value


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ApiOptions:
    """How to talk to a server."""

    api: Annotated[Literal["auto", "oip", "mlflow", "image", "mapping"], Parameter(group=_API)] = "auto"
    "Open Inference Protocol, MLflow's /invocations, the bytes of an image (of sound: WAV), or a mapping file; \
asked for unless given."
    mapping: Annotated[Path | None, Parameter(group=_API)] = None
    "A TOML file that says where inputs go and where labels come back."
    model_name: Annotated[str | None, Parameter(name="--model", group=_API)] = None
    "Which of a server's models."
    batch_size: Annotated[int | None, Parameter(group=_API)] = None
    "Inputs per request (or forward pass)."
    max_in_flight: Annotated[int, Parameter(group=_API)] = 4
    "Requests at a time."
    rate: Annotated[float | None, Parameter(group=_API)] = None
    "The most requests a second."
    retries: Annotated[int, Parameter(group=_API)] = 5
    "How often a request is tried again."
    layout: Annotated[Literal["nchw", "nhwc"] | None, Parameter(group=_API)] = None
    "Of tensors, where the server does not say."
    picture: Annotated[Literal["png", "jpeg"], Parameter(group=_API)] = "png"
    "The file type that image APIs get; JPEG changes pixels."
    token_header: Annotated[str, Parameter(group=_API)] = "Authorization"  # noqa: S105 - the header, not the token
    "The header that carries the token in the environment variable MODELPRINT_API_TOKEN."
    timeout: Annotated[float | None, Parameter(group=_API)] = None
    "Seconds to wait for one answer: of a server (30 unless given), or of a local model to one batch, and for its file."
    class_names: Annotated[Path | None, Parameter(group=_API)] = None
    "A TOML file of what the suspect calls the classes, or of which class each output is; map-classes writes one."
    max_sent: Annotated[int | None, Parameter(group=_API)] = None
    "The most inputs that are ever sent to an API, those of retries and of resumed runs included."
    ledger: Annotated[Path | None, Parameter(group=_API)] = None
    "Where answers are kept as they arrive; a broken run resumes from it."


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ComputeOptions:
    """Where models compute, and on how many threads."""

    device: Annotated[str, Parameter(group=_COMPUTE)] = "cpu"
    "auto, cpu, cuda, cuda:N or mps; only the CPU gives the same numbers everywhere."
    threads: Annotated[int | None, Parameter(group=_COMPUTE)] = None
    "Processor threads; one for small inputs unless given, where more would wait for each other."

    @contextmanager
    def computing(self, shape: Sequence[int] | None = None) -> Iterator[torch.device]:
        """The device; inside, torch computes on that many threads.

        Args:
            shape: of an input, without which the number of threads stays what it is unless given.

        Raises:
            UsageError: no such device.
            DeviceError: this machine has none.
        """
        from modelprint.core.devices import on_threads, resolve_device

        device = resolve_device(self.device)
        with on_threads(self.threads, shape):
            yield device


def suspect_options(model: ModelFlags, api: ApiOptions, *, device: str | None = None) -> SuspectOptions:
    """The groups of options as the suspects' own record."""
    from modelprint.suspects.open import SuspectOptions
    from modelprint.suspects.outputs import OutputForm

    aliases: Mapping[str, int | str] = {}
    outputs = OutputForm()
    if api.class_names is not None:
        from modelprint.suspects.class_names import read_class_names

        file = read_class_names(api.class_names)
        aliases, outputs = file.class_names, file.form
    return SuspectOptions(
        class_aliases=aliases,
        outputs=outputs,
        rate=api.rate,
        api=api.api,
        mapping=api.mapping,
        model=model.options(),
        model_name=api.model_name,
        timeout=30.0 if api.timeout is None else api.timeout,
        patience=api.timeout,
        batch_size=api.batch_size,
        max_in_flight=api.max_in_flight,
        retries=api.retries,
        layout=api.layout,
        picture=api.picture,
        token_header=api.token_header,
        ledger=api.ledger,
        max_sent=api.max_sent,
        device=device,
    )


def settings(pairs: Sequence[str] | None) -> dict[str, str]:
    """The key=value pairs of --set.

    >>> settings(["l=2", "m=9"])
    {'l': '2', 'm': '9'}

    Raises:
        UsageError: a pair without =, or a key given twice.
    """
    parsed: dict[str, str] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {pair!r} is not key=value")
        if key in parsed:
            raise UsageError(f"--set {key} is given twice")
        parsed[key] = value
    return parsed
