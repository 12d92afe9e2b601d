"""ADV-TRA's detection rates on copies and independent models, beside the paper's figures.

    python -m research.studies.detection_rates fashion-mnist --folder out/fashion-mnist
    MODELPRINT_DATA=... python -m research.studies.detection_rates cifar10 --folder out/cifar10

Models that are in the folder already are not trained again, so a broken run goes on; `--build NAME` makes one model
and stops, for several processes side by side. CIFAR-10 takes about four hours of one core at 200 images/s, nearly all
of it training. Writes benchmarks/results/detection_DATA.json; `--table` prints it as Markdown.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import RESULTS, provenance, write_result
from modelprint.attacks import run_attack
from modelprint.data.splits import load_data
from modelprint.nn.files import save_model
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.verify import examine
from modelprint.schemes.adv_tra import AdvTra
from modelprint.stats.intervals import clopper_pearson
from modelprint.training.loop import accuracy
from modelprint.training.train import default_recipe, spec_for, train_model

SEEDS = (0, 1, 2)  # of the fingerprint


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A model of the table.

    Attributes:
        make: "train", or the kind of an attack.
        paper: detection rate and mean mutation rate that the paper reports on CIFAR-10 (Xu et al., Table 1).
    """

    name: str
    row: str
    make: str
    settings: dict[str, str] = field(default_factory=dict)
    split: str = "attacker"
    arch: str = ""
    arch_args: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    epochs: int | None = None
    paper: tuple[float, float] | None = None


def trained(  # noqa: PLR0917 - columns of the table below
    name: str, row: str, split: str, arch: dict[str, Any], seed: int, paper: tuple[float, float]
) -> Entry:
    return Entry(name=name, row=row, make="train", split=split, seed=seed, paper=paper, **arch)


def attacked(name: str, row: str, make: str, paper: tuple[float, float] | None, **settings: str) -> Entry:
    return Entry(name=name, row=row, make=make, settings=settings, seed=7, paper=paper)


def plan(data: str) -> list[Entry]:
    """Source, copies and four independent models."""
    same: dict[str, Any] = {"arch": "resnet20"} if data == "cifar10" else {"arch": "cnn"}
    other: dict[str, Any] = (
        {"arch": "wide", "arch_args": {"width": 24}, "epochs": 10}
        if data == "cifar10"
        else {"arch": "vgg", "arch_args": {"width": 8}}
    )
    return [
        trained("source", "source", "owner", same, 0, (1.0, 0.0)),
        attacked("ftll", "FTLL", "ftll", (0.952, 0.043)),
        attacked("ftal", "FTAL", "ftal", (0.950, 0.058)),
        attacked("rtll", "RTLL", "rtll", (0.947, 0.030)),
        attacked("rtal", "RTAL", "rtal", (0.763, 0.143)),
        attacked("prune20", "prune 20 %", "prune", (0.955, 0.035), rate="0.2", finetune_epochs="0"),
        attacked("prune40", "prune 40 %", "prune", (0.945, 0.064), rate="0.4", finetune_epochs="0"),
        attacked("prune40ft", "prune 40 %, fine-tuned", "prune", None, rate="0.4", finetune_epochs="10"),
        attacked("prune80ft", "prune 80 %, fine-tuned", "prune", (0.678, 0.257), rate="0.8", finetune_epochs="10"),
        attacked("extract", "extracted from probabilities", "extract-soft", None),
        trained("sast", "independent SAST", "owner", same, 1, (0.143, 0.714)),
        trained("sadt", "independent SADT", "stranger", same, 2, (0.126, 0.722)),
        trained("dast", "independent DAST", "owner", other, 3, (0.124, 0.762)),
        trained("dadt", "independent DADT", "stranger", other, 4, (0.116, 0.787)),
    ]


def build(entry: Entry, data: str, folder: Path) -> None:
    """Make one model, unless it is there."""
    path = folder / f"{entry.name}.safetensors"
    if path.exists():
        return
    images, holdout = load_data(f"{data}:{entry.split}"), load_data(f"{data}:holdout")
    if entry.make == "train":
        spec = spec_for(images, entry.arch, entry.arch_args)
        trained = train_model(
            images, spec, default_recipe(images, epochs=entry.epochs), seed=entry.seed, holdout=holdout
        )
        save_model(path, trained.model, trained.card)
        print(f"{entry.name}: accuracy {trained.card.accuracy:.4f}", flush=True)
        return
    source = load_model(folder / "source.safetensors")
    assert source.spec is not None
    copy = run_attack(
        entry.make,
        entry.settings,
        source.module,
        source.spec,
        images,
        seed=entry.seed,
        holdout=holdout,
        source_identity=source.identity,
    )
    save_model(path, copy.model, copy.card)
    print(f"{entry.name}: accuracy {copy.card.accuracy:.4f}, agreement {copy.agreement:.4f}", flush=True)


def measure(data: str, folder: Path) -> dict[str, Any]:
    """Detection rate and mean mutation rate of every model that is there, over the fingerprints' seeds."""
    entries = [entry for entry in plan(data) if (folder / f"{entry.name}.safetensors").exists()]
    models = {entry.name: load_model(folder / f"{entry.name}.safetensors") for entry in entries}
    holdout = load_data(f"{data}:holdout")
    images, labels = torch.from_numpy(holdout.stored), torch.from_numpy(holdout.labels)
    fingerprints = [enroll(models["source"], f"{data}:queries", scheme=AdvTra(), seed=seed) for seed in SEEDS]
    rows = [
        row(entry, models[entry.name], fingerprints, accuracy(models[entry.name].module, images, labels))
        for entry in entries
    ]
    return {
        "data": data,
        "scheme": asdict(AdvTra()),
        "fingerprint_seeds": SEEDS,
        "crafting": [dict(fingerprint.manifest.report) for fingerprint in fingerprints],
        "rows": rows,
        "missing": [entry.name for entry in plan(data) if entry not in entries],
    }


def row(entry: Entry, model: LoadedModel, fingerprints: list[Fingerprint], worth: float) -> dict[str, Any]:
    """One line of the table."""
    verdicts = [examine(fingerprint, model, slice_plane=False).verdict for fingerprint in fingerprints]
    matched = sum(int(verdict.details["matched"]) for verdict in verdicts)
    total = sum(int(verdict.details["trajectories"]) for verdict in verdicts)
    interval = clopper_pearson(matched, total)
    return {
        "name": entry.name,
        "row": entry.row,
        "accuracy": worth,
        "detection_rate": matched / total,
        "n_trajectories": total,
        "interval_95": [interval.low, interval.high],
        "per_seed": [int(verdict.details["matched"]) / int(verdict.details["trajectories"]) for verdict in verdicts],
        "mutation_rate": float(np.mean([float(verdict.details["mean_mutation_rate"]) for verdict in verdicts])),
        "paper_cifar10": None if entry.paper is None else {"detection_rate": entry.paper[0], "r": entry.paper[1]},
    }


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        "| suspect | accuracy | r | detection rate (95 % interval, n trajectories) | paper, CIFAR-10 (r) |",
        "|---|---|---|---|---|",
    ]
    for entry in result["rows"]:
        low, high = entry["interval_95"]
        paper = entry["paper_cifar10"]
        beside = "not published" if paper is None else f"{paper['detection_rate']:.3f} ({paper['r']:.3f})"
        lines.append(
            f"| {entry['row']} | {entry['accuracy']:.3f} | {entry['mutation_rate']:.3f} | "
            f"{entry['detection_rate']:.3f} ({low:.3f}-{high:.3f}, {entry['n_trajectories']}) | {beside} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=["digits", "fashion-mnist", "cifar10"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--build", action="append", help="make this model only")
    parser.add_argument("--measure-only", action="store_true", help="measure the models that are there; make none")
    parser.add_argument("--table", action="store_true", help="print the committed result and stop")
    arguments = parser.parse_args()
    result_file = f"detection_{arguments.data}.json"
    if arguments.table:
        print(table(json.loads((RESULTS / result_file).read_text())))
        return
    folder = arguments.folder or Path("out") / arguments.data
    for entry in plan(arguments.data):
        if not arguments.measure_only and (not arguments.build or entry.name in arguments.build):
            build(entry, arguments.data, folder)
    if arguments.build:
        return
    result = measure(arguments.data, folder)
    write_result(result_file, {**result, "provenance": provenance()})
    print(table(result))


if __name__ == "__main__":
    main()
