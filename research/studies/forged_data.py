"""How often forged *data* make independent models look derived, without and with each guard.

    python -m research.studies.forged_data [SCHEME ...]

The owner of `false_claims` does not touch the queries: he commits a data set that makes the published algorithm pick
queries that independent models answer as his model does. Each image keeps its true label, and each fingerprint comes
out again bit for bit. How he forges follows what a scheme reads:

- mistakes (AKH, SAC with inputs=mistakes, contrast): images moved inside an epsilon ball until the source, its
  surrogates and the aimed-at models give one wrong class and the reference models do not, among natural images that
  the source gets right. UAP: such images as the *training* data, as that is what UAP's queries are made of.
- FBI: half of the images as above, half moved until source and aimed-at models are right and the reference models are
  not; enrolled without reference models, so that images are drawn at random from these.
- CoRt, which starts from what the source is surest of: images moved until the source and the reference models are right
  and the aimed-at models wrong. Natural images of which the source is surer are left out.
- IPGuard (towards the least likely class), CAE and ADV-TRA walk from images: a rehearsal walks from natural images, and
  those are chosen whose queries the aimed-at models answer as the source does and the reference models do not. Of
  ADV-TRA's each is committed four times, three of them with pixels one level off; nothing else is altered.

Aimed at: one known independent model (ten of these), or independent models in general, as which half of the reference
models (all of them, where a scheme asks none at enrollment) stand. Thresholds at alpha = .05 are set

- without a guard by the judge's models' scores on a fingerprint of natural images, which the owner shows as if they
  were the forged one's;
- by the judge's models on the forged fingerprint;
- by the judge's models on fingerprints with a fresh seed, of the owner's forged images, and of the judge's own images;
- there also by models that the owner chose: those of the judge's pool that score lowest on the owner's fingerprint of
  natural images.

The owner's images are the first half of the zoo's query images, the judge's the second half. Puts each scheme's row
into benchmarks/results/forged_data_fashion.json; what was forged lies in the user cache, and is used again.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import torch

from benchmarks.common import RESULTS, provenance, write_result
from modelprint.data.labelled import LabelledSet
from modelprint.nn.loading import LoadedModel
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.rederive import rederive
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Scheme
from modelprint.stats.calibration import threshold
from research.studies.false_claims import AIMED, ALPHA, FIELD, accused, rate, scores
from research.studies.forging import (
    SETTINGS,
    Commitment,
    Forger,
    Targets,
    World,
    enrolled,
    shadows,
    world_of,
)

CHOSEN = 38  # models that the owner chooses among the judge's
RESULT = "forged_data_fashion.json"


def comes_out_again(world: World, scheme: Scheme, data: Commitment, fingerprint: Fingerprint) -> bool:
    """Whether re-derivation makes the same bits; it raises where a query does not come out."""
    return rederive(
        fingerprint,
        world.cast.owner,
        data.seeds,
        train_data=data.train_data if scheme.needs.train_images else None,
        shadows=shadows(world, scheme, data),
    ).exact


def measured(name: str, world: World) -> Iterator[dict[str, Any]]:
    """A scheme's row, as soon as there is one, and again with each further model that is aimed at."""
    scheme, cast = SCHEMES[name]().with_settings(SETTINGS.get(name, {})), world.cast
    references = tuple(model for model in cast.shadows.references if isinstance(model, LoadedModel))
    half = len(references) // 2
    forger = Forger(world=world, scheme=scheme)
    victims = cast.innocents[:: max(1, len(cast.innocents) // AIMED)][:AIMED]

    natural = Commitment(seeds=world.owners, train_data=world.owners_training, references=references)
    true = enrolled(world, scheme, natural, seed=0)
    shown = scores(scheme, true, cast.judges)
    shown_limit = threshold(shown, ALPHA)
    chosen = [cast.judges[place] for place in np.argsort(shown, kind="stable")[:CHOSEN]]
    row: dict[str, Any] = {"queries": len(true), "natural": rate(scores(scheme, true, cast.innocents) > shown_limit)}

    own = Commitment(seeds=world.judges_images, train_data=world.judges_training, references=references)
    fresh = enrolled(world, scheme, own, seed=1)
    row["judge's images"] = rate(accused(scheme, fresh, cast.innocents, cast.judges))
    row["judge's images, owner's choice of models"] = rate(accused(scheme, fresh, cast.innocents, chosen))
    row["aimed, judge's images"] = rate(accused(scheme, fresh, victims, cast.judges))
    say(name, row)

    learning = scheme.needs.shadows and name != "sac"  # whose queries reference models help to choose
    general = Targets(
        name="half" if learning else "all",
        friends=[model.module for model in (references[:half] if learning else references)],
        others=[model.module for model in references[half:]] if learning else [],
        references=references[half:] if learning else references,
    )
    data = forger.commitment(general)
    forged = enrolled(world, scheme, data, seed=0)
    row["images"] = {"committed": len(forged_set(scheme, data)), "forged": data.forged}
    row["general, re-derived"] = comes_out_again(world, scheme, data, forged)
    row["general, no guard"] = rate(scores(scheme, forged, cast.innocents) > shown_limit)
    row["general, judge's models"] = rate(accused(scheme, forged, cast.innocents, cast.judges))
    again = enrolled(world, scheme, data, seed=1)
    row["general, fresh seed on the owner's images, no guard"] = rate(
        scores(scheme, again, cast.innocents) > shown_limit
    )
    row["general, fresh seed on the owner's images"] = rate(accused(scheme, again, cast.innocents, cast.judges))
    say(name, row)

    judged, unguarded, challenged = [], [], []
    for number, victim in enumerate(victims):
        aimed = Targets(
            name=f"victim-{number}",
            friends=[victim],
            others=[model.module for model in references],
            references=references,
        )
        data = forger.commitment(aimed)
        forged = enrolled(world, scheme, data, seed=0)
        if not number:
            row["aimed, re-derived"] = comes_out_again(world, scheme, data, forged)
        judged.append(accused(scheme, forged, [victim], cast.judges)[0])
        unguarded.append(scores(scheme, forged, [victim])[0] > shown_limit)
        challenged.append(accused(scheme, enrolled(world, scheme, data, seed=1), [victim], cast.judges)[0])
        print(name, number, judged[-1], unguarded[-1], challenged[-1], flush=True)
        row["aimed, no guard"] = rate(np.array(unguarded))
        row["aimed, judge's models"] = rate(np.array(judged))
        row["aimed, fresh seed on the owner's images"] = rate(np.array(challenged))
        yield row


def forged_set(scheme: Scheme, data: Commitment) -> LabelledSet:
    """The set that was forged: UAP's training images, or those that queries are made of."""
    return data.train_data if scheme.name == "uap" else data.seeds


def say(name: str, row: Mapping[str, Any]) -> None:
    counts = {key: f"{cell['accused']}/{cell['n']}" if "accused" in cell else cell for key, cell in row.items()
              if isinstance(cell, dict)}  # fmt: skip
    print(name, counts, flush=True)


def main() -> None:
    torch.set_num_threads(1)
    world = world_of(Path(pooch.os_cache("modelprint")) / "forged-data")
    path = RESULTS / RESULT
    for name in sys.argv[1:] or FIELD:
        started = time.process_time()
        for row in measured(name, world):
            rows = json.loads(path.read_text())["rows"] if path.exists() else {}
            rows[name] = {**row, "cpu_seconds": round(time.process_time() - started), "provenance": provenance()}
            counts = {key: len(getattr(world.cast, key)) for key in ("surrogates", "judges", "innocents")}
            ordered = {each: rows[each] for each in FIELD if each in rows}
            write_result(RESULT, {"alpha": ALPHA, **counts, "chosen": CHOSEN, "rows": ordered})
        say(name, rows[name])


if __name__ == "__main__":
    main()
