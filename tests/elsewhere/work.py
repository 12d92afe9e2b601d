"""A script: train, attack and enroll on a device that is not the CPU; prints what came of each as JSON."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.elsewhere.device import install

ATTACKS = {
    "adversarial": {"epochs": "1", "steps": "1"},
    "chain": {"steps": "prune rate=0.5 > ftal epochs=1"},
    "data-free": {"budget": "400", "rounds": "2", "generator_steps": "2", "epochs": "1"},
    "ip-remover": {"inputs": "40", "steps": "2", "epochs": "1"},
    "jbda": {"rounds": "1", "round_epochs": "1", "epochs": "1"},
    "prune": {"finetune_epochs": "1"},
    "removalnet": {"iterations": "5"},
}
SCHEMES = {
    "adv-tra": {"trajectories": "1", "l": "2", "m": "4"},
    "akh": {},
    "cort": {},
    "fbi": {},
    "ipguard": {"steps": "20", "k": "0.5"},
    "sac": {},
    "modeldiff": {"queries": "20", "rounds": "5"},
    "zest": {"queries": "25"},
    "deepcore": {"queries": "10", "steps": "5"},
}


def main() -> None:
    device = install()
    import torch

    from modelprint.attacks import ATTACKS as KINDS
    from modelprint.attacks import run_attack
    from modelprint.bench.judging import Asked, AskTask, ask
    from modelprint.bench.plan import Enrolment
    from modelprint.bench.work import CraftTask, WeighTask, _model, craft, weigh
    from modelprint.core.devices import device_of
    from modelprint.data.splits import load_data
    from modelprint.nn.files import save_model
    from modelprint.ownership.enroll import enroll
    from modelprint.ownership.verify import verify
    from modelprint.training.recipes import AdamW
    from modelprint.training.train import default_recipe, spec_for, train_model

    torch.set_num_threads(1)
    owner, attacker, queries = (load_data(f"digits:{part}") for part in ("owner", "attacker[0:128]", "queries"))
    results: dict[str, object] = {}

    def note(name: str, work: Callable[[], object]) -> None:
        try:
            results[name] = work()
        except Exception as error:
            places = [frame for frame in traceback.extract_tb(error.__traceback__) if "modelprint" in frame.filename]
            results[name] = f"{type(error).__name__}: {error} (at {places[-1].filename}:{places[-1].lineno})"

    def trained(place: object) -> object:
        recipe = default_recipe(owner, epochs=6)
        return train_model(owner, spec_for(owner, "cnn", {"width": 4}), recipe, seed=1, holdout=queries, device=place)

    source, on_cpu = trained(device), trained("cpu")
    results["losses"] = [source.report.losses[-1], on_cpu.report.losses[-1]]
    results["device"] = str(device_of(source.model))

    def attacked(kind: str) -> object:
        fields = KINDS[kind].__dataclass_fields__
        settings = ATTACKS.get(kind, {"epochs": "1"} if "epochs" in fields else {})
        made = run_attack(kind, settings, source.model, source.card.spec, attacker, seed=3, holdout=queries)
        return str(device_of(made.model))

    def enrolled(scheme: str) -> object:
        fingerprint = enroll(source.model, queries, scheme=scheme, settings=SCHEMES[scheme], budget=40)
        return verify(fingerprint, source.model).score

    def benched() -> object:
        place: Any = device  # the bench is given a name, and this device has none that torch knows
        with TemporaryDirectory() as folder:
            file = Path(folder) / "source.safetensors"
            save_model(file, on_cpu.model, on_cpu.card)
            plan = Enrolment(
                contender="akh",
                source="source",
                source_sha256="sha256:0",
                scheme="akh",
                parameters={},
                data="digits:queries",
                train_data="digits:owner",
                seed=0,
                budget=20,
            )
            fingerprint = Path(folder) / "fingerprint"
            crafted = craft(None, CraftTask(enrolment=plan, models={"source": file}, place=fingerprint, device=place))
            assert crafted.error is None, crafted.error
            asked = Asked(cell="1", fingerprint=fingerprint, judged_by=None, evasion="none", regions=False)
            (cell,) = ask(None, AskTask(suspect="source", model=file, cells=(asked,), alpha=0.05, device=place))
            assert cell.error is None, cell.error
            (weighed,) = weigh(
                None,
                WeighTask(
                    suspect="source",
                    model=file,
                    data="digits:holdout",
                    cells=("2",),
                    evasions=("jpeg",),
                    device=place,
                ),
            )
            assert weighed.error is None, weighed.error
            return [
                str(device_of(_model(file, place, trust_code=False).module)),
                cell.scores["labels"],
                weighed.details["accuracy"],
            ]

    for kind in KINDS:
        note(f"attack {kind}", lambda kind=kind: attacked(kind))
    for scheme in SCHEMES:
        note(f"scheme {scheme}", lambda scheme=scheme: enrolled(scheme))
    recipe = AdamW(epochs=6, lr=0.02, batch_size=32, augment="none")

    def by_adamw(place: object) -> float:
        return train_model(owner, source.card.spec, recipe, seed=0, device=place).report.losses[-1]

    note("bench", benched)
    note("adamw", lambda: [by_adamw(device), by_adamw("cpu")])
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
