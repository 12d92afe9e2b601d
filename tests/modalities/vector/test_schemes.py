"""Schemes on vectors: a tuned copy is found, models of their own are not; cells stay whole numbers and categories."""

from __future__ import annotations

import copy
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.attacks import run_attack
from modelprint.cli.app import run
from modelprint.core.access import Access
from modelprint.core.errors import DataError, MisfitError
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.modalities.vector.spec import Column
from modelprint.nn.files import save_model
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.nn.options import ModelOptions
from modelprint.ownership.ask import record_answers
from modelprint.ownership.enroll import enroll
from modelprint.ownership.export import export_queries
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.negatives import of_module
from modelprint.ownership.verify import examine, verify
from modelprint.report.verdict.cases import Case
from modelprint.report.verdict.render import render_report
from modelprint.suspects.local import TorchSuspect
from modelprint.suspects.onnx import OnnxSuspect
from modelprint.suspects.open import SuspectOptions
from modelprint.suspects.serving import create_app
from modelprint.training.recipes import TrainRecipe
from modelprint.training.train import spec_for, train_model
from modelprint.zoo.reference_models.shadows import Shadows
from tests.suspects.servers import Reply, Request, Scripted, running

CODES = {"blue": 0, "green": 1, "red": 2}
RECIPE = TrainRecipe(epochs=6, lr=0.05, batch_size=64, augment="none")


@dataclass(frozen=True, kw_only=True)
class World:
    table: Path
    source: LoadedModel
    copies: list[nn.Module]
    references: list[nn.Module]
    independents: list[nn.Module]
    queries: LabelledSet
    owner: LabelledSet


def rows(count: int, seed: int) -> list[str]:
    """Houses of four kinds, by two lengths, a number of rooms and a colour; a tenth are mislabelled."""
    random = np.random.default_rng(seed)
    length, width = random.uniform(4, 30, count).round(2), random.uniform(3, 12, count).round(1)
    room, colour = random.integers(1, 9, count), random.integers(0, 3, count)
    kind = (length * width + 9 * room + 30 * (colour == 1) > 190) * 2 + (length - 2 * width + 3 * (colour == 2) > 2)
    kind = np.where(random.random(count) < 0.1, random.integers(0, 4, count), kind)
    called, painted = ("barn", "hut", "manor", "villa"), ("blue", "green", "red")
    return [
        f"{a},{b},{c},{painted[d]},{called[e]}" for a, b, c, d, e in zip(length, width, room, colour, kind, strict=True)
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> World:
    folder = tmp_path_factory.mktemp("houses")
    table = folder / "houses.csv"
    table.write_text("\n".join(["length,width,rooms,colour,kind", *rows(1800, 0)]))
    owner, other, attacker = (load_data(f"{table}:{part}?label=kind") for part in ("owner", "stranger", "attacker"))
    spec = spec_for(owner, "vector-mlp", {"width": 48})
    trained = train_model(owner, spec, RECIPE, seed=0)
    save_model(folder / "source.safetensors", trained.model, trained.card)
    return World(
        table=table,
        source=load_model(folder / "source.safetensors"),
        copies=[
            run_attack("ftal", {"epochs": "3"}, trained.model, spec, attacker, seed=seed).model for seed in (1, 2, 3)
        ],
        references=[train_model(owner, spec, RECIPE, seed=seed).model for seed in (50, 51)],
        independents=[train_model(other, spec, RECIPE, seed=seed).model for seed in range(100, 122)],
        queries=load_data(f"{table}:queries?label=kind"),
        owner=owner,
    )


def shadows(world: World) -> Shadows:
    return Shadows(
        surrogates=tuple(map(of_module, world.copies[1:])), references=tuple(map(of_module, world.references))
    )


@pytest.mark.parametrize(
    ("scheme", "settings"),
    [
        ("akh", {"queries": "60"}),
        ("fbi", {"queries": "60"}),
        ("sac", {"queries": "60"}),
        ("contrast", {"queries": "40", "candidates": "600"}),
        ("adv-tra", {"trajectories": "12", "m": "4"}),
        pytest.param("ipguard", {"queries": "40", "steps": "200", "k": "0.3"}, marks=pytest.mark.slow),
        ("cort", {"queries": "30", "epsilon": "0.05"}),
        ("cae", {"queries": "30", "steps": "20"}),
        ("modeldiff", {"queries": "60", "rounds": "10"}),
        ("zest", {"queries": "60", "samples": "20"}),
        ("deepcore", {"queries": "30", "steps": "10"}),
        ("fit-print", {"queries": "60", "epsilon": "0.08"}),
        pytest.param(
            "uap",
            {"points": "20", "views": "3", "steps": "20", "images": "300", "least_fooling": "0.2"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_copy_scores_above_models_of_their_own(world: World, tmp_path: Path, scheme: str, settings) -> None:
    made = enroll(
        world.source, world.queries, scheme=scheme, settings=settings, negatives=world.independents[:20],
        train_data=world.owner, shadows=shadows(world) if scheme in ("contrast", "cae", "uap") else None,
    )  # fmt: skip
    made.save(tmp_path / "fp")
    read = Fingerprint.load(tmp_path / "fp")
    assert read.to_bytes() == made.to_bytes()
    assert read.queries.dtype == np.int32
    read.modality.check(read.queries)
    verdicts = [verify(read, model, access="scores") for model in (world.copies[0], *world.independents[20:])]
    scores = [-np.inf if one.score is None else one.score for one in verdicts]
    assert scores[0] > max(scores[1:])
    assert verdicts[0].p_value <= 0.1


def test_columns_spell_a_message_to_the_source(world: World) -> None:
    settings = {"queries": "30", "samples": "15", "epsilon": "0.1", "cells": "4", "steps": "20", "precision": "single"}
    made = enroll(world.source, world.queries, scheme="fit-lime", settings=settings)
    judged = verify(made, world.source, access="scores")
    assert (judged.details["right"], judged.details["bits"]) == (8, 8)


@pytest.mark.slow
def test_auto_uses_weights_and_scores_and_its_report_marks_cells(world: World) -> None:
    made = enroll(
        world.source, world.queries, scheme="auto", negatives=world.independents[:20], train_data=world.owner,
        shadows=shadows(world),
    )  # fmt: skip
    shown = examine(made, world.copies[0])
    assert shown.verdict.verdict == "derived"
    assert {one.access for one in shown.verdict.evidence or ()} == {"weights", "scores", "labels"}
    assert verify(made, world.independents[20]).verdict != "derived"
    case = Case(name="copy", role="suspect", verdict=shown.verdict, answers=shown.answers)
    page = render_report(made, [case], calibration_scores=shown.calibration_scores)
    assert "stored as steps of each column" in page
    assert "data:image/svg+xml;base64," in page


@pytest.fixture(scope="module")
def fingerprint(world: World) -> Fingerprint:
    return enroll(
        world.source, world.queries, scheme="akh", settings={"queries": "40"}, negatives=world.independents[:19]
    )


def test_every_way_to_a_suspect_gives_the_same_score(world: World, fingerprint: Fingerprint, tmp_path: Path) -> None:
    copy = world.copies[0]
    score = verify(fingerprint, copy).score
    record_answers(fingerprint, copy, out=tmp_path / "answers.jsonl")
    assert verify(fingerprint, str(tmp_path / "answers.jsonl")).score == score
    asked: list[np.ndarray] = []

    def mine(values: np.ndarray) -> np.ndarray:
        asked.append(values)
        levels = fingerprint.modality.wire.decoded(values, "float32")
        return copy(fingerprint.modality.to_model(levels)).argmax(1).numpy()

    assert verify(fingerprint, mine).score == score
    assert np.concatenate(asked)[:, 0].min() >= 4  # lengths as they stand in the table
    app = create_app(
        TorchSuspect(copy, "copy", modality=fingerprint.modality), name="copy", input_shape=(4,), classes=4,
        access=Access.LABELS, modality=fingerprint.modality,
    )  # fmt: skip
    with running(app) as url:
        assert verify(fingerprint, url).score == score

    def labelled(rows: list[list[float]]) -> list[int]:
        levels = fingerprint.modality.wire.decoded(np.array(rows, np.float32), "float32")
        return copy(fingerprint.modality.to_model(levels)).argmax(1).tolist()

    def scored(request: Request, number: int) -> Reply:
        if request.method == "GET":
            return Reply()
        frame = request.json["dataframe_split"]
        assert frame["columns"] == ["length", "width", "rooms", "colour"]
        labels = labelled([[a, b, c, CODES[d]] for a, b, c, d in frame["data"]])
        return Reply(body=json.dumps({"predictions": labels}).encode())

    with Scripted(scored) as server:
        assert verify(fingerprint, f"{server.url}/invocations").score == score

    def told(request: Request, number: int) -> Reply:
        rows = [[one["length"], one["width"], one["rooms"], CODES[one["colour"]]] for one in request.json["rows"]]
        return Reply(body=json.dumps({"kinds": labelled(rows)}).encode())

    mapping = tmp_path / "api.toml"
    mapping.write_text('[request]\nkind = "records"\nbody = { rows = "$images" }\n[response]\nlabels = "kinds"\n')
    with Scripted(told) as server:
        assert verify(fingerprint, server.url, options=SuspectOptions(mapping=mapping)).score == score
    export_queries(fingerprint, tmp_path / "queries")
    first = json.loads((tmp_path / "queries" / "000000.json").read_text())
    assert set(first) == {"length", "width", "rooms", "colour"}


class OfTheTable(nn.Module):
    """A network of points behind what makes points of the values of a table."""

    def __init__(self, network: nn.Module, columns: tuple[Column, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("low", torch.tensor([one.low for one in columns]))
        self.register_buffer("span", torch.tensor([one.step * (one.levels - 1) for one in columns]))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.network((values - self.low) / self.span)


def exported(network: nn.Module, path: Path, *, columns: int = 4) -> str:
    """An ONNX file of a network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            copy.deepcopy(network).eval(), (torch.zeros(1, columns),), str(path), dynamo=False, opset_version=17,
            input_names=["values"], dynamic_axes={"values": {0: "n"}},
        )  # fmt: skip
    return str(path)


def test_an_onnx_file_is_judged_as_the_model_that_it_was_made_from(
    world: World, fingerprint: Fingerprint, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    columns = fingerprint.modality.columns
    networks = (world.copies[0], world.independents[20])
    verdicts = [verify(fingerprint, one) for one in networks]
    assert [one.verdict for one in verdicts] == ["derived", "not-shown"]
    for network, expected in zip(networks, verdicts, strict=True):
        file = exported(OfTheTable(network, columns), tmp_path / "m.onnx")
        found = verify(fingerprint, file)
        assert (found.score, found.verdict) == (expected.score, expected.verdict)
        bare = exported(network, tmp_path / "points.onnx")  # it takes points: the options say how values become such
        scale = ModelOptions(
            mean=tuple(one.low for one in columns), std=tuple(one.step * (one.levels - 1) for one in columns)
        )
        assert verify(fingerprint, bare, options=SuspectOptions(model=scale)).score == expected.score
    suspect = OnnxSuspect(Path(file), shape=(4,), classes=4, modality=fingerprint.modality)
    scores = suspect.ask(fingerprint.queries, access=Access.SCORES).scores
    logits = networks[1](fingerprint.modality.to_model(fingerprint.queries)).detach().numpy()
    assert np.allclose(scores, logits, atol=1e-3)
    narrow = exported(nn.Linear(3, 4), tmp_path / "narrow.onnx", columns=3)
    with pytest.raises(MisfitError, match="takes 3 numbers, the vectors have 4 columns"):
        verify(fingerprint, narrow)
    assert world.source.spec is not None
    turned = run_attack("onnx-round-trip", {}, world.copies[0], world.source.spec, world.queries, seed=0)
    assert verify(fingerprint, turned.model).score == verdicts[0].score


def test_a_model_of_another_table_is_asked_by_the_names_of_columns(
    world: World, fingerprint: Fingerprint, tmp_path: Path
) -> None:
    table = [line.split(",") for line in rows(600, 7)]
    turned = [f"{c},{d},{float(a) / 2:.2f},{b},{e}" for a, b, c, d, e in table]
    (tmp_path / "other.csv").write_text("\n".join(["rooms,colour,length,width,kind", *turned]))
    data = load_data(f"{tmp_path / 'other.csv'}:owner?label=kind")
    trained = train_model(data, spec_for(data, "vector-mlp", {"width": 24}), RECIPE, seed=3)
    save_model(tmp_path / "m.safetensors", trained.model, trained.card)
    loaded = load_model(tmp_path / "m.safetensors")
    assert loaded.spec is not None
    taken = loaded.spec.modality.brought(fingerprint.queries, fingerprint.modality, who="x")
    expected = loaded.module(loaded.spec.modality.to_model(taken)).argmax(1).numpy()
    answers = TorchSuspect(loaded.module, "x", modality=fingerprint.modality, takes=loaded.spec.modality)
    assert np.array_equal(answers.ask(fingerprint.queries).labels, expected)
    assert verify(fingerprint, str(tmp_path / "m.safetensors")).asked == 40
    source, copy = str(world.table.parent / "source.safetensors"), str(tmp_path / "c.safetensors")
    attacker = f"{tmp_path / 'other.csv'}:attacker?label=kind"
    assert run(["attack", source, attacker, "--kind", "ftal", "--set", "epochs=1", "--out", copy]) == 0
    (tmp_path / "less.csv").write_text("\n".join(["rooms,colour,kind", *(f"{c},{d},{e}" for _, _, c, d, e in table)]))
    with pytest.raises(DataError, match="columns 'length', 'width' missing: the table has 'rooms', 'colour'"):
        enroll(world.source, load_data(f"{tmp_path / 'less.csv'}:queries?label=kind"), scheme="akh")
