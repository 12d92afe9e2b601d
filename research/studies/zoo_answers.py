"""A table of recorded labels to develop on: honest models of the `fashion` zoo, each with its light variants.

    python -m research.studies.zoo_answers OUT [--population fashion|students|siblings] [--founders 35] [--images 15000]

Like the populations on which FBI was judged (Maho, Furon, Le Merrer, 2023): models of several architectures, and of
each the pruned, quantised, noisy and shortly fine-tuned, and the same model behind input transforms (JPEG, posterising,
blur ...). Variants that lose more than 15 % of their founder's accuracy are left out. No model saw the images (the
second half of the attacker's split among them; the first half fine-tunes). Writes OUT/table.npz and OUT/families.json;
what is there of a founder already (OUT/parts) is not made again. Then every scheme for answer tables, and "rarest"
(contrast without what it learns), is judged with five seeds, and benchmarks/results/answers_fashion.json written.

Two populations are harder. Of the students, three have the same teacher each: they learned from its answers (labels,
probabilities, hardened probabilities), and no teacher stands in the table. The siblings were tuned from one public
model. No founder was made from another one in the table, so that all are independent of each other. The results are
answers_students.json and answers_siblings.json.

Schemes that read scores are judged on the first 1,500 images alone, beside contrast and "rarest" on these.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from benchmarks.common import provenance, write_result
from modelprint.attacks.make import run_attack
from modelprint.bench.answers import ANSWER_SCHEMES, AnswerTable, judge, read_table
from modelprint.bench.answers.schemes import Evidence, Interview
from modelprint.bench.answers.scored import SCORED_SCHEMES
from modelprint.core.identity import derived_seed
from modelprint.data.splits import load_data
from modelprint.results.records import ALL
from modelprint.stats.labels import hamming_distance
from modelprint.training.loop import predict
from modelprint.zoo.population import ZooModel, load

WORTH = 0.85
BUDGETS = (50, 100, 200)
SEEDS = range(5)
SCORED = 1500  # of the images: as many as scores are kept of
SCORES = "scores"
ATTACKS: dict[str, tuple[str, dict[str, str]]] = {
    "half": ("quantise", {"to": "float16"}),
    "bfloat16": ("quantise", {"to": "bfloat16"}),
    "int8": ("quantise", {"to": "int8"}),
    **{f"{bits}-bit": ("quantise", {"to": "min-max", "bits": str(bits)}) for bits in (7, 6, 5, 4)},
    **{f"prune-{rate}": ("prune", {"rate": str(rate)}) for rate in (0.1, 0.2, 0.3, 0.4, 0.5)},
    **{f"noise-{scale}": ("noise", {"scale": str(scale)}) for scale in (0.02, 0.05, 0.1)},
    "ftll": ("ftll", {"epochs": "1"}),
    "ftal": ("ftal", {"epochs": "1"}),
}


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


TRANSFORMS: dict[str, Callable[[Image.Image], Image.Image]] = {
    **{f"jpeg-{quality}": (lambda image, quality=quality: jpeg(image, quality)) for quality in (90, 70, 50, 30)},
    **{f"posterise-{bits}": (lambda image, bits=bits: ImageOps.posterize(image, bits)) for bits in (5, 4, 3)},
    **{f"blur-{radius}": (lambda image, r=radius: image.filter(ImageFilter.GaussianBlur(r))) for radius in (0.4, 0.6)},
    **{f"contrast-{by}": (lambda image, by=by: ImageEnhance.Contrast(image).enhance(by)) for by in (0.8, 1.2)},
    **{f"bright-{by}": (lambda image, by=by: ImageEnhance.Brightness(image).enhance(by)) for by in (0.8, 1.2)},
    "crop": lambda image: ImageOps.fit(image, image.size, bleed=0.04, method=Image.Resampling.BILINEAR),
    "rotate": lambda image: image.rotate(3, resample=Image.Resampling.BILINEAR),
}


def transformed(images: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> torch.Tensor:
    """uint8 (n, 1, h, w), each image changed."""
    return torch.from_numpy(np.stack([np.asarray(change(Image.fromarray(image[0])))[None] for image in images]))


TAUGHT = ("extracted, labels", "extracted, probabilities", "extracted, hardened")


def students(models: Sequence[ZooModel]) -> Iterator[ZooModel]:
    """Models that learned from the answers of nine teachers, three of each, and then honest ones."""
    yield from (model for model in models if model.part == "rehearsal" and model.attack in TAUGHT)
    yield from (model for model in honest(models) if model.part != "source")


def siblings(models: Sequence[ZooModel]) -> Iterator[ZooModel]:
    """Models tuned from one public model, the third source among them, and then honest ones."""
    yield from (model for model in models if model.id == "source-3")
    yield from (model for model in models if model.kind == "SHARED" and model.part in ("test", "calibration"))
    yield from (model for model in honest(models) if model.part != "source" and model.kind != "SHARED")


def honest(models: Sequence[ZooModel]) -> Iterator[ZooModel]:
    """The sources, then honest test and calibration models, a kind in turn, so that architectures and data differ."""
    yield from (model for model in models if model.part == "source")
    kinds = [
        [model for model in models if model.kind == kind and model.part in ("test", "calibration")]
        for kind in ("SADT", "DAST", "DADT", "SAST", "SHARED")
    ]
    yield from (kind[place] for place in range(max(map(len, kinds))) for kind in kinds if place < len(kind))


POPULATIONS = {"fashion": honest, "students": students, "siblings": siblings}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--founders", type=int, default=35)
    parser.add_argument("--images", type=int, default=15_000)
    parser.add_argument("--population", choices=tuple(POPULATIONS), default="fashion")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    attacker = load_data("fashion-mnist:attacker[0:5000]")
    parts = [load_data(f"fashion-mnist:{part}") for part in ("queries", "holdout", "attacker[5000:10000]")]
    images = np.concatenate([part.stored for part in parts])[: arguments.images]
    truth = np.concatenate([part.labels for part in parts])[: arguments.images]
    behind = {name: transformed(images, change) for name, change in TRANSFORMS.items()}
    cache = arguments.out / "parts"
    cache.mkdir(parents=True, exist_ok=True)
    answers, families = {"ground_truth": truth}, {}
    scores: dict[str, np.ndarray] = {}
    for founder in islice(POPULATIONS[arguments.population](load("fashion")), arguments.founders):
        path = cache / f"{founder.id}-{len(images)}.npz"
        if not path.exists():
            np.savez_compressed(path, **variants(founder, images, behind, attacker))
        with np.load(path) as archive:
            least = WORTH * (archive["itself"] == truth).mean()
            for name in (name for name in archive.files if not name.startswith(SCORES)):
                if name == "itself" or (archive[name] == truth).mean() >= least:
                    model = founder.id if name == "itself" else f"{founder.id}/{name}"
                    answers[model], scores[model] = archive[name], archive[f"{SCORES}/{name}"]
                    families[model] = founder.id
        print(founder.id, founder.kind, len(families), flush=True)
    np.savez_compressed(arguments.out / "table.npz", **answers)
    (arguments.out / "families.json").write_text(json.dumps(families))
    table = read_table(arguments.out / "table.npz", arguments.out / "families.json")
    ANSWER_SCHEMES.register("rarest")(rarest)
    scored = with_scores(table, scores)
    rows = [
        *judged(table, ANSWER_SCHEMES, BUDGETS, SEEDS),
        *(row | {"images": SCORED} for row in judged(scored, ("contrast", "rarest"), (100,), SEEDS)),
        *(row | {"images": SCORED} for row in judged(scored, SCORED_SCHEMES, (100,), SEEDS)),
    ]
    counts = {"models": len(table.ids), "images": table.images, "sources": len(table.sources)}
    write_result(
        f"answers_{arguments.population}.json",
        {**counts, "rows": rows, "provenance": provenance()},
    )


def with_scores(table: AnswerTable, scores: Mapping[str, np.ndarray]) -> AnswerTable:
    """The table of the images that scores are kept of."""
    in_double = {name: probabilities.astype(np.float64) for name, probabilities in scores.items()}
    return replace(table, labels=table.labels[:, :SCORED], truth=table.truth[:SCORED], scores=in_double)


def rarest(evidence: Evidence, generator: np.random.Generator) -> Interview:
    """The images on which fewest selection models answer as the source does."""
    order = generator.permutation(len(evidence.truth))
    given = (evidence.others == evidence.source).mean(axis=0)
    queries = order[np.argsort(given[order], kind="stable")][: evidence.budget]
    own = evidence.source[queries]
    return Interview(queries=queries, score=lambda answers: 1 - hamming_distance(own, answers))


def judged(
    table: AnswerTable, schemes: Collection[str], budgets: Sequence[int], seeds: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Means over sources and seeds, with the spread over seeds; the worst source by its mean over seeds."""
    for budget in budgets:
        results_by_seed = [judge(table, list(schemes), budget=budget, seed=seed) for seed in seeds]
        for scheme in schemes:
            runs = [[row for row in results.rows if row.scheme == scheme] for results in results_by_seed]
            whole = [next(row for row in run if row.source == ALL) for run in runs]
            sources = {
                source: float(np.mean([row.tpr_at_1 for run in runs for row in run if row.source == source]))
                for source in results_by_seed[0].sources
            }
            worst = min(sources, key=sources.__getitem__)
            summary = {
                "scheme": scheme,
                "budget": budget,
                "seeds": len(seeds),
                "worst_source": worst,
                "worst_source_tpr_at_1": sources[worst],
            }
            for figure in ("auc", "tpr_at_1", "tpr_verdict", "fpr_verdict"):
                values = [getattr(row, figure) for row in whole]
                if None in values:  # one model a family calibrates scores: too few for a verdict
                    continue
                ends = whole[0].intervals[figure]
                summary[figure] = {"mean": float(np.mean(values)), "min": min(values), "max": max(values),
                                   "interval_of_first_seed": [ends.low, ends.high]}  # fmt: skip
            print(summary, flush=True)
            yield summary


def variants(
    founder: ZooModel, images: np.ndarray, behind: dict[str, torch.Tensor], attacker: object
) -> dict[str, np.ndarray]:
    """Labels, int16 (n images,), of a model and of its variants by name; probabilities of the first images."""
    loaded = founder.load()
    plain = torch.from_numpy(images)
    logits = {"itself": predict(loaded.module, plain)}
    for name, (attack, settings) in ATTACKS.items():
        seed = derived_seed("zoo-answers", founder.id, name)
        attacked = run_attack(attack, settings, loaded.module, loaded.spec, attacker, seed=seed)
        logits[name] = predict(attacked.model, plain)
    for name, changed in behind.items():
        logits[name] = predict(loaded.module, changed)
    labels = {name: outputs.argmax(1).numpy().astype(np.int16) for name, outputs in logits.items()}
    return labels | {
        f"{SCORES}/{name}": outputs[:SCORED].softmax(1).numpy().astype(np.float16) for name, outputs in logits.items()
    }


if __name__ == "__main__":
    main()
