"""What becomes of the false positive rate where a suspect lacks some of the fingerprint's classes.

    python -m research.studies.lacking [SCHEME ...]

Digits: a source, copies of it (fine-tuned, pruned), 19 calibration models, and 40 independent suspects, all small
perceptrons. Each suspect has 9, 8, 7, 6 or 5 of the ten classes, drawn five times, and answers its best of these.
Alpha .05, labels.

- "alike": the rule of `ownership.lacking`. Queries of lacking classes count as disagreements of every model, and
  calibration models give their best of the classes that the suspect has.
- "labels": the same, where of the calibration models only labels are known: the source's label stands for lacking ones.
- "full": calibration models keep all their answers; only the suspect disagrees on queries of lacking classes.

Where more than half of the queries are of lacking classes, none is called derived. Counts are over models and draws,
which share the models: the intervals are those of independent ones, and too short. Puts each scheme's row into
benchmarks/results/lacking_digits.json.
"""

from __future__ import annotations

import copy
import json
import sys
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from benchmarks.common import RESULTS, provenance, write_result
from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.data.splits import load_data
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.lacking import LEAST_SHARE, in_common
from modelprint.schemes import SCHEMES
from modelprint.stats.calibration import threshold
from modelprint.stats.intervals import clopper_pearson
from modelprint.training.loop import predict
from modelprint.training.train import default_recipe, spec_for, train_model

RESULT = "lacking_digits.json"
FIELD = ("akh", "adv-tra")
SETTINGS: dict[str, dict[str, str]] = {"adv-tra": {"trajectories": "20"}}
KEPT, DRAWS, CLASSES = (9, 8, 7, 6, 5), 5, 10
ALPHA, CALIBRATION, SUSPECTS, COPIES = 0.05, 19, 40, 10
Rule = Literal["alike", "labels", "full"]


class Cast:
    """All models, trained once."""

    def __init__(self) -> None:
        owner, attacker = load_data("digits:owner"), load_data("digits:attacker")
        spec, recipe = spec_for(owner, "mlp", {"width": 32}), default_recipe(owner, epochs=10)
        self.queries = load_data("digits:queries")
        self.source = train_model(owner, spec, recipe, seed=0).model
        others = [train_model(owner, spec, recipe, seed=1 + seed).model for seed in range(CALIBRATION + SUSPECTS)]
        self.calibration, self.independent = others[:CALIBRATION], others[CALIBRATION:]
        self.copies = [self._copy(seed, attacker) for seed in range(COPIES)]

    def _copy(self, seed: int, data: Any) -> nn.Module:
        """Pruned, if the seed is odd; else fine-tuned."""
        model = copy.deepcopy(self.source)
        if seed % 2:
            with torch.no_grad():
                for weights in model.parameters():
                    if weights.ndim > 1:
                        weights[weights.abs() < weights.abs().flatten().quantile(0.1 + 0.04 * seed)] = 0
            return model
        generator = torch.Generator().manual_seed(seed)
        images, labels = torch.from_numpy(data.stored).float() / 255, torch.from_numpy(data.labels)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.002 * (1 + seed / 2), momentum=0.9)
        for _ in range(3):
            for batch in torch.randperm(len(images), generator=generator).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
                optimizer.step()
        return model.eval()


def answers(model: nn.Module, shown: Fingerprint) -> Answers:
    """To all queries, with scores."""
    logits = predict(model, torch.from_numpy(shown.queries), modality=shown.modality)
    return answers_from_scores(logits.numpy(), who="a model")


def without(given: Answers, has: np.ndarray) -> Answers:
    """The best of some classes."""
    assert given.scores is not None
    return Answers(labels=np.where(has, given.scores, -np.inf).argmax(axis=1))


def called(shown: Fingerprint, suspects: list[Answers], calibration: list[Answers], has: np.ndarray, rule: Rule) -> int:
    """How many suspects are called derived."""
    scheme = SCHEMES[shown.manifest.scheme](**shown.manifest.parameters)
    lacking = set(np.flatnonzero(~has).tolist())
    read = [Answers(labels=one.labels) for one in calibration] if rule == "labels" else calibration
    commons = [in_common(shown.source, without(one, has), read, lacking=lacking, classes=CLASSES) for one in suspects]
    if commons[0].outside.mean() > 1 - LEAST_SHARE:
        return 0
    ranked = [Answers(labels=one.labels) for one in calibration] if rule == "full" else commons[0].calibration
    limit = threshold(np.array([scheme.score(shown.state, shown.source, one) for one in ranked]), ALPHA)
    assert limit is not None
    return sum(scheme.score(shown.state, shown.source, common.answers) > limit for common in commons)


def rate(count: int, n: int) -> dict[str, Any]:
    """How many of how many, with an exact 95 % interval."""
    ends = clopper_pearson(count, n)
    return {"count": count, "n": n, "interval": [round(end, 3) for end in (ends.low, ends.high)]}


def measured(name: str, cast: Cast) -> dict[str, Any]:
    """One scheme's row."""
    scheme = SCHEMES[name]().with_settings(SETTINGS.get(name, {}))
    shown = enroll(cast.source, cast.queries, scheme=scheme, budget=200 if name != "adv-tra" else None)
    heard = {
        who: [answers(model, shown) for model in models]
        for who, models in {
            "calibration": cast.calibration, "independent": cast.independent, "copies": cast.copies
        }.items()
    }  # fmt: skip
    row: dict[str, Any] = {"queries": len(shown)}
    draw = np.random.default_rng(0)
    for kept in (CLASSES, *KEPT):
        sets = [np.isin(np.arange(CLASSES), draw.permutation(CLASSES)[:kept]) for _ in range(DRAWS)]
        cell: dict[str, Any] = {}
        for who in ("independent", "copies"):
            suspects, rules = heard[who], ("alike", "labels", "full")
            counts = {
                rule: sum(called(shown, suspects, heard["calibration"], has, rule) for has in sets) for rule in rules
            }
            cell[who] = {rule: rate(int(count), len(suspects) * DRAWS) for rule, count in counts.items()}
        row[f"{kept}"] = cell
    return row


def main() -> None:
    """Measure the named schemes, or all; keep what is known of the others."""
    torch.set_num_threads(1)
    path, cast = RESULTS / RESULT, Cast()
    for name in sys.argv[1:] or FIELD:
        row = measured(name, cast)
        rows = json.loads(path.read_text())["rows"] if path.exists() else {}
        rows[name] = {**row, "provenance": provenance()}
        print(name, json.dumps(row), flush=True)
        write_result(RESULT, {"alpha": ALPHA, "rows": {each: rows[each] for each in FIELD if each in rows}})


if __name__ == "__main__":
    main()
