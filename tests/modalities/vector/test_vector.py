"""Vectors: steps and points, mixing, neighbours, other tables, what is sent and shown."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
import torch

from modelprint.core.errors import DataError, MisfitError, SuspectError
from modelprint.modalities import MODALITIES
from modelprint.modalities.base import Labelled, modality_of, read_spec
from modelprint.modalities.vector.modality import Vector
from modelprint.modalities.vector.spec import Column
from modelprint.modalities.wire import TensorForm

COLUMNS = (
    Column(name="width", low=-1.5, step=0.01, levels=301, decimals=2),
    Column(name="rooms", low=1, step=1, levels=9),
    Column(name="colour", levels=3, categories=("blue", "green", "red")),
    Column(name="same", low=7, step=1, levels=1),
)
TABLE = Vector(COLUMNS)
ROWS = np.array([[0, 0, 0, 0], [300, 8, 2, 0], [151, 3, 1, 0]], np.int32)


def test_a_spec_comes_back_and_binds_its_columns() -> None:
    spec = TABLE.spec((4,), ("a", "b"))
    assert read_spec(json.loads(spec.model_dump_json())) == spec
    assert modality_of(spec) == TABLE != MODALITIES["vector"]
    assert (spec.shape, spec.described, spec.numbers["in_features"]) == ((4,), "4 columns, 1 of categories", 4)
    with pytest.raises(ValueError, match="'width' is there twice"):
        Vector((COLUMNS[0], COLUMNS[0])).spec((2,), ("a", "b"))
    with pytest.raises(ValueError, match="3 categories, but 2 levels"):
        Column(name="x", levels=2, categories=("a", "b", "c"))


def test_every_step_survives_rounding() -> None:
    random = np.random.default_rng(0)
    stored = np.stack([random.integers(0, one.levels, 200) for one in COLUMNS], 1).astype(np.int32)
    points = TABLE.to_model(stored)
    assert points.dtype == torch.float32
    assert points.min() >= 0
    assert points.max() <= 1
    assert np.array_equal(TABLE.to_stored(points).numpy(), stored)
    assert np.array_equal(TABLE.as_points(stored), points.numpy())
    finest = Vector((Column(name="x", step=1e-6, levels=2**20, decimals=6),))
    levels = np.array([[0], [1], [2**20 - 2], [2**20 - 1]], np.int32)
    assert np.array_equal(finest.to_stored(finest.to_model(levels)).numpy(), levels)
    TABLE.check(stored)
    for wrong, message in (
        (stored + 1, "column .* is beyond"),
        (np.full((1, 4), np.nan, np.float32), "column width: nan is beyond"),
        (stored[:, :3], r"expected vectors \(n, 4\)"),
    ):
        with pytest.raises(DataError, match=message):
            TABLE.check(wrong)


def test_changes_are_whole_steps_of_each_column() -> None:
    points = TABLE.to_model(ROWS)
    low, high = TABLE.within(points, 0.1)
    assert np.allclose(low[2].numpy() * [300, 8, 2, 1], [121, 3, 1, 0])
    assert np.allclose(high[2].numpy() * [300, 8, 2, 1], [181, 3, 1, 0])  # an eighth of the rooms is more than 0.1
    assert np.allclose(TABLE.steps(points.numpy()), ROWS, atol=1e-4)


def test_mixtures_have_cells_of_two_classes() -> None:
    stored = np.where(np.arange(60)[:, None] < 30, 0, [300, 8, 2, 0]).astype(np.int32)
    data = Labelled(stored=stored, labels=np.repeat([0, 1], 30))
    mixed = TABLE.mix(data, 50, generator=torch.Generator().manual_seed(0))
    above = (mixed.stored == [300, 8, 2, 0])[:, :3].mean(1)
    assert set(np.unique(above)) > {0.0, 1.0}
    inside = (above > 0.7) | (above < 0.3)
    assert ((above > 0.5) == (mixed.labels == 1))[inside].mean() > 0.9
    again = TABLE.mix(data, 50, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(mixed.stored, again.stored)
    with pytest.raises(ValueError, match="two classes"):
        TABLE.mix(data.take(np.arange(30)), 1, generator=torch.Generator())
    near = TABLE.neighbours(Labelled(stored=ROWS, labels=np.arange(3)))
    assert (np.abs(near.stored - ROWS).sum(1) == 1).all()
    assert (near.stored[:, 1:] == ROWS[:, 1:]).all()  # only the width has fine steps
    TABLE.check(near.stored)
    drawn = TABLE.drawn((4,), 400, generator=torch.Generator().manual_seed(0))
    TABLE.check(drawn)
    assert [len(np.unique(drawn[:, place])) for place in (1, 2, 3)] == [9, 3, 1]


def test_another_table_is_matched_by_the_names_of_its_columns() -> None:
    other = Vector((
        Column(name="colour", levels=2, categories=("green", "red")),
        Column(name="further", levels=5),
        Column(name="same", low=7, step=1, levels=1),
        Column(name="rooms", low=0, step=1, levels=20),
        Column(name="width", low=0, step=0.1, levels=100, decimals=1),
    ))  # fmt: skip
    rows = np.array([[1, 4, 0, 5, 3], [0, 0, 0, 19, 99]], np.int32)
    brought = TABLE.brought(rows, other, who="theirs.csv")
    assert brought.tolist() == [[180, 4, 2, 0], [300, 8, 1, 0]]  # 0.3 and 5 rooms; beyond the ends, the ends
    with pytest.raises(DataError, match=r"theirs\.csv: column 'rooms' missing: the table has 'width'"):
        TABLE.brought(rows[:, :3], Vector((COLUMNS[0], COLUMNS[2], COLUMNS[3])), who="theirs.csv")
    violet = Vector((*COLUMNS[:2], Column(name="colour", levels=2, categories=("red", "violet")), COLUMNS[3]))
    with pytest.raises(DataError, match="column colour has the unseen category 'violet': the model knows 'blue'"):
        TABLE.brought(np.array([[0, 0, 1, 0]], np.int32), violet, who="theirs.csv")
    assert TABLE.brought(np.array([[0, 0, 0, 0]], np.int32), violet, who="x").tolist() == [[0, 0, 2, 0]]
    named = Vector((Column(name="width", levels=2, categories=("a", "b")), *COLUMNS[1:]))
    with pytest.raises(DataError, match="column width holds names"):
        TABLE.brought(ROWS * 0, named, who="x")


def test_rows_are_sent_as_they_stand_in_the_table() -> None:
    wire = TABLE.wire
    sent = wire.encoder().encode(ROWS)
    assert sent.dtype == np.float32
    assert np.allclose(sent, [[-1.5, 1, 0, 7], [1.5, 9, 2, 7], [0.01, 4, 1, 7]])
    assert np.array_equal(wire.encoder().encode(TABLE.as_points(ROWS)), sent)
    assert np.array_equal(wire.decoded(sent, "float32"), ROWS)
    assert np.array_equal(TABLE.for_code(ROWS), sent)
    normalised = wire.encoder(TensorForm(mean=(1, 0, 0, 0), std=(2, 1, 1, 1))).encode(ROWS)
    assert np.allclose(normalised[1], [0.25, 9, 2, 7])
    frame = wire.invocation(ROWS, wire.encoder())["dataframe_split"]
    assert frame["columns"] == ["width", "rooms", "colour", "same"]
    assert frame["data"][2] == [0.01, 4, "green", 7]
    assert json.loads(wire.file(ROWS[1])) == {"width": 1.5, "rooms": 9, "colour": "red", "same": 7}
    for values, message in (
        ([[0, 1, 1.5, 7]], "column colour: 1.5 is not the number of a category, 0 to 2"),
        ([[np.nan, 1, 1, 7]], "column width: nan is not a number"),
        ([[0, 1, 1]], "expected rows of 4 columns"),
    ):
        with pytest.raises(DataError, match=message):
            wire.decoded(np.array(values, np.float32), "float32")
    with pytest.raises(MisfitError, match="takes 13 numbers, the vectors have 4 columns"):
        wire.layout((None, 13), (4,), who="m.onnx")
    with pytest.raises(SuspectError, match="leave layout, dtype"):
        wire.encoder(TensorForm(bgr=True))


def test_a_picture_marks_the_cells_that_changed() -> None:
    uri = TABLE.picture(ROWS[2], before=np.array([150, 3, 0, 0], np.int32))
    assert uri is not None
    drawing = base64.b64decode(uri.split(",")[1]).decode()
    assert "0.0 → 0.01" in drawing
    assert "blue → green" in drawing
    assert drawing.count("#ffd479") == 2
    assert "#ffd479" not in base64.b64decode(str(TABLE.picture(ROWS[2])).split(",")[1]).decode()


def test_evasions_move_cells_a_little() -> None:
    points = TABLE.as_points(ROWS)
    noise = TABLE.transforms["cell-noise"]()
    noisy = noise(points)
    assert 0 < np.abs(noisy - points).max() < 0.06
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert np.array_equal(noise(points), noisy)
    assert np.allclose(TABLE.transforms["coarse-cells"](steps=2)(points)[2], [0.5, 0.5, 0.5, 0])
