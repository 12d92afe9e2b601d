"""From what the user wrote to a suspect that can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modelprint.core.deadlines import within
from modelprint.core.errors import ModelError, SuspectError
from modelprint.core.identity import digest, digest_json
from modelprint.core.redaction import check_address, is_address, shown_reference
from modelprint.core.suspect import Suspect
from modelprint.core.untrusted import read_regular
from modelprint.nn.kinds import is_asked, kind_of
from modelprint.suspects.options import Api as Api
from modelprint.suspects.options import SuspectOptions as SuspectOptions
from modelprint.suspects.options import on_device as on_device
from modelprint.suspects.outputs import OutputForm

if TYPE_CHECKING:
    from modelprint.nn.loading import LoadedModel

PATIENCE = 4  # times `timeout`: for one run of an ONNX file, or one of another library, over a batch


def open_suspect(reference: str, options: SuspectOptions | None = None) -> Suspect:
    """The suspect that a SUSPECT argument names: a URL, recorded answers, or a model file.

    Args:
        reference: "http://127.0.0.1:8000", "answers.jsonl", "answers.npz", "answers.csv", "model.onnx",
            "model.tflite", "model.safetensors" ...

    Raises:
        SuspectError: the server or the recording cannot be used; the message says why.
        ModelError: the file cannot be read as a model.
    """
    options = options or SuspectOptions()
    if is_address(reference) and not Path(reference).exists():
        from modelprint.suspects.http import HttpSuspect

        check_address(reference)
        return HttpSuspect.connect(
            reference, replace(options, ledger=options.ledger or default_ledger(reference, options))
        )
    if shown_reference(reference) != reference and not Path(reference).exists():
        raise SuspectError(
            f"{shown_reference(reference)} is neither a file nor an address: an address starts with http:// or https://"
        )
    suffix = Path(reference).suffix.lower()
    if suffix in (".jsonl", ".npz"):
        from modelprint.suspects.recorded import RecordedSuspect, read_recording

        return RecordedSuspect(read_recording(reference), who=reference, fingerprint=options.fingerprint)
    if suffix == ".csv":
        return _open_csv(Path(reference), options)
    if is_asked(reference):
        return _open_graph(reference, options)
    if suffix == ".toml":
        from modelprint.nn.spec_file import read_spec_file

        spec = read_spec_file(Path(reference))
        if is_asked(spec.weights):
            model = options.model
            read = replace(
                model,
                mean=model.mean or spec.mean,
                std=model.std or spec.std,
                bgr=spec.bgr if model.bgr is None else model.bgr,
                value_range=model.value_range or spec.value_range,
                size=model.size or (None if spec.size is None else (spec.height or spec.size, spec.size)),
            )
            return _open_graph(spec.weights, replace(options, model=read))
    return _open_model(reference, options)


def default_ledger(url: str, options: SuspectOptions) -> Path:
    """Where the answers of a server are kept unless said otherwise: the user cache, named after what is asked.

    The same command finds its own ledger again; another fingerprint, another of the server's models, images that are
    prepared otherwise, another mapping file or other class names have another.
    """
    import pooch

    asked: list[object] = [url, options.model_name, options.fingerprint]
    model = options.model
    prepared = [model.mean, model.std, model.size, model.bgr, model.value_range]
    if any(one is not None for one in prepared):
        asked.append(prepared)
    if options.mapping is not None and options.mapping.is_file():
        asked.append(digest(read_regular(options.mapping)))
    if options.class_aliases:
        asked.append(dict(options.class_aliases))
    if options.outputs != OutputForm():
        asked.append(asdict(options.outputs))
    name = f"{urlsplit(url).hostname or 'server'}-{digest_json(asked).removeprefix('sha256:')[:16]}.jsonl"
    return Path(pooch.os_cache("modelprint")) / "ledgers" / name


def _open_csv(path: Path, options: SuspectOptions) -> Suspect:
    from modelprint.suspects.answers_csv import read_answers_csv
    from modelprint.suspects.interpret import class_index
    from modelprint.suspects.recorded import RecordedSuspect

    if options.asked is None:
        raise SuspectError(
            f"{path} holds answers by hand, to the queries of a fingerprint: name it with that fingerprint"
        )
    by_hand = read_answers_csv(path, asked=options.asked(), index=class_index(options), fingerprint=options.fingerprint)
    return RecordedSuspect(
        by_hand.recording,
        who=str(path),
        fingerprint=options.fingerprint,
        notes=by_hand.notes,
        checked=by_hand.checked,
    )


def _open_graph(path: str, options: SuspectOptions) -> Suspect:
    from modelprint.suspects.engines import ENGINES
    from modelprint.suspects.interpret import class_index
    from modelprint.suspects.onnx import OnnxSuspect

    return OnnxSuspect(
        path,
        engine=ENGINES[kind_of(Path(path))],
        model=options.model,
        shape=options.input_shape,
        batch_size=options.batch_size,
        outputs=class_index(options).outputs,
        modality=options.modality,
        seconds=options.patience or PATIENCE * options.timeout,
    )


def _open_model(reference: str, options: SuspectOptions) -> Suspect:
    from modelprint.suspects.interpret import class_index
    from modelprint.suspects.local import TorchSuspect
    from modelprint.suspects.preparing import recolouring_note

    outputs, shape, modality = class_index(options).outputs, options.input_shape, options.modality
    others = () if shape is None else modality.wire.other_shapes(shape)
    loaded, taken = _first_that_opens(reference, options, outputs.width, (shape, *others))
    notes, channels = loaded.notes, None
    if shape is not None and taken is not None and taken != shape:
        notes, channels = (*notes, recolouring_note(shape, taken, who=reference)), taken[0]
    return TorchSuspect(
        loaded.module,
        loaded.identity,
        batch_size=options.batch_size,
        outputs=outputs,
        channels=channels,
        modality=options.modality,
        notes=notes,
        seconds=options.patience,
        takes=None if loaded.spec is None or loaded.spec.input is None else loaded.spec.modality,
        loaded=loaded,
    )


def _first_that_opens(
    reference: str, options: SuspectOptions, classes: int | None, shapes: Sequence[tuple[int, ...] | None]
) -> tuple[LoadedModel, tuple[int, ...] | None]:
    """The model in a file that takes inputs of one of several shapes, and which; the first that fits wins.

    Raises:
        ModelError: none fits; what was wrong with the first.
    """
    from modelprint.nn.loading import open_model

    refused: ModelError | None = None
    for shape in shapes:
        try:
            with within(options.patience, reference):
                loaded = open_model(
                    reference,
                    replace(options.model, seconds=options.patience),
                    shape=shape,
                    classes=classes,
                    inputs=options.inputs,
                    files_first=options.files_first,
                    resize=True,
                    device=options.device or "cpu",
                )
            return loaded, shape
        except ModelError as error:
            refused = refused or error
    assert refused is not None
    raise refused
