"""What hostile inputs are given to: each function gives the words of one command."""

from __future__ import annotations

from tests.hostile.corpus import Command, Place
from tests.hostile.seeds import ARCH


def verify(*more: str) -> Command:
    """A suspect, checked against the whole fingerprint."""
    return lambda place, made: ["verify", place.seeds.fingerprint_folder, made, *more]


def verify_weights(*more: str) -> Command:
    """A checkpoint as a suspect, its architecture named."""
    return verify(*ARCH, *more)


def record(place: Place, made: str) -> list[str]:
    """A suspect, asked for a recording."""
    return ["record", place.seeds.fingerprint_folder, made, "--out", str(place.root / "answers.jsonl")]


def identify(place: Place, made: str) -> list[str]:
    """A suspect, compared with the fingerprint."""
    return ["identify", made, place.seeds.fingerprint_folder]


def inspect(place: Place, made: str) -> list[str]:
    """A fingerprint, shown."""
    return ["inspect", made]


def verify_by(place: Place, made: str) -> list[str]:
    """A fingerprint, by which an honest recording is judged."""
    return ["verify", made, place.file("honest.jsonl", place.seeds.recording(".jsonl"))]


def negatives(place: Place, made: str) -> list[str]:
    """A folder of a judge's own models."""
    honest = place.file("honest/m.safetensors", place.seeds.safetensors)
    return ["verify", place.seeds.fingerprint_folder, honest, "--negatives", made]


def data(place: Place, made: str) -> list[str]:
    """A data set, shown."""
    return ["data", made]


def data_as(*more: str) -> Command:
    """A data set, shown, read as options say."""
    return lambda place, made: ["data", made, *more]


def quantise(kind: str, *more: str) -> Command:
    """A data set of some kind, given with a model of that kind to the cheapest of all attacks."""

    def words(place: Place, made: str) -> list[str]:
        model, copy = place.seeds.model(kind), str(place.root / "copy.safetensors")
        return ["attack", model, made, "--kind", "quantise", "--set", "to=int8", "--out", copy, *more]

    return words


def verify_kind(kind: str, *more: str) -> Command:
    """A suspect, checked against a fingerprint of inputs of some kind."""
    return lambda place, made: ["verify", place.seeds.fingerprint_of(kind), made, *more]


def check(place: Place, made: str) -> list[str]:
    """A bundle, checked."""
    return ["check", made]
