"""A table of recorded labels to develop on: honest models of the `fashion` zoo, each with its light variants.

    python -m research.studies.zoo_answers OUT [--founders 35] [--images 15000]

Like the populations on which FBI was judged (Maho, Furon, Le Merrer, 2023): models of several architectures, and of
each the pruned, quantised, noisy and shortly fine-tuned, and the same model behind input transforms (JPEG, posterising,
blur ...). Variants that lose more than 15 % of their founder's accuracy are left out. No model saw the images (the
second half of the attacker's split among them; the first half fine-tunes). Writes OUT/table.npz and OUT/families.json;
what is there of a founder already (OUT/parts) is not made again. Then every scheme for answer tables, and "rarest"
(contrast without what it learns), is judged with five seeds, and benchmarks/results/answers_fashion.json written.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from benchmarks.common import provenance, write_result
from modelprint.attacks.make import run_attack
from modelprint.bench.answers import ANSWER_SCHEMES, AnswerTable, judge, read_table
from modelprint.bench.answers.schemes import Evidence, Interview
from modelprint.core.identity import derived_seed
from modelprint.data.splits import load_data
from modelprint.results.records import ALL
from modelprint.stats.labels import hamming_distance
from modelprint.training.loop import predict
from modelprint.zoo.population import ZooModel, load

WORTH = 0.85
BUDGETS = (50, 100, 200)
SEEDS = range(5)
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


def founders(count: int) -> Iterator[ZooModel]:
    """The sources, then honest test and calibration models, a kind in turn, so that architectures and data differ."""
    models = load("fashion")
    yield from (model for model in models if model.part == "source")
    kinds = [
        [model for model in models if model.kind == kind and model.part in ("test", "calibration")]
        for kind in ("SADT", "DAST", "DADT", "SAST", "SHARED")
    ]
    turns = [kind[place] for place in range(max(map(len, kinds))) for kind in kinds if place < len(kind)]
    yield from turns[: count - sum(model.part == "source" for model in models)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--founders", type=int, default=35)
    parser.add_argument("--images", type=int, default=15_000)
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
    for founder in founders(arguments.founders):
        path = cache / f"{founder.id}-{len(images)}.npz"
        if not path.exists():
            np.savez_compressed(path, **variants(founder, images, behind, attacker))
        with np.load(path) as archive:
            answers |= {founder.id: archive["itself"]}
            families[founder.id] = founder.id
            least = WORTH * (archive["itself"] == truth).mean()
            for name in archive.files:
                if name != "itself" and (archive[name] == truth).mean() >= least:
                    answers[f"{founder.id}/{name}"] = archive[name]
                    families[f"{founder.id}/{name}"] = founder.id
        print(founder.id, founder.kind, len(families), flush=True)
    np.savez_compressed(arguments.out / "table.npz", **answers)
    (arguments.out / "families.json").write_text(json.dumps(families))
    judged(read_table(arguments.out / "table.npz", arguments.out / "families.json"))


def rarest(evidence: Evidence, generator: np.random.Generator) -> Interview:
    """The images on which fewest selection models answer as the source does."""
    order = generator.permutation(len(evidence.truth))
    given = (evidence.others == evidence.source).mean(axis=0)
    queries = order[np.argsort(given[order], kind="stable")][: evidence.budget]
    own = evidence.source[queries]
    return Interview(queries=queries, score=lambda answers: 1 - hamming_distance(own, answers))


def judged(table: AnswerTable) -> None:
    """Means over sources and seeds, with the spread over seeds; the worst source by its mean over seeds."""
    ANSWER_SCHEMES.register("rarest")(rarest)
    rows = []
    for budget in BUDGETS:
        results_by_seed = [judge(table, list(ANSWER_SCHEMES), budget=budget, seed=seed) for seed in SEEDS]
        for scheme in ANSWER_SCHEMES:
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
                "worst_source": worst,
                "worst_source_tpr_at_1": sources[worst],
            }
            for figure in ("auc", "tpr_at_1", "tpr_verdict", "fpr_verdict"):
                values = [getattr(row, figure) for row in whole]
                ends = whole[0].intervals[figure]
                summary[figure] = {"mean": float(np.mean(values)), "min": min(values), "max": max(values),
                                   "interval_of_first_seed": [ends.low, ends.high]}  # fmt: skip
            rows.append(summary)
            print(summary, flush=True)
    counts = {"models": len(table.ids), "images": table.images, "sources": len(table.sources), "seeds": len(SEEDS)}
    write_result("answers_fashion.json", {**counts, "rows": rows, "provenance": provenance()})


def variants(
    founder: ZooModel, images: np.ndarray, behind: dict[str, torch.Tensor], attacker: object
) -> dict[str, np.ndarray]:
    """Labels, int16 (n images,), of a model and of its variants by name."""
    loaded = founder.load()
    plain = torch.from_numpy(images)
    labels = {"itself": predict(loaded.module, plain).argmax(1)}
    for name, (attack, settings) in ATTACKS.items():
        seed = derived_seed("zoo-answers", founder.id, name)
        attacked = run_attack(attack, settings, loaded.module, loaded.spec, attacker, seed=seed)
        labels[name] = predict(attacked.model, plain).argmax(1)
    for name, changed in behind.items():
        labels[name] = predict(loaded.module, changed).argmax(1)
    return {name: classes.numpy().astype(np.int16) for name, classes in labels.items()}


if __name__ == "__main__":
    main()
