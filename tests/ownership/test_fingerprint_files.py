"""A fingerprint comes back as it was saved, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from modelprint.core.errors import FingerprintError, IntegrityError, ModelprintError
from modelprint.core.identity import canonical_json, digest
from modelprint.core.suspect import Answers
from modelprint.ownership.fingerprint import MANIFEST, TENSORS, Fingerprint

FILES = (MANIFEST, TENSORS, "SHA256")
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def fingerprint(
    *, n: int = 4, calibrated: int = 3, scores: bool = True, eight_bit: bool = True, seed: int = 0
) -> Fingerprint:
    draw = np.random.default_rng(seed)
    images = draw.integers(0, 256, (n, 1, 2, 2), dtype=np.uint8)

    def answers() -> Answers:
        given = draw.normal(size=(n, 3)).astype(np.float32)
        return Answers(labels=given.argmax(1), scores=given if scores else None)

    return Fingerprint.bind(
        {
            "scheme": "adv-tra",
            "parameters": {"l": 2, "brake": 0.9},
            "seed": seed,
            "input": {"channels": 1, "height": 2, "width": 2, "class_names": ["a", "b", "ü"]},
            "codec": "uint8-image" if eight_bit else "float32",
            "source": "sha256:00",
            "source_accuracy": 0.9,
            "data": "sha256:11",
            "data_name": "digits:queries",
            "report": {"success_rate": 1.0},
            "calibration": [
                {"name": f"{k}", "identity": f"sha256:{k}", "accuracy": None, "kind": "SAST"} for k in range(calibrated)
            ],
            "library": "0.1.0",
        },
        queries=images if eight_bit else images.astype(np.float32) / 255,
        true_labels=draw.integers(0, 3, n),
        source=answers(),
        state={"group": np.arange(n) // 2, "weights": draw.normal(size=(2, 3))},
        calibration=tuple(answers() for _ in range(calibrated)),
        plane={"anchors": images[:3], "labels": np.zeros((5, 5), np.int64)} if n >= 3 else None,
    )


@pytest.fixture(scope="module")
def original() -> Fingerprint:
    return fingerprint()


@pytest.fixture
def saved(original: Fingerprint, tmp_path: Path) -> Path:
    original.save(tmp_path / "print")
    return tmp_path / "print"


def same(one: Answers, other: Answers) -> bool:
    if one.scores is None or other.scores is None:
        return one.scores is other.scores and np.array_equal(one.labels, other.labels)
    return np.array_equal(one.labels, other.labels) and np.array_equal(one.scores, other.scores)


@given(
    st.builds(
        fingerprint,
        n=st.integers(1, 5),
        calibrated=st.integers(0, 3),
        scores=st.booleans(),
        eight_bit=st.booleans(),
        seed=st.integers(0, 2**32 - 1),
    )
)
@quick
def test_what_is_saved_is_loaded(tmp_path, made):
    made.save(tmp_path / "print")
    loaded = Fingerprint.load(tmp_path / "print")
    assert loaded.manifest == made.manifest
    assert loaded.identity == made.identity
    assert loaded.queries.dtype == made.queries.dtype
    for name in ("queries", "true_labels"):
        assert np.array_equal(getattr(loaded, name), getattr(made, name))
    assert same(loaded.source, made.source)
    assert len(loaded.calibration) == len(made.calibration)
    assert all(map(same, loaded.calibration, made.calibration))
    for one, other in ((loaded.state, made.state), (loaded.plane or {}, made.plane or {})):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) for name in one)


@given(st.data())
@settings(quick, max_examples=300)
def test_a_byte_edited_anywhere_is_seen(saved, data):
    path = saved / data.draw(st.sampled_from(FILES))
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    edited = content[place] ^ data.draw(st.integers(1, 255))
    path.write_bytes(content[:place] + bytes([edited]) + content[place + 1 :])
    try:
        with pytest.raises((IntegrityError, FingerprintError)):
            Fingerprint.load(saved)
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\n", lambda data: b""])
def test_a_file_cut_short_or_grown_is_seen(name, change, saved):
    path = saved / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(IntegrityError, match="was changed after enrollment"):
        Fingerprint.load(saved)


@pytest.mark.parametrize("name", [TENSORS, "SHA256"])
def test_a_missing_file_is_named(name, saved):
    (saved / name).unlink()
    with pytest.raises(IntegrityError, match=f"is incomplete: .*{name}"):
        Fingerprint.load(saved)


def test_something_else_is_no_fingerprint(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(FingerprintError, match=r"is no fingerprint: it has no manifest\.json"):
            Fingerprint.load(path)


def forge(folder: Path, manifest: dict[str, object], arrays: dict[str, np.ndarray]) -> None:
    """Write a fingerprint whose hashes are right, whatever it holds."""
    tensors = save(arrays)
    text = canonical_json({**manifest, "tensors": digest(tensors)})
    (folder / TENSORS).write_bytes(tensors)
    (folder / MANIFEST).write_bytes(text)
    (folder / "SHA256").write_text(digest(text))


@pytest.fixture
def parts(saved: Path) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    return json.loads((saved / MANIFEST).read_bytes()), load((saved / TENSORS).read_bytes())


def test_a_forgery_of_right_hashes_loads_when_it_makes_sense(saved, original, parts):
    forge(saved, *parts)
    assert Fingerprint.load(saved).identity == original.identity


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"codec": "jpeg"},
        {"input": {"channels": 0, "height": 2, "width": 2, "class_names": ["a", "b"]}},
        {"surprise": 1},
        {"seed": "many"},
    ],
)
def test_a_manifest_of_another_kind_is_refused(change, saved, parts):
    manifest, arrays = parts
    forge(saved, {**manifest, **change}, arrays)
    with pytest.raises(FingerprintError, match="is not a manifest this version reads"):
        Fingerprint.load(saved)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"queries": np.zeros((4, 3, 2, 2), np.uint8)}, "queries are uint8"),
        ({"queries": np.zeros((4, 1, 2, 2), np.float32)}, "queries are float32"),
        ({"true_labels": np.zeros(5, np.int64)}, "true_labels has shape"),
        ({"source.labels": np.zeros((4, 1), np.int64)}, "source.labels has shape"),
        ({"source.scores": np.zeros((4, 2), np.float32)}, "source.scores has shape"),
        ({"calibration.labels": np.zeros((2, 4), np.int64)}, "calibration.labels has shape"),
        ({"calibration.scores": np.zeros((3, 4), np.float32)}, "calibration.scores has shape"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(change, what, saved, parts):
    manifest, arrays = parts
    forge(saved, manifest, {**arrays, **change})
    with pytest.raises(FingerprintError, match=f"does not hold a fingerprint's tensors: {what}"):
        Fingerprint.load(saved)


@pytest.mark.parametrize("name", ["queries", "true_labels", "source.labels", "calibration.labels"])
def test_tensors_that_are_missing_are_named(name, saved, parts):
    manifest, arrays = parts
    forge(saved, manifest, {key: value for key, value in arrays.items() if key != name})
    with pytest.raises(FingerprintError, match=name):
        Fingerprint.load(saved)


def test_other_calibration_models_make_another_identity(original):
    fewer = original.recalibrated(original.manifest.calibration[:2], original.calibration[:2])
    assert fewer.identity != original.identity
    assert len(fewer.calibration) == 2
    assert np.array_equal(fewer.queries, original.queries)
    again = fewer.recalibrated(original.manifest.calibration, original.calibration)
    assert again.identity == original.identity


def test_a_fingerprint_replaces_an_older_one_but_nothing_else(original, saved):
    other = fingerprint(seed=5)
    other.save(saved)
    assert Fingerprint.load(saved).identity == other.identity
    (saved / "notes.txt").touch()
    with pytest.raises(ModelprintError, match="is something else"):
        original.save(saved)
    assert Fingerprint.load(saved).identity == other.identity
