"""What changes in fingerprints that are made again elsewhere: the tolerance of `check --rederive`.

    python -m research.studies.rederive_machines

The sources of the `fashion` zoo, every scheme (those that learn from shadow models with 8 + 8 of the zoo's, as files),
crafted with one thread; then with two threads, and as an older processor computes: no instructions beyond
SSE 4.1 in PyTorch's own kernels, oneDNN, NumPy and its BLAS, and MKL's code path that is the same on all processors.
Each in a process of its own. `rounding` is the largest difference of the source's logits on 1,000 images: where it is 0
nothing was imitated. `verdict` is what the comparison of `check --rederive` says of the whole fingerprint: queries, the
source's answers, and what the scheme learned. Writes benchmarks/results/rederive_machines.json.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from benchmarks.common import provenance, write_result
from modelprint.core.errors import IntegrityError
from modelprint.core.suspect import Answers
from modelprint.data.splits import load_data
from modelprint.modalities.image import IMAGE
from modelprint.ownership.craft import Crafted, craft
from modelprint.ownership.enroll import without_shared
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.rederive import COORDINATES, STEPS, compared
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Enrollment, Queries, Scheme
from modelprint.training.loop import predict
from modelprint.zoo.population import load

OLDER = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "AVX FMA3 AVX2",
}
RUNS: dict[str, tuple[int, dict[str, str]]] = {
    "one thread": (1, {}),
    "two threads": (2, {}),
    "older processor": (1, OLDER),
}


def schemes(only: str) -> list[Scheme]:
    """Every registered scheme but the controls, or those named."""
    named = only.split(",") if only else [name for name in SCHEMES if name not in ("accuracy", "agreement")]
    return [SCHEMES[name]() for name in named]


def fingerprint_all(place: Path, threads: int, sources: int, only: str) -> None:
    """Write what every scheme makes of every source, and what the source says to 1,000 images."""
    torch.set_num_threads(threads)
    models = load("fashion")
    shadows = [model for model in models if model.part == "shadow"]
    train_images = load_data("fashion-mnist:owner")
    seeds = without_shared(load_data("fashion-mnist:queries"), train_images)
    for source in [model for model in models if model.role == "source"][:sources]:
        context = Enrollment(
            source=source.load().module,
            seeds=seeds,
            train_images=train_images,
            surrogates=tuple(model.load() for model in shadows if model.source == source.id),
            references=tuple(model.load() for model in shadows if model.role == "independent"),
        )
        logits = predict(context.source, torch.from_numpy(seeds.stored[:1000])).numpy()
        save_file({"logits": logits}, place / f"{source.id}.safetensors")
        for scheme in schemes(only):
            file = place / f"{source.id} {scheme.name}.safetensors"
            if not file.exists():
                save_file(_flat(craft(scheme, context, seed=0)), file.with_suffix(".part"))
                file.with_suffix(".part").rename(file)


def _flat(crafted: Crafted) -> dict[str, np.ndarray]:
    assert crafted.source.scores is not None
    arrays = {
        "images": crafted.queries.stored,
        "truth": crafted.queries.labels,
        "labels": crafted.source.labels,
        "scores": crafted.source.scores,
        **{f"state.{name}": np.asarray(array) for name, array in crafted.state.items()},
    }
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _whole(flat: dict[str, np.ndarray]) -> Crafted:
    return Crafted(
        queries=Queries(stored=flat["images"], labels=flat["truth"], group=np.zeros(len(flat["truth"]), np.int64)),
        source=Answers(labels=flat["labels"], scores=flat["scores"]),
        state={name.removeprefix("state."): array for name, array in flat.items() if name.startswith("state.")},
    )


def row(name: str, first: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> dict[str, Any]:
    """How far two fingerprints are apart, in levels of 255, and whether one passes for the other."""
    comparison: dict[str, Any] = {"queries": len(first["images"]), "verdict": _verdict(name, first, other)}
    if first["images"].shape != other["images"].shape:
        return {**comparison, "queries_there": len(other["images"])}
    levels = np.abs(first["images"].astype(np.int64) - other["images"].astype(np.int64))
    levels = levels.reshape(len(levels), -1)
    shares = (levels > 0).mean(axis=1)
    return {
        **comparison,
        "changed": int((shares > 0).sum()),
        "beyond_tolerance": int(((levels.max(axis=1) > STEPS) | (shares > COORDINATES)).sum()),
        "largest_change": int(levels.max()),
        "largest_share_of_pixels": float(shares.max()),
        "scores_off": float(np.abs(first["scores"] - other["scores"]).max()),
        "state_off": max(
            float(np.abs(first[key].astype(np.float64) - other[key].astype(np.float64)).max())
            for key in first
            if key.startswith("state.") and first[key].shape == other[key].shape
        ),
    }


def _verdict(name: str, first: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> str:
    stated = _whole(first)
    height, width = first["images"].shape[2:]
    fingerprint = Fingerprint.bind(
        {
            "scheme": name,
            "parameters": {},
            "seed": 0,
            "input": IMAGE.spec((1, height, width), tuple("0123456789")),
            "codec": IMAGE.codec(stated.queries.stored),
            "source": "sha256:" + "0" * 64,
            "source_accuracy": 1.0,
            "data": "sha256:" + "0" * 64,
            "data_name": "fashion-mnist:queries",
            "report": {},
            "calibration": [],
            "library": "this",
        },
        queries=stated.queries.stored,
        true_labels=stated.queries.labels,
        source=stated.source,
        state=stated.state,
    )
    try:
        compared(fingerprint, _whole(other))
    except IntegrityError as error:
        return f"refused: {error}"
    return "accepted"


def main() -> None:
    """Craft in processes of their own, compare, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=3)
    parser.add_argument("--only", default="", help="schemes, separated by commas; nothing is written")
    parser.add_argument("--folder", type=Path, help="where fingerprints are kept; what lies there is not made again")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        for number, (label, (threads, settings)) in enumerate(RUNS.items()):
            place = folder / label
            place.mkdir(parents=True, exist_ok=True)
            words = [str(place), str(threads), str(arguments.sources), arguments.only]
            command = [sys.executable, "-m", "research.studies.rederive_machines", *words]
            subprocess.run(command, env={**os.environ, **settings}, check=True)
            for file in sorted((folder / "one thread").glob("* *.safetensors")) if number else ():
                source, name = file.stem.split(" ")
                comparison = row(name, load_file(file), load_file(place / file.name))
                here, there = (load_file(run / f"{source}.safetensors")["logits"] for run in (file.parent, place))
                rounding = float(np.abs(here - there).max())
                rows.append({"scheme": name, "source": source, "against": label, "rounding": rounding, **comparison})
                print(rows[-1], flush=True)
    if not arguments.only:
        write_result("rederive_machines.json", {"rows": rows, "provenance": provenance()})


if __name__ == "__main__":
    if len(sys.argv) == 5 and Path(sys.argv[1]).is_dir():
        fingerprint_all(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    else:
        main()
