"""How a suspect is opened: everything that its reference alone does not say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from modelprint.core.errors import UsageError
from modelprint.modalities.base import InputSpec, Modality
from modelprint.modalities.image import IMAGE
from modelprint.modalities.wire import Layout as Layout
from modelprint.modalities.wire import Picture as Picture
from modelprint.nn.options import ModelOptions
from modelprint.suspects.outputs import OutputForm

Api = Literal["auto", "oip", "mlflow", "image", "mapping"]


@dataclass(frozen=True, kw_only=True)
class AskedInputs:
    """What a fingerprint asks, by SHA-256.

    Attributes:
        queries: in order.
        further: inputs that are no queries, numbered after these.
        whole: whether it asks nothing else; answers to other inputs then are those to another export.
    """

    queries: tuple[str, ...]
    further: tuple[str, ...] = ()
    whole: bool = True


@dataclass(frozen=True, kw_only=True)
class SuspectOptions:
    """What may be said of a suspect; each kind of suspect reads what concerns it.

    Attributes:
        class_names: of the fingerprint, in order; empty when not known.
        classes: their number, where the names are not known. Another number of classes is refused.
        class_aliases: what a suspect calls classes: its name, and the name or number here; "": none of them.
        outputs: what the suspect's outputs stand for, where they are not the classes one for one.
        modality: of the queries.
        input_shape: of a query; None when not known.
        fingerprint: the identity of the fingerprint that is going to ask, where there is one; the ledger is named
            after it.
        asked: gives what each fingerprint that is going to ask holds.
        batch_size: images per forward pass or request; None: what suits the kind.
        device: where models that are opened here compute: auto, cpu, cuda, cuda:N, mps; None: the CPU, and models that
            lie in memory where they lie.

        model: how model files are read; its `mean`, `std`, `size`, `bgr` and `value_range` hold for what
            ONNX files and servers of tensors get, too.
        files_first: whether `model` holds only for what a file does not say itself, as in a folder of models.

        api: what a server speaks; "auto" asks it.
        mapping: the mapping file of an API of another kind.
        model_name: which of a server's models.
        layout: of tensors, where the server does not say.
        picture: the file type that image APIs get; JPEG changes pixels.
        timeout: seconds for one request.
        patience: seconds for reading a local model's file, and for each batch that it is asked; None: a file by its
            size, an ONNX file four times `timeout`, a network of torch any time.
        retries: how often a request is tried again.
        backoff: seconds before the first of these, then doubled, with jitter.
        max_in_flight: requests at a time.
        rate: the most requests a second; None: as fast as the server answers.
        max_sent: the most images that are ever sent to an API, those of retries and of resumed runs included; None: no
            limit. How many queries are asked is another matter, the `budget` of `verify`.
        ledger: where an API's answers are kept as they arrive; None: in the user cache, named after the address.
        send_token: whether the server may be sent the token at all.
        token_header: the header that carries the token of the environment variable MODELPRINT_API_TOKEN.
        progress: called with the number of queries answered, and of all.
    """

    class_names: tuple[str, ...] = ()
    classes: int | None = None
    class_aliases: Mapping[str, int | str] = field(default_factory=dict)
    outputs: OutputForm = field(default_factory=OutputForm)
    modality: Modality = IMAGE
    input_shape: tuple[int, ...] | None = None
    fingerprint: str | None = None
    asked: Callable[[], Sequence[AskedInputs]] | None = None
    batch_size: int | None = None
    device: str | None = None
    model: ModelOptions = field(default_factory=ModelOptions)
    files_first: bool = False
    api: Api = "auto"
    mapping: Path | None = None
    model_name: str | None = None
    layout: Layout | None = None
    picture: Picture = "png"
    timeout: float = 30.0
    patience: float | None = None
    retries: int = 5
    backoff: float = 0.5
    max_in_flight: int = 4
    rate: float | None = None
    max_sent: int | None = None
    ledger: Path | None = None
    send_token: bool = True
    token_header: str = "Authorization"  # noqa: S105 - a header's name, not a secret
    progress: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("max_in_flight", 1), ("max_sent", 0), ("retries", 0), ("backoff", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} must be at least {least}, got {value}")
        for name, seconds in (("timeout", self.timeout), ("patience", self.patience), ("rate", self.rate)):
            if seconds is not None and not 0 < seconds < float("inf"):
                raise UsageError(f"{name} must be more than 0 and finite, got {seconds:g}")

    @property
    def inputs(self) -> InputSpec | None:
        """What queries are, where that is known."""
        count = self.expected_classes
        if self.input_shape is None or count is None:
            return None
        names = self.class_names or tuple(map(str, range(count)))
        return self.modality.spec(self.input_shape, names)

    @property
    def expected_classes(self) -> int | None:
        """The number of classes, where it is known."""
        return len(self.class_names) or self.classes


def on_device(options: SuspectOptions | None, device: str | None) -> SuspectOptions | None:
    """The options, with another device where one is given."""
    return options if device is None else replace(options or SuspectOptions(), device=device)
