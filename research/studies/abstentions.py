"""What becomes of the false positive rate where calibration models abstain as the suspect does.

    python -m research.studies.abstentions [SCHEME ...]

A server names no class where its model's highest probability lies below a threshold. Digits: a source, copies of it
(fine-tuned, pruned), 19 calibration models that were trained for 10 epochs as the source was, and independent suspects:
half of them trained for 10 epochs, half for 40, which are surer of what they say. Alpha .05, labels.

- "full": the rule of `decide`. Calibration models keep all their answers; an abstention of the suspect counts as a
  disagreement.
- "alike": calibration models abstain below the same threshold, and their abstentions count as disagreements, too.
- "stated": as "alike", but the server has no threshold, whatever the mapping file says.

Puts each scheme's row into benchmarks/results/abstentions_digits.json.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.common import RESULTS, provenance, write_result
from modelprint.core.suspect import ABSTAINED, UNANSWERED, Answers, answers_from_scores
from modelprint.data.splits import load_data
from modelprint.ownership.decide import LEAST_ANSWERED
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Scheme
from modelprint.stats.calibration import threshold
from modelprint.stats.intervals import clopper_pearson
from modelprint.training.loop import predict
from modelprint.training.train import default_recipe, spec_for, train_model

RESULT = "abstentions_digits.json"
FIELD = ("akh", "ipguard", "adv-tra")
SETTINGS: dict[str, dict[str, str]] = {"adv-tra": {"trajectories": "20"}}
LIMITS = (0.0, 0.5, 0.7, 0.9)
ALPHA, CALIBRATION, SUSPECTS, COPIES = 0.05, 19, 40, 20


def probabilities(model: nn.Module, shown: Fingerprint) -> np.ndarray:
    """Float32 (n, classes)."""
    images = torch.from_numpy(shown.queries)
    scores: np.ndarray = predict(model, images, modality=shown.modality).softmax(1).numpy()
    return scores


def abstaining(scores: np.ndarray, limit: float) -> Answers:
    """Labels, none where the highest probability lies below the limit."""
    labels = answers_from_scores(scores, who="a model").labels
    return Answers(labels=np.where(scores.max(1) < limit, ABSTAINED, labels))


def scored(scheme: Scheme, shown: Fingerprint, answers: Answers) -> float:
    """The score, abstentions counted as disagreements."""
    missing = ~answers.answered
    plain = Answers(labels=np.where(missing, UNANSWERED, answers.labels))
    return scheme.least_score(shown.state, shown.source, plain, missing) if answers.answered.any() else -np.inf


def called(
    scheme: Scheme, shown: Fingerprint, suspects: Sequence[Answers], calibration: Sequence[Answers]
) -> list[bool]:
    """Which suspects are called derived."""
    limit = threshold(np.array([scored(scheme, shown, answers) for answers in calibration]), ALPHA)
    assert limit is not None
    return [
        bool(answers.answered.mean() >= LEAST_ANSWERED and scored(scheme, shown, answers) > limit)
        for answers in suspects
    ]


def rate(hits: Sequence[bool]) -> dict[str, Any]:
    """How many of how many, with an exact 95 % interval."""
    ends = clopper_pearson(sum(hits), len(hits))
    return {"count": sum(hits), "n": len(hits), "interval": [round(end, 3) for end in (ends.low, ends.high)]}


class Cast:
    """All models, trained once."""

    def __init__(self) -> None:
        owner, attacker = load_data("digits:owner"), load_data("digits:attacker")
        spec = spec_for(owner, "cnn", {"width": 8})

        def trained(seed: int, epochs: int) -> nn.Module:
            return train_model(owner, spec, default_recipe(owner, epochs=epochs), seed=seed).model

        self.queries = load_data("digits:queries")
        self.source = trained(0, 10)
        self.calibration = [trained(100 + seed, 10) for seed in range(CALIBRATION)]
        self.independent = [trained(200 + seed, 10 if seed % 2 else 40) for seed in range(SUSPECTS)]
        self.copies = [self._copy(seed, attacker) for seed in range(COPIES)]

    def _copy(self, seed: int, data: Any) -> nn.Module:
        model = copy.deepcopy(self.source)
        if seed % 2:
            with torch.no_grad():
                for weights in model.parameters():
                    if weights.ndim > 1:
                        weights[weights.abs() < weights.abs().flatten().quantile(0.1 + 0.02 * seed)] = 0
            return model
        generator = torch.Generator().manual_seed(seed)
        images, labels = torch.from_numpy(data.stored).float() / 255, torch.from_numpy(data.labels)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.002 * (1 + seed / 4), momentum=0.9)
        model.train()
        for _ in range(3):
            for batch in torch.randperm(len(images), generator=generator).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
                optimizer.step()
        return model.eval()


def measured(name: str, cast: Cast) -> dict[str, Any]:
    """One scheme's row."""
    scheme = SCHEMES[name]().with_settings(SETTINGS.get(name, {}))
    shown = enroll(cast.source, cast.queries, scheme=scheme, budget=200 if name != "adv-tra" else None)
    calibration, independent, copies = (
        [probabilities(model, shown) for model in models]
        for models in (cast.calibration, cast.independent, cast.copies)
    )
    row: dict[str, Any] = {"queries": len(shown)}
    for limit in LIMITS:
        full = [abstaining(scores, 0.0) for scores in calibration]
        alike = [abstaining(scores, limit) for scores in calibration]
        heard = {"independent": independent, "copies": copies}
        cell: dict[str, Any] = {}
        for who, models in heard.items():
            masked = [abstaining(scores, limit) for scores in models]
            plain = [abstaining(scores, 0.0) for scores in models]
            cell[who] = {
                "abstained": round(float(np.mean([answers.abstained.mean() for answers in masked])), 3),
                "full": rate(called(scheme, shown, masked, full)),
                "alike": rate(called(scheme, shown, masked, alike)),
                "stated": rate(called(scheme, shown, plain, alike)),
            }
        row[f"{limit:g}"] = cell
    return row


def main() -> None:
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
