"""Fingerprints: damaged ones, and ones whose hashes are right but which make no sense."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from modelprint.core.identity import canonical_json, digest
from tests.hostile.commands import inspect, verify_by
from tests.hostile.corpus import ANY, READ, REFUSED, Command, HostileInput, Make, Place, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP, RICH

Manifest = dict[str, Any]
Arrays = dict[str, np.ndarray]
Change = Callable[[Manifest, Arrays], object]
SAYS = "fp|fingerprint|manifest|tensors|scheme|queries|answers"


def folder(place: Place, manifest: bytes, tensors: bytes) -> str:
    """A fingerprint's folder, its hash right."""
    place.file("fp/manifest.json", manifest)
    place.file("fp/tensors.safetensors", tensors)
    place.file("fp/SHA256", digest(manifest))
    return str(place.root / "fp")


def resigned(change: Change) -> Make:
    """The whole fingerprint with something changed and every hash made anew."""

    def make(place: Place) -> str:
        manifest, arrays = parts(place)
        change(manifest, arrays)
        tensors = safetensors.numpy.save(arrays)
        manifest["tensors"] = digest(tensors)
        return folder(place, json.dumps(manifest).encode() if _strange(manifest) else canonical_json(manifest), tensors)

    return make


def _strange(manifest: Manifest) -> bool:
    try:
        canonical_json(manifest)
    except ValueError:
        return True
    return False


def parts(place: Place) -> tuple[Manifest, Arrays]:
    """Manifest and tensors of the whole fingerprint."""
    files = place.seeds.fingerprint.to_bytes()
    loaded = safetensors.numpy.load(files["tensors.safetensors"])
    return json.loads(files["manifest.json"]), dict(loaded)


def said(**fields: object) -> Change:
    """Other fields of the manifest."""
    return lambda manifest, arrays: manifest.update(fields)


def held(**tensors: object) -> Change:
    """Other tensors; None leaves one out, a function changes it."""

    def change(manifest: Manifest, arrays: Arrays) -> None:
        for written, value in tensors.items():
            name = written.replace("__", ".")
            if value is None:
                del arrays[name]
            else:
                arrays[name] = np.ascontiguousarray(value(arrays[name]) if callable(value) else value)

    return change


def spec(**fields: object) -> Change:
    """Other fields of what models take."""
    return lambda manifest, arrays: manifest["input"].update(fields)


def both(*changes: Change) -> Change:
    """One change after another."""

    def change(manifest: Manifest, arrays: Arrays) -> None:
        for one in changes:
            one(manifest, arrays)

    return change


COMMANDS: dict[str, Command] = {"inspect": inspect, "verify": verify_by}
NAN = float("nan")
CHANGES: dict[str, Change] = {
    "scheme-unknown": said(scheme="no-such"),
    "scheme-empty": said(scheme=""),
    "scheme-path": said(scheme="../../x"),
    "scheme-other": said(scheme="adv-tra", parameters={}),
    "scheme-uap": said(scheme="uap", parameters={}),
    "scheme-contrast": said(scheme="contrast", parameters={}),
    "scheme-cort": said(scheme="cort", parameters={}),
    "scheme-sac": said(scheme="sac", parameters={}),
    "scheme-fbi": said(scheme="fbi", parameters={}),
    "scheme-cae": said(scheme="cae", parameters={}),
    "scheme-ipguard": said(scheme="ipguard", parameters={}),
    "parameters-unknown": said(parameters={"surprise": 1}),
    "parameters-text": said(parameters={"queries": "many"}),
    "parameters-negative": said(parameters={"queries": -1}),
    "parameters-huge": said(parameters={"queries": 10**30}),
    "parameters-nan": said(parameters={"queries": NAN}),
    "parameters-list": said(parameters=[1]),
    "parameters-nested": said(parameters={"queries": {"a": [1]}}),
    "version": said(schema_version=2),
    "version-text": said(schema_version="1"),
    "surplus": said(surprise=1),
    "seed-text": said(seed="x"),
    "seed-huge": said(seed=10**100),
    "codec": said(codec="float32"),
    "codec-unknown": said(codec="pickle"),
    "accuracy-nan": said(source_accuracy=NAN),
    "accuracy-large": said(source_accuracy=1e300),
    "accuracy-text": said(source_accuracy="high"),
    "report-deep": said(report={"a": {"b": {"c": [1, 2, {"d": 1}]}}}),
    "report-list": said(report=[]),
    "calibration-none": said(calibration=[]),
    "calibration-more": lambda manifest, arrays: manifest["calibration"].append(manifest["calibration"][0]),
    "calibration-fewer": lambda manifest, arrays: manifest["calibration"].pop(),
    "calibration-kind": lambda manifest, arrays: manifest["calibration"][0].update(kind="NONSENSE"),
    "calibration-text": said(calibration="x"),
    "calibration-same": lambda manifest, arrays: [
        model.update(identity="sha256:" + "0" * 64) for model in manifest["calibration"]
    ],
    "calibration-is-the-source": lambda manifest, arrays: manifest["calibration"][0].update(
        identity=manifest["source"]
    ),
    "calibration-circle": lambda manifest, arrays: manifest["calibration"][0].update(
        made_from=manifest["calibration"][0]["identity"]
    ),
    "calibration-behind": lambda manifest, arrays: manifest["calibration"][0].update(behind="no-such-transform"),
    "calibration-accuracy-nan": lambda manifest, arrays: manifest["calibration"][0].update(accuracy=NAN),
    "shadows-side": said(shadows=[{"name": "x", "identity": "y", "side": "z"}]),
    "budget-negative": said(budget=-1),
    "budget-huge": said(budget=10**30),
    "budget-zero": said(budget=0),
    "source-empty": said(source=""),
    "bases-many": said(bases=["x"] * 10_000),
    "data-name-path": said(data_name="/etc/passwd"),
    "data-name-device": said(data_name="/dev/zero"),
    "enrollment-code": said(enrollment={"recipe": "evil.py:fit"}),
    "enrollment-text": said(enrollment="x"),
    "library-long": said(library="x" * 10**6),
    "input-none": said(input=None),
    "input-list": said(input=[]),
    "input-modality": said(input={"modality": "telepathy"}),
    "classes-none": spec(class_names=[]),
    "classes-one": spec(class_names=["a"]),
    "classes-fewer": spec(class_names=["a", "b"]),
    "classes-many": spec(class_names=[str(n) for n in range(100_000)]),
    "classes-same": spec(class_names=["a", "a", "a"]),
    "classes-numbers": spec(class_names=[1, 2, 3]),
    "channels-huge": spec(channels=10**12),
    "channels-zero": spec(channels=0),
    "channels-negative": spec(channels=-1),
    "channels-more": spec(channels=3),
    "height-huge": spec(height=2**62),
    "height-text": spec(height="2"),
    "height-fraction": spec(height=2.5),
    "width-zero": spec(width=0),
    "queries-none": held(queries=None),
    "queries-empty": held(queries=lambda old: old[:0]),
    "queries-flat": held(queries=lambda old: old.reshape(4, 4)),
    "queries-float": held(queries=lambda old: old.astype(np.float32)),
    "queries-int64": held(queries=lambda old: old.astype(np.int64)),
    "queries-larger": held(queries=np.zeros((4, 1, 9, 9), np.uint8)),
    "queries-more": held(queries=lambda old: np.concatenate([old, old])),
    "queries-scalar": held(queries=np.array(3, np.uint8)),
    "queries-same": held(queries=np.zeros_like),
    "labels-none": held(true_labels=None),
    "labels-float": held(true_labels=np.zeros(4, np.float32)),
    "labels-fewer": held(true_labels=np.zeros(3, np.int64)),
    "labels-negative": held(true_labels=np.full(4, -5, np.int64)),
    "labels-huge": held(true_labels=np.full(4, 2**62, np.int64)),
    "labels-matrix": held(true_labels=np.zeros((4, 4), np.int64)),
    "source-labels-none": held(source__labels=None),
    "source-labels-negative": held(source__labels=np.full(4, -5, np.int64)),
    "source-labels-beyond": held(source__labels=np.full(4, 99, np.int64)),
    "source-labels-huge": held(source__labels=np.full(4, 2**62, np.int64)),
    "source-labels-float": held(source__labels=np.full(4, 0.5, np.float32)),
    "source-scores-nan": held(source__scores=np.full((4, 3), np.nan, np.float32)),
    "source-scores-infinite": held(source__scores=np.full((4, 3), np.inf, np.float32)),
    "source-scores-narrow": held(source__scores=np.zeros((4, 2), np.float32)),
    "source-scores-flat": held(source__scores=np.zeros(12, np.float32)),
    "source-scores-double": held(source__scores=np.zeros((4, 3), np.float64)),
    "source-scores-disagree": held(source__scores=np.zeros((4, 3), np.float32)),
    "answers-none": held(calibration__labels=None),
    "answers-fewer": held(calibration__labels=lambda old: old[:3]),
    "answers-short": held(calibration__labels=lambda old: old[:, :2]),
    "answers-negative": held(calibration__labels=lambda old: old - 100),
    "answers-beyond": held(calibration__labels=lambda old: old + 1000),
    "answers-huge": held(calibration__labels=lambda old: old + 2**61),
    "answers-float": held(calibration__labels=lambda old: old / np.float32(2)),
    "answers-flat": held(calibration__labels=lambda old: old.reshape(-1)),
    "answers-unanswered": held(calibration__labels=lambda old: np.full_like(old, -1)),
    "answers-of-the-source": held(calibration__labels=lambda old: np.tile(np.array([0, 1, 2, 1]), (19, 1))),
    "answer-scores-nan": held(calibration__scores=np.full((19, 4, 3), np.nan, np.float32)),
    "answer-scores-narrow": held(calibration__scores=np.zeros((19, 4, 1), np.float32)),
    "answer-scores-fewer": held(calibration__scores=np.zeros((2, 4, 3), np.float32)),
    "state-none": held(state__group=None),
    "state-short": held(state__group=np.zeros(1, np.int64)),
    "state-negative": held(state__group=np.full(4, -9, np.int64)),
    "state-huge": held(state__group=np.full(4, 2**62, np.int64)),
    "state-float": held(state__group=np.full(4, np.nan, np.float32)),
    "state-matrix": held(state__group=np.zeros((4, 4), np.int64)),
    "state-surplus": held(state__surprise=np.zeros(3)),
    "state-empty-name": lambda manifest, arrays: arrays.update({"state.": np.zeros(1)}),
    "tensor-surplus": held(surprise=np.zeros(3)),
    "plane-anchors": held(plane__anchors=np.zeros((3, 1, 2, 2), np.uint8)),
    "plane-labels": held(plane__labels=np.zeros((5, 5), np.int64)),
    "plane-huge": held(plane__anchors=np.zeros((3, 1, 2, 2), np.uint8), plane__labels=np.full((5, 5), 2**62, np.int64)),
    "plane-shapes": held(plane__anchors=np.zeros(7, np.float32), plane__labels=np.zeros(3, np.int64)),
}
HARMLESS = {
    "height-text",
    "seed-huge",
    "accuracy-large",
    "report-deep",
    "calibration-kind",
    "calibration-same",
    "calibration-is-the-source",
    "calibration-circle",
    "calibration-behind",
    "shadows-side",
    "budget-negative",
    "budget-huge",
    "budget-zero",
    "source-empty",
    "bases-many",
    "data-name-path",
    "data-name-device",
    "enrollment-code",
    "library-long",
    "classes-same",
    "classes-one",
    "classes-many",
    "queries-same",
    "labels-negative",
    "labels-huge",
    "labels-float",
    "source-labels-negative",
    "source-labels-beyond",
    "source-labels-huge",
    "source-labels-float",
    "source-scores-nan",
    "source-scores-infinite",
    "source-scores-disagree",
    "source-scores-double",
    "answers-negative",
    "answers-beyond",
    "answers-huge",
    "answers-float",
    "answers-unanswered",
    "answers-of-the-source",
    "answer-scores-nan",
    "state-none",
    "state-short",
    "state-negative",
    "state-huge",
    "state-float",
    "state-matrix",
    "state-surplus",
    "state-empty-name",
    "tensor-surplus",
    "plane-anchors",
    "plane-labels",
    "plane-huge",
    "plane-shapes",
    "calibration-none",
    "queries-empty",
    "seed-text",
    "parameters-huge",
    "parameters-unknown",
    "parameters-text",
    "parameters-negative",
    "parameters-nan",
    "parameters-nested",
    "scheme-unknown",
    "scheme-empty",
    "scheme-path",
    "accuracy-nan",
    "calibration-accuracy-nan",
    "parameters-list",
    "version-text",
    "classes-fewer",
    "answer-scores-narrow",
    *(f"scheme-{name}" for name in ("other", "uap", "contrast", "cort", "sac", "fbi", "cae", "ipguard")),
}


@family
def senseless() -> Iterator[HostileInput]:
    """Every hash right, and nonsense within."""
    for name, change in CHANGES.items():
        for command, words in COMMANDS.items():
            yield hostile(
                f"fingerprints/senseless-{command}/{name}",
                resigned(change),
                words,
                SAYS,
                ANY if name in HARMLESS else REFUSED,
            )

    def report(place: Place, made: str) -> list[str]:
        return [*verify_by(place, made), "--report", str(place.root / "r.html")]

    for name in (
        "plane-huge",
        "plane-shapes",
        "source-labels-beyond",
        "source-labels-negative",
        "source-labels-huge",
        "answers-beyond",
        "answers-negative",
        "labels-huge",
        "source-scores-nan",
        "report-deep",
        "accuracy-nan",
        "state-huge",
        "accuracy-large",
    ):
        yield hostile(f"fingerprints/senseless-report/{name}", resigned(CHANGES[name]), report, SAYS, ANY, seconds=20)


@family
def files() -> Iterator[HostileInput]:
    """Folders that are no fingerprints."""

    def with_file(name: str, data: bytes) -> Make:
        def make(place: Place) -> str:
            files = place.seeds.fingerprint.to_bytes()
            path = folder(place, files["manifest.json"], files["tensors.safetensors"])
            place.file(f"fp/{name}", data)
            return path

        return make

    def with_link(name: str, target: str) -> Make:
        def make(place: Place) -> str:
            path = with_file("x", b"")(place)
            (Path(path) / name).unlink()
            if target == "fifo":
                os.mkfifo(Path(path) / name)
            elif target != "missing":
                (Path(path) / name).symlink_to(target.replace("SECRET", str(place.secret)))
            return path

        return make

    for name in ("manifest.json", "tensors.safetensors", "SHA256"):
        for target in ("fifo", "missing", "/dev/zero", "SECRET", name, "/dev/full"):
            yield hostile(
                f"fingerprints/files/{name}-{target.replace('/', '_')}",
                with_link(name, target),
                inspect,
                "fp",
                quick=target == "fifo" and name == "SHA256",
            )
        for case, data in {
            "empty": b"",
            "zeros": bytes(1000),
            "nested": b"[" * 100_000,
            "null": b"null",
            "long": b" " * 10_000_000,
        }.items():
            yield hostile(f"fingerprints/files/{name}-{case}", with_file(name, data), inspect, "fp")
    for case, text in {
        "empty": b"",
        "null": b"null",
        "nested": b"[" * 100_000,
        "nan": b'{"seed": NaN}',
        "list": b"[]",
        "not-utf8": b'{"\xff": 1}',
        "digits": b'{"seed": ' + b"9" * 100_000 + b"}",
        "twice": b'{"seed": 1, "seed": 2}',
        "deep-object": b'{"a":' * 50_000,
    }.items():

        def make(place: Place, text: bytes = text) -> str:
            return folder(place, text, place.seeds.fingerprint.to_bytes()["tensors.safetensors"])

        yield hostile(f"fingerprints/manifests/{case}", make, inspect, "manifest")
    for case, shape in {"8-tib": [2**40, 1, 2, 2], "overflow": [2**62, 4, 2, 2], "dimensions": [1] * 100}.items():

        def claiming(place: Place, shape: list[int] = shape) -> str:
            from tests.hostile.kinds.safetensors import entry, packed

            manifest, _ = parts(place)
            tensors = packed({"queries": entry(shape, 0, 16, "U8")}, bytes(16))
            manifest["tensors"] = digest(tensors)
            return folder(place, canonical_json(manifest), tensors)

        yield hostile(f"fingerprints/claims/{case}", claiming, inspect, "tensors", quick=case == "8-tib")

    def many(place: Place) -> str:
        manifest, arrays = parts(place)
        for number in range(20_000):
            arrays[f"state.{number}"] = np.zeros(0)
        tensors = safetensors.numpy.save(arrays)
        return folder(place, canonical_json({**manifest, "tensors": digest(tensors)}), tensors)

    yield hostile("fingerprints/claims/20000-state-tensors", many, inspect, SAYS, ANY)


@family
def names() -> Iterator[HostileInput]:
    """Names with escapes and markup in every field of text."""
    fields: dict[str, Callable[[str], Change]] = {
        "data-name": lambda text: said(data_name=text),
        "library": lambda text: said(library=text),
        "source": lambda text: said(source=text),
        "scheme": lambda text: said(scheme=text),
        "class": lambda text: spec(class_names=[text, "b", "c"]),
        "model": lambda text: lambda manifest, arrays: manifest["calibration"][0].update(name=text),
        "report-key": lambda text: said(report={text: 1}),
        "report-value": lambda text: said(report={"note": text}),
        "parameter": lambda text: said(parameters={text: text}),
        "state": lambda text: lambda manifest, arrays: arrays.update({f"state.{text}": np.zeros(1)}),
    }
    for field, change in fields.items():
        for name, text in {**ESCAPES, **RICH}.items():
            yield hostile(f"fingerprints/names-{field}/{name}", resigned(change(text)), inspect, "", ANY)
        if field in ("data-name", "source", "class", "model", "report-key", "report-value", "library"):
            for name, text in MARKUP.items():

                def report(place: Place, made: str) -> list[str]:
                    return [*verify_by(place, made), "--report", str(place.root / "r.html")]

                yield hostile(
                    f"fingerprints/markup-{field}/{name}",
                    resigned(change(text)),
                    report,
                    "",
                    READ if field != "report-key" else ANY,
                    pages=True,
                    seconds=20,
                )


@family
def damage() -> Iterator[HostileInput]:
    """Tensors and manifest with damage: as they are, and under hashes made anew."""
    for file in ("manifest.json", "tensors.safetensors"):
        for signed in (False, True):
            group = f"fingerprints/damaged-{file.split('.')[0]}{'-signed-anew' if signed else ''}"

            def whole(place: Place, file: str = file) -> bytes:
                return place.seeds.fingerprint.to_bytes()[file]

            for entry in damaged(group, "damaged", whole, verify_by, 5):

                def make(place: Place, entry: HostileInput = entry, file: str = file, signed: bool = signed) -> str:
                    broken = Path(entry.make(place)).read_bytes()
                    files = {**place.seeds.fingerprint.to_bytes(), file: broken}
                    if not signed:
                        path = folder(place, *(files[name] for name in ("manifest.json", "tensors.safetensors")))
                        place.file("fp/SHA256", digest(place.seeds.fingerprint.to_bytes()["manifest.json"]))
                        return path
                    if file.startswith("tensors"):
                        manifest, _ = parts(place)
                        files["manifest.json"] = canonical_json({**manifest, "tensors": digest(broken)})
                    return folder(place, files["manifest.json"], files["tensors.safetensors"])

                yield hostile(entry.name, make, verify_by, "", ANY)
