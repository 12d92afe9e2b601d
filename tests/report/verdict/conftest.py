"""Records that look like real ones, made from ten linear classifiers of 8 x 8 pictures in a second."""

from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import pytest

from modelprint.core.suspect import Answers
from modelprint.core.verdict import FalseAccusations, Verdict
from modelprint.ownership.fingerprint import CalibrationModel, Fingerprint
from modelprint.report import Case
from modelprint.schemes.adv_tra import AdvTra
from modelprint.stats.calibration import rank_p_value, threshold, upper_bound

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
L, M, COUNT, SLICE = 2, 4, 12, 32


def sha(number):
    return f"sha256:{number:064x}"


@dataclass
class World:
    """Prototypes of ten classes; a model is the prototypes as it remembers them, a copy misremembers a source."""

    draw: np.random.Generator
    prototypes: np.ndarray

    @classmethod
    def make(cls, seed=0):
        draw = np.random.default_rng(seed)
        row, column = np.mgrid[0:8, 0:8]
        shapes = [
            sum(np.exp(-((row - y) ** 2 + (column - x) ** 2) / 3) for y, x in draw.uniform(1, 6, (4, 2)))
            for _ in CLASSES
        ]
        prototypes = np.array([shape.ravel() / shape.max() for shape in shapes])
        return cls(draw=draw, prototypes=prototypes)

    def model(self, name, start=None, wobble=0.3):
        """Always the same for one name, whatever else was made before."""
        start = self.prototypes if start is None else start
        return start + wobble * np.random.default_rng(crc32(name.encode())).normal(size=start.shape)


def classify(model, images):
    flat = images.reshape(len(images), -1) / (255 if images.dtype == np.uint8 else 1)
    logits = flat @ model.T - 0.5 * (model**2).sum(1)
    return Answers(labels=logits.argmax(1).astype(np.int64), scores=logits.astype(np.float32))


def walk(world, source):
    """Trajectories: signed steps towards one class after another, each leg past its boundary."""
    images, labels, targets = [], [], []
    for number in range(COUNT):
        label = number % len(CLASSES)
        point = np.clip(world.prototypes[label] + 0.05 * world.draw.normal(size=64), 0, 1)
        points, goals = [point], [-1]
        for target in world.draw.permutation([c for c in range(len(CLASSES)) if c != label])[:M]:
            for size in (0.11, 0.09, 0.09, 0.11):
                now = classify(source, points[-1][None]).labels[0]
                step = source[target] - source[now if now != target else label]
                points.append(np.clip(points[-1] + size * np.sign(step), 0, 1))
                goals.append(target)
        images += points
        targets += goals
        labels += [label] * len(points)
    pixels = np.rint(255 * np.array(images)).astype(np.uint8).reshape(-1, 1, 8, 8)
    return pixels, np.array(labels), np.array(targets, dtype=np.int64)


class Records:
    """A fingerprint and verdicts on models of one world."""

    def __init__(self, *, calibration=20, scheme="adv-tra"):
        self.world = World.make()
        self.source = self.world.model("source")
        queries, labels, targets = walk(self.world, self.source)
        points = 2 * L * M + 1
        state = {
            "group": np.repeat(np.arange(COUNT), points),
            "position": np.tile(np.arange(points), COUNT),
            "target": targets,
        }
        self.state = state
        strangers = [self.world.model(f"calibration {i}") for i in range(calibration)]
        corner = queries[[0, 4, 8], 0].reshape(3, 64) / 255
        a, b = np.meshgrid(np.linspace(-0.6, 1.4, SLICE), np.linspace(-0.6, 1.4, SLICE))
        spread = corner[0] + a[..., None] * (corner[1] - corner[0]) + b[..., None] * (corner[2] - corner[0])
        self.slice = np.clip(spread, 0, 1).astype(np.float32).reshape(SLICE, SLICE, 1, 8, 8)
        self.fingerprint = Fingerprint.bind(
            {
                "scheme": scheme,
                "parameters": {"l": L, "m": M, "brake": 0.9, "match": 0.5, "trajectories": COUNT, "eight_bit": True},
                "seed": 7,
                "input": {"channels": 1, "height": 8, "width": 8, "class_names": CLASSES},
                "codec": "uint8-image",
                "source": sha(1),
                "source_accuracy": 0.9634,
                "data": sha(2),
                "data_name": "digits:queries",
                "report": {
                    "trajectories": COUNT,
                    "bases_tried": 13,
                    "success_rate": COUNT / 13,
                    "path_length_linf": 1.731,
                    "flips_per_trajectory": 7.25,
                    "forward_evaluations": 51_200,
                },
                "calibration": [
                    CalibrationModel(
                        name=f"independent-{i:02}.safetensors",
                        identity=sha(100 + i),
                        accuracy=0.95 + i / 1000,
                        kind=("SAST", "SADT", "DAST", "DADT")[i % 4],
                    ).model_dump()
                    for i in range(calibration)
                ],
                "library": "modelprint 0.1.0, torch 2.13.0",
            },
            queries=queries,
            true_labels=labels,
            source=classify(self.source, queries),
            state=state,
            calibration=tuple(classify(model, queries) for model in strangers),
            plane={"images": self.slice, "labels": self.plane_labels(self.source)},
        )
        self.scores = np.array([self.measure(answers)[0] for answers in self.fingerprint.calibration])

    def plane_labels(self, model):
        return classify(model, self.slice.reshape(-1, 64)).labels.reshape(SLICE, SLICE)

    def measure(self, answers):
        rates = AdvTra().mutation_rates(self.state, self.fingerprint.source, answers)
        rates = rates[~np.isnan(rates)]
        return (
            float((rates < 0.5).mean() + 0.001 * (1 - rates.mean())),
            int((rates < 0.5).sum()),
            len(rates),
            rates.mean(),
        )

    def case(self, name, role="suspect", kind="", model=None, *, alpha=0.05, answers=None, **fields):
        answers = classify(model, self.fingerprint.queries) if answers is None else answers
        answers = Answers(labels=answers.labels)
        score, matched, total, mean = self.measure(answers)
        limit = threshold(self.scores, alpha)
        p_value = rank_p_value(score, self.scores) if len(self.scores) else None
        outcome = "inconclusive" if limit is None else "derived" if score > limit else "not-shown"
        accused = int((self.scores > limit).sum()) if limit is not None else 0
        verdict = Verdict(
            verdict=outcome,
            scheme=self.fingerprint.manifest.scheme,
            score=score,
            alpha=alpha,
            threshold=limit,
            p_value=p_value,
            false_accusations=None
            if limit is None
            else FalseAccusations(count=accused, n=len(self.scores), upper_95=upper_bound(accused, len(self.scores))),
            queries=int(answers.answered.sum()),
            access="labels",
            fingerprint=self.fingerprint.identity,
            suspect=sha(crc32(name.encode())),
            details={"matched": matched, "trajectories": total, "mean_mutation_rate": float(mean)},
        )
        case = Case(
            name=name,
            role=role,
            kind=kind,
            verdict=verdict,
            answers=answers,
            plane_labels=None if model is None else self.plane_labels(model),
            accuracy=0.95,
        )
        return replace(case, **fields)

    def copy(self, name="fine-tuned.safetensors", role="suspect", kind="", wobble=0.02, **fields):
        return self.case(name, role, kind, self.world.model(name, self.source, wobble), **fields)

    def stranger(self, name="stranger.safetensors", role="suspect", kind="", **fields):
        return self.case(name, role, kind, self.world.model(name), **fields)

    def population(self):
        kinds = ["FTLL", "FTAL", "RTLL", "RTAL", "prune 20 %", "prune 40 %", "prune 60 %", "extracted (labels)"]
        wobbles = [0.005, 0.02, 0.01, 0.06, 0.01, 0.02, 0.05, 0.12]
        derived = [self.copy(f"copy-{k}", "derived", k, w) for k, w in zip(kinds, wobbles, strict=True)]
        others = [self.stranger(f"honest-{i}", "independent", k) for i, k in enumerate(["SAST", "SADT", "DAST"] * 2)]
        return [*derived, *others]


@pytest.fixture(scope="session")
def records():
    return Records()


@pytest.fixture(scope="session")
def few_models():
    """With too few calibration models for a verdict."""
    return Records(calibration=7)


@pytest.fixture(scope="session")
def no_models():
    return Records(calibration=0)


@pytest.fixture(scope="session")
def other_scheme():
    """Of a scheme without trajectories."""
    made = Records(scheme="ipguard")
    fields = made.fingerprint.manifest.model_dump(mode="json", exclude={"tensors"})
    source = made.fingerprint
    made.fingerprint = Fingerprint.bind(
        {**fields, "parameters": {"k": 10.0, "steps": 1000}, "report": {"kept": [1, 2], "note": None}},
        queries=source.queries,
        true_labels=source.true_labels,
        source=source.source,
        state={"group": source.state["group"]},
        calibration=source.calibration,
    )
    return made
