"""In how few directions perturbations lie, and how near a copy's are to its source's (white box).

    python -m research.studies.uap_subspace --folder benchmarks/zoo/fashion

The zoo's first source: singular values of its boundary normals (DeepFool on held-out images) and of universal
perturbations from many samples of images, against random directions. Principal angles between the leading subspaces of
its normals and those of its copies, of copies of the other sources, and of independent models, with the AUC of their
mean. Writes benchmarks/results/uap_subspace_fashion.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.common import provenance, write_result
from modelprint.perturb.deepfool import deepfool
from modelprint.perturb.subspace import directions_for, leading_subspace, principal_angles, spectrum
from modelprint.perturb.uap import Ascent
from modelprint.stats.intervals import bootstrap
from modelprint.stats.roc import auc
from research.studies.uap_zoo import Zoo

KEPT = 60  # singular values that are written


def normals(model: nn.Module, images: Tensor) -> np.ndarray:
    """The ways across the nearest boundary, (n, d), of the images that found one."""
    parts = [deepfool(model, part, iterations=10) for part in torch.split(images, 250)]
    shifts = torch.cat([part.shift[part.crossed] for part in parts]).flatten(1).double().numpy()
    return shifts[np.linalg.norm(shifts, axis=1) > 0]


def many_universal(model: nn.Module, images: Tensor, *, count: int, epsilon: float) -> np.ndarray:
    """Universal perturbations (count, d), each from a sample of the images of its own."""
    perturbations = []
    for number in range(count):
        generator = torch.Generator().manual_seed(number)
        sample = images[torch.randperm(len(images), generator=generator)[:300]]
        perturbations.append(Ascent().find(model, sample, epsilon=epsilon, generator=generator).flatten())
    return torch.stack(perturbations).double().numpy()


def against_chance(vectors: np.ndarray) -> dict[str, Any]:
    """The spectrum, and how many directions carry half and nine tenths of it, beside those of random directions."""
    chance = np.random.default_rng(0).normal(size=vectors.shape)
    spectra: dict[str, Any] = {"vectors": len(vectors), "dimensions": vectors.shape[1]}
    for name, values in (("model", spectrum(vectors)), ("random", spectrum(chance))):
        spectra[name] = {
            "singular_values": [round(float(value), 5) for value in values[:KEPT]],
            "directions_50": directions_for(values, energy=0.5),
            "directions_90": directions_for(values, energy=0.9),
        }
    return spectra


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="of the fashion zoo")
    parser.add_argument("--thinning", type=int, default=4, help="take every so-manieth independent model")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--size", type=int, default=20, help="dimensions of the subspaces that are compared")
    parser.add_argument("--universal", type=int, default=40, help="universal perturbations of the source")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    zoo = Zoo(arguments.folder, thinning=arguments.thinning)
    source = zoo.sources[0]
    images = torch.from_numpy(zoo.seeds.stored[: arguments.images]).float() / 255
    own = normals(zoo.module(source), images)
    basis = leading_subspace(own, size=arguments.size)
    train = torch.from_numpy(zoo.train.stored[:4000]).float() / 255
    universal = many_universal(zoo.module(source), train, count=arguments.universal, epsilon=30 / 255)
    groups = {
        "derived": zoo.copies(source),
        "copies of other sources": [name for other in zoo.sources if other != source for name in zoo.copies(other)][
            :: arguments.thinning
        ],
        "independent": zoo.independents("test"),
    }
    angles: dict[str, dict[str, np.ndarray]] = {
        label: {
            name: principal_angles(basis, leading_subspace(normals(zoo.module(name), images), size=arguments.size))
            for name in names
        }
        for label, names in groups.items()
    }
    chance = leading_subspace(np.random.default_rng(1).normal(size=own.shape), size=arguments.size)
    result: dict[str, Any] = {
        "source": source,
        "images": arguments.images,
        "size": arguments.size,
        "boundary_normals": against_chance(own),
        "universal": against_chance(universal),
        "angles_to_random": [round(float(angle), 2) for angle in principal_angles(basis, chance)],
        "angles": {
            label: {
                "n": len(members),
                "mean": float(np.mean([values.mean() for values in members.values()])),
                "smallest": float(np.mean([values[0] for values in members.values()])),
                "mean_by_family": _by_family(zoo, members),
                "median_curve": [round(float(angle), 2) for angle in np.median(list(members.values()), axis=0)],
            }
            for label, members in angles.items()
        },
        "auc_of_minus_mean_angle": {
            label: _auc(angles["derived"], angles[label]) for label in ("independent", "copies of other sources")
        },
        "provenance": provenance(),
    }
    write_result("uap_subspace_fashion.json", result)
    for label, group in result["angles"].items():
        print(label, group["n"], f"{group['mean']:.1f} degrees", group["mean_by_family"])
    print(result["auc_of_minus_mean_angle"])


def _by_family(zoo: Zoo, members: dict[str, np.ndarray]) -> dict[str, float]:
    families: dict[str, list[float]] = {}
    for name, values in members.items():
        model = zoo.models[name]
        families.setdefault(str(model.family or model.kind), []).append(float(values.mean()))
    return {family: round(float(np.mean(values)), 2) for family, values in families.items()}


def _auc(derived: dict[str, np.ndarray], others: dict[str, np.ndarray]) -> dict[str, float]:
    near, far = (np.array([-values.mean() for values in members.values()]) for members in (derived, others))
    interval = bootstrap(near, far, auc, generator=np.random.default_rng(0), resamples=500)
    return {"auc": auc(near, far), "low": interval.low, "high": interval.high}


if __name__ == "__main__":
    main()
