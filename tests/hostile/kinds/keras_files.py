"""Keras files: layers that are code, parts that lie elsewhere, sizes that nobody has, pickles in archives."""

from __future__ import annotations

import base64
import dataclasses
import functools
import io
import json
import marshal
import pickle
import zipfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

from tests.hostile.commands import identify, record, verify
from tests.hostile.corpus import ANY, REFUSED, Command, HostileInput, Place, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP

VERIFY = verify("--timeout", "8")
SECONDS = 20.0  # the first file waits for Keras
Config = dict[str, Any]


def layer(kind: str, **config: Any) -> Config:
    """One layer of a configuration."""
    return {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None}


def network() -> Config:
    """A classifier that fits the fingerprint: the mean of an image, in three classes."""
    layers = [
        layer("InputLayer", batch_shape=[None, 2, 2, 1], dtype="float32", name="images"),
        layer("Flatten", name="flat", dtype="float32"),
        layer("Dense", name="scores", units=3, activation="linear", dtype="float32"),
    ]
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "s", "dtype": "float32", "layers": layers},
        "registered_name": None,
    }


def inner(config: Config) -> list[Config]:
    """The layers of a network."""
    listed: list[Config] = config["config"]["layers"]
    return listed


@functools.cache
def weights() -> bytes:
    """As `.keras` files hold them."""
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["layers/dense/vars/0"] = np.ones((4, 3), np.float32)
        file["layers/dense/vars/1"] = np.arange(3, dtype=np.float32)
        file.create_group("layers/flatten/vars")
        file.create_group("vars")
    return stream.getvalue()


def zipped(config: str | bytes, members: dict[str, bytes] | None = None, *, method: int = zipfile.ZIP_STORED) -> bytes:
    """A `.keras` file."""
    stream = io.BytesIO()
    parts = {"metadata.json": b'{"keras_version": "3.12.0"}', "config.json": config, "model.weights.h5": weights()}
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in {**parts, **(members or {})}.items():
            archive.writestr(name, data)
    return stream.getvalue()


def hdf5(config: object = None, fill: Callable[[Any, Place], None] | None = None) -> Callable[[Place], bytes]:
    """A `.h5` file; `fill` puts something into it."""

    def data(place: Place) -> bytes:
        import h5py

        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            text = config if isinstance(config, str) else json.dumps(network() if config is None else config)
            file.attrs["model_config"] = text
            file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
            group = file.create_group("model_weights")
            group.attrs["layer_names"] = np.array([b"flat", b"scores"])
            group.create_group("flat").attrs["weight_names"] = np.array([], dtype="S1")
            scores = group.create_group("scores")
            scores.attrs["weight_names"] = np.array([b"scores/kernel:0", b"scores/bias:0"])
            scores["scores/kernel:0"], scores["scores/bias:0"] = np.ones((4, 3), "f4"), np.arange(3, dtype="f4")
            if fill is not None:
                fill(file, place)
        return stream.getvalue()

    return data


def case(
    name: str,
    file: str,
    data: bytes | str | Callable[[Place], bytes],
    says: str = "",
    exits: frozenset[int] = REFUSED,
    *,
    command: Command = VERIFY,
    quick: bool = False,
) -> HostileInput:
    """One file."""

    def make(place: Place) -> str:
        return place.file(file, data(place) if callable(data) else data)

    return hostile(f"keras_files/{name}", make, command, says or file, exits, seconds=SECONDS, quick=quick)


def changed(change: Callable[[Config], object]) -> Callable[[Place], bytes]:
    """A `.keras` file with another configuration."""

    def data(place: Place) -> bytes:
        config = network()
        change(config)
        return zipped(json.dumps(config))

    return data


def there() -> bool:
    return find_spec("keras") is not None and find_spec("h5py") is not None


def code(place: Place) -> str:
    """Python's byte code that would make the canary, as Keras 2 packed it."""
    compiled = compile(f"open({str(place.canary)!r}, 'w')", "x", "eval")
    return base64.b64encode(marshal.dumps(compiled)).decode()


@family
def classes() -> Iterator[HostileInput]:
    """Classes that are code, that read files, or that are nobody's."""
    if not there():
        return

    def lambda_of(place: Place) -> Config:
        packed = {"class_name": "__lambda__", "config": {"code": code(place), "defaults": None, "closure": None}}
        return layer("Lambda", name="evil", function=packed)

    def keras_two(place: Place) -> Config:
        config = network()
        inner(config).append(
            {"class_name": "Lambda", "config": {"function": [code(place), None, None], "function_type": "lambda"}}
        )
        return config

    def with_lambda(place: Place) -> bytes:
        config = network()
        inner(config).append(lambda_of(place))
        return zipped(json.dumps(config))

    yield case("classes/lambda", "m.keras", with_lambda, "Lambda layer, which is code", quick=True)
    yield case(
        "classes/lambda-in-h5", "m.h5", lambda place: hdf5(keras_two(place))(place), "Lambda layer, which is code"
    )
    for command_name, command in {"record": record, "identify": identify}.items():
        yield case(f"classes/lambda-by-{command_name}", "m.keras", with_lambda, "Lambda layer", command=command)
    named = {
        "os-system": ("os", "system"),
        "subprocess": ("subprocess", "Popen"),
        "builtins-eval": ("builtins", "eval"),
        "builtins-function": ("builtins", "function"),
        "importlib": ("importlib", "import_module"),
        "own-module": ("evil", "Attention"),
        "get-file": ("keras.src.utils.file_utils", "get_file"),
        "get-file-public": ("keras.utils", "get_file"),
        "unsafe": ("keras.config", "enable_unsafe_deserialization"),
        "load-model": ("keras.saving", "load_model"),
        "load-model-inner": ("keras.src.saving.saving_api", "load_model"),
        "dotted": ("keras.layers", "Dense.__init__.__globals__"),
        "almost": ("keras.layersX", "Dense"),
        "torch": ("torch", "load"),
        "numpy": ("numpy", "load"),
        "escapes": ("keras\x1b[2J", "Dense\n"),
        "number": (3, 4),  # type: ignore[dict-item]
        "wrapper": ("keras.layers", "TorchModuleWrapper"),
        "saved-model": ("keras.layers", "TFSMLayer"),
        "vocabulary": ("keras.layers", "StringLookup"),
        "text": ("keras.layers", "TextVectorization"),
        "unknown": ("keras.layers", "NoSuchLayer"),
    }
    for name, (module, class_name) in named.items():

        def change(config: Config, module: Any = module, class_name: Any = class_name) -> None:
            inner(config)[1].update(module=module, class_name=class_name)

        yield case(f"classes/{name}", "m.keras", changed(change), quick=name == "get-file")
        initialiser = {"module": module, "class_name": class_name, "config": {"filepath": "/etc/passwd"}}
        yield case(
            f"classes-as-initialiser/{name}",
            "m.keras",
            changed(lambda config, one=initialiser: inner(config)[2]["config"].update(kernel_initializer=one)),
        )


@family
def sizes() -> Iterator[HostileInput]:
    """Layers that would take all memory, and configurations without an end."""
    if not there():
        return

    def many(config: Config) -> None:
        inner(config)[2:2] = [layer("Flatten", name=f"f{number}") for number in range(20_000)]

    def deep(depth: int) -> str:
        text = json.dumps({"module": "keras", "class_name": "Sequential", "config": {"layers": ["HERE"]}})
        before, after = text.split('"HERE"')
        return before * depth + after * depth

    grown: dict[str, Callable[[Config], object]] = {
        "units-huge": lambda config: inner(config)[2]["config"].update(units=2**40),
        "units-large": lambda config: inner(config)[2]["config"].update(units=2**29),
        "units-negative": lambda config: inner(config)[2]["config"].update(units=-3),
        "units-text": lambda config: inner(config)[2]["config"].update(units="many"),
        "units-zero": lambda config: inner(config)[2]["config"].update(units=0),
        "input-huge": lambda config: inner(config)[0]["config"].update(batch_shape=[None, 2**31, 2**31, 1]),
        "input-large": lambda config: inner(config)[0]["config"].update(batch_shape=[None, 2**14, 2**14, 1]),
        "input-negative": lambda config: inner(config)[0]["config"].update(batch_shape=[None, -2, 2, 1]),
        "input-of-nothing": lambda config: inner(config)[0]["config"].update(batch_shape=[]),
        "padding": lambda config: inner(config).insert(1, layer("ZeroPadding2D", name="z", padding=2**20)),
        "upsampling": lambda config: inner(config).insert(1, layer("UpSampling2D", name="u", size=2**16)),
        "repeat": lambda config: inner(config).append(layer("RepeatVector", name="r", n=2**40)),
        "convolution": lambda config: inner(config).insert(1, layer("Conv2D", name="c", filters=2**31, kernel_size=1)),
        "very-many-layers": many,
        "no-layers": lambda config: config["config"].update(layers=[]),
        "layers-of-text": lambda config: config["config"].update(layers="abc"),
        "layer-of-none": lambda config: config["config"].update(layers=[None]),
        "no-config": lambda config: config.pop("config"),
        "itself": lambda config: inner(config).append(network()),
    }
    for name, change in grown.items():
        exits = ANY if name in ("itself", "very-many-layers", "repeat") else REFUSED
        yield case(f"sizes/{name}", "m.keras", changed(change), exits=exits, quick=name == "units-huge")
    for depth in (200, 5000, 100_000):
        yield case(f"sizes/deep-{depth}", "m.keras", zipped(deep(depth)))
    yield case("sizes/lists", "m.keras", zipped("[" * 500_000))
    yield case("sizes/deep-in-h5", "m.h5", hdf5(deep(300)))


@family
def archives() -> Iterator[HostileInput]:
    """Archives that lead elsewhere, unpack to much, or hold pickles."""
    if not there():
        return
    good = json.dumps(network())
    pickled = io.BytesIO()
    np.savez(pickled, a=np.array([{"a": 1}], dtype=object), allow_pickle=True)

    class Evil:
        def __init__(self, command: str) -> None:
            self.command = command

        def __reduce__(self) -> tuple[object, ...]:
            import os

            return os.system, (self.command,)

    def evil(place: Place) -> bytes:
        return zipped(good, {"model.weights.h5": pickle.dumps(Evil(f"touch {place.canary}"))})

    def evil_arrays(place: Place) -> bytes:
        stream = io.BytesIO()
        np.savez(stream, **{"layers/dense": np.array(Evil(f"touch {place.canary}"), dtype=object)})  # type: ignore[arg-type]
        whole = zipped(good, {"model.weights.npz": stream.getvalue()})
        return without(whole, "model.weights.h5")

    def without(whole: bytes, name: str) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(stream, "w") as new:
            for entry in old.namelist():
                if entry != name:
                    new.writestr(entry, old.read(entry))
        return stream.getvalue()

    deflated = zipfile.ZIP_DEFLATED
    cases: dict[str, bytes | Callable[[Place], bytes]] = {
        "pickle-as-weights": evil,
        "pickle-in-arrays": evil_arrays,
        "leads-out": zipped(good, {"../../evil": b"x"}),
        "absolute": zipped(good, {"/etc/evil": b"x"}),
        "backslash": zipped(good, {"..\\evil": b"x"}),
        "assets-lead-out": zipped(good, {"assets/../../evil": b"x"}),
        "bomb-config": lambda place: zipped(b" " * 2**28 + good.encode(), method=deflated),
        "bomb-weights": lambda place: zipped(good, {"model.weights.h5": bytes(2**28)}, method=deflated),
        "bomb-beside": lambda place: zipped(good, {"assets/a": bytes(2**28)}, method=deflated),
        "no-weights": without(zipped(good), "model.weights.h5"),
        "no-config": without(zipped(good), "config.json"),
        "no-metadata": without(zipped(good), "metadata.json"),
        "empty-config": zipped(b""),
        "config-of-bytes": zipped(b"\xff\xfe\x00"),
        "config-of-a-number": zipped(b"3"),
        "config-of-none": zipped(b"null"),
        "weights-empty": zipped(good, {"model.weights.h5": b""}),
        "weights-of-text": zipped(good, {"model.weights.h5": b"text"}),
        "metadata-of-a-list": zipped(good, {"metadata.json": b"[[[[1]]]]"}),
        "many-members": lambda place: zipped(good, {f"assets/{number}": b"" for number in range(20_000)}),
        "truncated": zipped(good)[:1000],
        "comment": zipped(good)[:-2] + b"\xff\xff",
    }
    harmless = {"metadata-of-a-list", "no-metadata", "many-members", "comment"}
    for name, data in cases.items():
        exits = ANY if name in harmless else REFUSED
        yield case(f"archives/{name}", "m.keras", data, exits=exits, quick=name == "pickle-as-weights")


@family
def parts() -> Iterator[HostileInput]:
    """HDF5 files whose parts lie elsewhere, or are not there."""
    if not there():
        return
    import h5py

    def external(file: Any, place: Place) -> None:
        file.create_dataset("secret", (10,), "u1", external=[(str(place.secret), 0, 10)])

    def external_kernel(file: Any, place: Place) -> None:
        del file["model_weights/scores/scores/kernel:0"]
        file.create_dataset("model_weights/scores/scores/kernel:0", (4, 3), "f4", external=[(str(place.secret), 0, 48)])

    def virtual(file: Any, place: Place) -> None:
        layout = h5py.VirtualLayout((10,), "u1")
        layout[:] = h5py.VirtualSource(str(place.secret), "x", (10,))
        file.create_virtual_dataset("virtual", layout)

    def bomb(file: Any, place: Place) -> None:
        file.create_dataset("bomb", (2**40,), "f4", chunks=(2**16,), compression="gzip")

    def bomb_kernel(file: Any, place: Place) -> None:
        del file["model_weights/scores/scores/kernel:0"]
        file.create_dataset("model_weights/scores/scores/kernel:0", (2**20, 2**16), "f4", chunks=(2**10, 2**6))

    def many(file: Any, place: Place) -> None:
        for number in range(20_000):
            file.create_group(f"g{number}")

    def deep(file: Any, place: Place) -> None:
        group = file
        for _ in range(2000):
            group = group.create_group("g")

    def texts(file: Any, place: Place) -> None:
        file.create_dataset("texts", data=np.array(["a"], dtype=object), dtype=h5py.string_dtype())

    def references(file: Any, place: Place) -> None:
        file.create_dataset("references", data=np.array([file["model_weights"].ref], dtype=h5py.ref_dtype))

    def opaque(file: Any, place: Place) -> None:
        file["opaque"] = np.void(pickle.dumps({"a": 1}))

    def set_link(link: Any) -> Callable[[Any, Place], None]:
        return lambda file, place: file.__setitem__("link", link(place))

    def names(text: str) -> Callable[[Any, Place], None]:
        return lambda file, place: file["model_weights"].attrs.__setitem__("layer_names", np.array([text.encode()]))

    cases: dict[str, Callable[[Any, Place], None]] = {
        "external": external,
        "external-kernel": external_kernel,
        "virtual": virtual,
        "bomb": bomb,
        "bomb-kernel": bomb_kernel,
        "many": many,
        "deep": deep,
        "texts": texts,
        "references": references,
        "opaque": opaque,
        "external-link": set_link(lambda place: h5py.ExternalLink(str(place.secret), "/")),
        "external-link-to-device": set_link(lambda place: h5py.ExternalLink("/dev/zero", "/")),
        "soft-link": set_link(lambda place: h5py.SoftLink("/nowhere")),
        "soft-link-to-itself": set_link(lambda place: h5py.SoftLink("/link")),
        "hard-link-to-itself": lambda file, place: file["model_weights"].__setitem__("again", file["model_weights"]),
        "layer-names-of-others": names("../../x"),
        "layer-names-with-escapes": names("x\x1b[2J"),
        "no-weights": lambda file, place: file.__delitem__("model_weights"),
        "weights-are-an-array": lambda file, place: (
            file.__delitem__("model_weights"),
            file.__setitem__("model_weights", np.zeros(3)),
        )[1],
        "other-shapes": lambda file, place: (
            file.__delitem__("model_weights/scores/scores/kernel:0"),
            file.__setitem__("model_weights/scores/scores/kernel:0", np.zeros((7, 7), "f4")),
        )[1],
        "nan": lambda file, place: file["model_weights/scores/scores/kernel:0"].__setitem__(slice(None), np.nan),
        "training-config": lambda file, place: file.attrs.__setitem__("training_config", "[" * 10_000),
    }
    harmless = {"many", "deep", "opaque", "training-config", "references"}
    for name, fill in cases.items():
        exits = ANY if name in harmless else REFUSED
        says = "finite|m.h5" if name == "nan" else "m.h5"
        yield case(f"parts/{name}", "m.h5", hdf5(fill=fill), says, exits, quick=name == "external-kernel")
    for name, text in {"no-json": "{", "list": "[]", "none": "null", "text": '"x"', "number": "1e400"}.items():
        yield case(f"configs-in-h5/{name}", "m.h5", hdf5(text))


@family
def names() -> Iterator[HostileInput]:
    """Names with escapes and markup."""
    if not there():
        return
    for group, texts in {"names": ESCAPES, "markup": MARKUP}.items():
        for name, text in texts.items():
            yield case(
                f"{group}/class-{name}",
                "m.keras",
                changed(lambda config, text=text: inner(config)[1].update(class_name=f"Flat{text}")),
            )
            yield case(
                f"{group}/layer-{name}",
                "m.keras",
                changed(lambda config, text=text: inner(config)[2]["config"].update(name=f"n{text}")),
                exits=ANY,
            )


@family
def damage() -> Iterator[HostileInput]:
    """Whole files with damage."""
    if not there():
        return
    whole: dict[str, Callable[[Place], bytes]] = {
        "m.keras": lambda place: zipped(json.dumps(network())),
        "m.h5": hdf5(),
    }
    for file, data in whole.items():
        for entry in damaged(f"keras_files/damaged-{file[2:]}", file, data, VERIFY, 4):
            yield dataclasses.replace(entry, seconds=SECONDS)
        yield case(f"whole/{file[2:]}", file, data, exits=frozenset({0}))
