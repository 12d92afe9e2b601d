"""The planned benchmarks: digits (part of the tests), fashion (what schemes are judged on), cifar10-small, cifar10."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from modelprint.bench.plan import Bench, Contender, Knob
from modelprint.core.registry import Registry

BENCHES: Registry[Bench] = Registry("benchmark")
COMMITTED = Path("benchmarks") / "results"


def default_folder(name: str) -> Path:
    """Where fingerprints and cells are kept: the user's cache."""
    import pooch

    return Path(pooch.os_cache("modelprint")) / "bench" / name


def default_results(name: str) -> Path:
    """Where results are written: `benchmarks/results/NAME.json` in a checkout, else beside the cells."""
    return (COMMITTED if COMMITTED.is_dir() else default_folder(name)) / f"{name}.json"


@lru_cache(maxsize=1)
def controls() -> tuple[Contender, ...]:
    """What stands in every table beside the schemes."""
    return tuple(Contender(label=name, scheme=name, seeds=(0,)) for name in ("accuracy", "agreement"))


def _adv_tra(label: str, knob: Knob, **settings: str) -> Contender:
    """A variant of ADV-TRA for a figure: 30 trajectories of floats, as published; half of the independent models."""
    chosen = {"trajectories": "30", "eight_bit": "false", "precision": "single", **settings}
    return Contender(label=label, scheme="adv-tra", settings=chosen, knob=knob, budgets=(100_000,), thinning=2)


def _knobs() -> Iterator[Contender]:
    """The paper's figures: AUC against classes spanned, total length, and brake factor at several lengths."""
    for m in range(1, 10):
        yield _adv_tra(f"m = {m}", Knob(name="classes spanned", value=m, line="l = 2"), m=str(m))
    for length, steps, classes in ((10, 1, 5), (20, 1, 10), (40, 2, 10), (80, 4, 10), (160, 8, 10), (320, 16, 10)):
        m = min(classes, 9)
        yield _adv_tra(
            f"length {length}",
            Knob(name="total length", value=2 * steps * m, line=f"m = {m}"),
            l=str(steps),
            m=str(m),
        )
    for steps in (2, 4, 8):  # with l = 1 there is nothing to brake
        for brake in ("0.5", "0.7", "0.8", "0.9", "0.95", "0.99"):
            yield _adv_tra(
                f"brake {brake}, l = {steps}",
                Knob(name="brake factor", value=float(brake), line=f"l = {steps}"),
                l=str(steps),
                brake=brake,
            )


_ADV_TRA = Contender(label="adv-tra", scheme="adv-tra")
_UAP = Contender(label="uap", scheme="uap")
_AKH = Contender(label="akh", scheme="akh", seeds=(0,))  # the baseline that must be in every table


def _field() -> Iterator[Contender]:
    """The schemes that ours are compared with, one fingerprint each."""
    yield _AKH
    yield Contender(label="ipguard", scheme="ipguard", settings={"start": "training"}, seeds=(0,))
    yield Contender(label="ipguard, mistakes", scheme="ipguard", settings={"start": "mistakes"}, seeds=(0,))
    yield Contender(label="sac", scheme="sac", seeds=(0,))
    yield Contender(label="sac, mistakes", scheme="sac", settings={"inputs": "mistakes"}, seeds=(0,))
    yield Contender(label="fbi", scheme="fbi", seeds=(0,))
    yield Contender(label="cort", scheme="cort", seeds=(0,))
    yield Contender(label="cae", scheme="cae", seeds=(0,))  # 4,000 queries: a quarter of an hour a source


def _ours() -> Iterator[Contender]:
    """The calibrated scheme, made for few queries; with other schemes' queries, too; with 8 + 8 shadow models."""
    contrast = Contender(label="contrast", scheme="contrast", seeds=(0,), rehearsed=True)
    yield contrast
    whole = {"label": "contrast, all pools", "budgets": (50, 200), "settings": {"pool": "all"}}
    yield contrast.model_copy(update=whole)
    yield contrast.model_copy(update={"label": "contrast, 8 + 8", "budgets": (200,), "rehearsed": False})


def _ablations() -> Iterator[Contender]:
    """What each part of `contrast` is worth, and what it does against thefts and architectures that it never saw."""
    whole = Contender(label="contrast", scheme="contrast", rehearsed=True)
    yield whole
    for label, settings in (
        ("natural images only", {"pool": "natural"}),
        ("CutMix only", {"pool": "cutmix"}),
        ("trajectory points only", {"pool": "trajectory"}),
        ("UAP-shifted only", {"pool": "shifted"}),
        ("all four pools", {"pool": "all"}),
        ("no boosting", {"boost": "0"}),
    ):
        yield whole.model_copy(update={"label": label, "settings": settings})
    for count in (2, 4, 8):
        yield whole.model_copy(update={"label": f"{count} + {count}", "rehearsed": False, "shadows": count})
    for unseen in ("extraction", "fine-tuning", "pruning", "adversarial", "chain", "architectures"):
        yield whole.model_copy(update={"label": f"{unseen} unseen", "unseen": unseen})


def _seeded() -> Iterator[Contender]:
    """The two systems with three seeds at three budgets, with one at the others."""
    for scheme in (_ADV_TRA, _UAP):
        yield scheme.model_copy(update={"budgets": (100, 1000, 4000)})
        yield scheme.model_copy(update={"budgets": (50, 200, 500), "seeds": (0,)})


EVASIONS = (
    "flip",
    "noise",
    "blur",
    "jpeg",
    "bit-depth",
    "resize",
    "rounding",
    "top-1",
    "label-noise",
    "ensemble",
    "detector",
    "permutation",
    "jpeg+noise+label-noise",
)


def _few_queries() -> Iterator[Contender]:
    """Every scheme with few queries, one fingerprint each."""
    yield from (*_ours(), *_field())
    for scheme in (_ADV_TRA, _UAP):
        yield scheme.model_copy(update={"seeds": (0,)})


def _evaded() -> Iterator[Contender]:
    """Few queries of every scheme, as in `fashion`, of which the fingerprints and plain cells are the same."""
    field = {one.label: one for one in (*_field(), *_ours())}
    for label in ("contrast", "cae", "akh", "sac", "fbi", "ipguard"):
        yield field[label].model_copy(update={"budgets": (200,), "evasions": EVASIONS})
    for scheme in (_ADV_TRA, _UAP):  # whose queries are worth little singly
        yield scheme.model_copy(update={"budgets": (1000,), "evasions": EVASIONS})


def _expecting() -> Iterator[Contender]:
    """The same schemes, which expect two of the evasions, and meet these and others."""
    for contender in _evaded():
        if contender.scheme != "cae":
            settings = {**contender.settings, "expect": "jpeg,resize"}
            met = ("jpeg", "resize", "blur", "noise")
            yield contender.model_copy(update={"settings": settings, "evasions": met})


BENCHES.register("digits")(  # small enough for the tests: one budget for most, and the schemes that craft in seconds
    Bench(
        name="digits",
        zoo="digits",
        contenders=(
            *(contender.model_copy(update={"budgets": (200, 4000)}) for contender in (_ADV_TRA, *controls())),
            _UAP,
            Contender(label="contrast", scheme="contrast", settings={"candidates": "5000"}),
            *(contender for contender in _field() if contender.label in ("akh", "fbi", "sac")),
        ),
        budgets=(200,),
        seeds=(0,),
        regions="adv-tra",
    )
)
BENCHES.register("fashion")(
    Bench(
        name="fashion",
        zoo="fashion",
        contenders=(*_seeded(), *_ours(), *_field(), *controls(), *_knobs()),
        budgets=(50, 100, 200, 500, 1000, 4000),
        seeds=(0, 1, 2),
        regions="adv-tra",
    )
)
BENCHES.register("fashion-contrast")(
    Bench(
        name="fashion-contrast",
        zoo="fashion",
        contenders=tuple(_ablations()),
        budgets=(200,),
        seeds=(0,),
        first_source_only=True,
    )
)
BENCHES.register("fashion-evasion")(
    Bench(
        name="fashion-evasion",
        zoo="fashion",
        contenders=tuple(_evaded()),
        budgets=(200,),
        seeds=(0,),
    )
)
BENCHES.register("fashion-expect")(
    Bench(
        name="fashion-expect",
        zoo="fashion",
        contenders=tuple(_expecting()),
        budgets=(200,),
        seeds=(0,),
        first_source_only=True,
    )
)
BENCHES.register("cifar10-small")(
    Bench(
        name="cifar10-small",
        zoo="cifar10-small",
        contenders=(*_few_queries(), *controls()),
        budgets=(50, 200),
        seeds=(0,),
    )
)
BENCHES.register("cifar10-small-contrast")(
    Bench(
        name="cifar10-small-contrast",
        zoo="cifar10-small",
        contenders=tuple(one for one in _ablations() if one.unseen or one.label == "contrast"),
        budgets=(200,),
        seeds=(0,),
        first_source_only=True,
    )
)
BENCHES.register("cifar10-small-evasion")(
    Bench(
        name="cifar10-small-evasion",
        zoo="cifar10-small",
        contenders=tuple(one for one in _evaded() if one.scheme == "contrast"),
        budgets=(200,),
        seeds=(0,),
    )
)
BENCHES.register("cifar10")(
    Bench(
        name="cifar10",
        zoo="cifar10",
        contenders=(_ADV_TRA, *controls()),
        budgets=(1000, 4000),
        seeds=(0,),
        regions="adv-tra",
    )
)
