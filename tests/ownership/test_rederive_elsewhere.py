"""Fingerprints come out again where numbers are added in another order, as on another processor."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import pytest
import torch
from torch import nn

from modelprint.core.errors import IntegrityError
from modelprint.nn.loading import LoadedModel, weights_identity
from modelprint.nn.refs import held
from modelprint.ownership.craft import craft
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.opening import scheme_of
from modelprint.ownership.rederive import compared
from modelprint.schemes import SCHEMES
from modelprint.schemes.adv_tra import AdvTra
from modelprint.schemes.anafp import AnaFP
from modelprint.schemes.base import Enrollment, Scheme
from modelprint.schemes.cae import Cae
from modelprint.schemes.contrast import Contrast
from modelprint.schemes.cort import CoRt
from modelprint.schemes.deepcore import DeepCore
from modelprint.schemes.fit_lime import FitLime
from modelprint.schemes.fit_print import FitPrint
from modelprint.schemes.ganfinger import GanFinger
from modelprint.schemes.ipguard import IPGuard
from modelprint.schemes.irisfp import IrisFP
from modelprint.schemes.metafinger import MetaFinger
from modelprint.schemes.modeldiff import ModelDiff
from modelprint.schemes.uap import Uap
from modelprint.schemes.zest import Zest
from modelprint.training.loop import predict
from modelprint.zoo.reference_models.shadows import Shadows
from tests.conftest import Digits
from tests.schemes.world import copies, enrolled, modules

ALL = (
    AdvTra(trajectories=20),
    AdvTra(trajectories=20, eight_bit=False),
    AdvTra(trajectories=20, near=3),
    Cae(queries=20, steps=30, epsilon=0.25, rate=0.01, conferrability=0.0),
    Contrast(queries=60, candidates=400),
    CoRt(queries=50, epsilon=0.1),
    IPGuard(queries=40, k=4.0),
    ModelDiff(queries=40),
    DeepCore(queries=40),
    FitPrint(queries=40),
    FitLime(queries=40, samples=10, cells=4, epsilon=0.4),
    Zest(),
    Uap(points=20, views=3, epsilon=0.25, images=200, least_fooling=0),
    AnaFP(queries=30, grid=6),
    GanFinger(queries=20, epsilon=0.5, steps=20, hidden=32, samples=1),
    IrisFP(queries=30, steps=15),
    MetaFinger(queries=20, steps=12, rate=0.05),
    *(SCHEMES[name]() for name in ("akh", "sac", "fbi")),
    AdvTra(trajectories=5, expect="jpeg,resize"),
)


def reordered(model: nn.Module, seed: int) -> nn.Module:
    """The same function: channels of every convolution stand in another order, and are added in it."""
    generator = torch.Generator().manual_seed(seed)
    other = copy.deepcopy(model)
    order: torch.Tensor | None = None
    for module in other.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.data if order is None else module.weight.data[:, order]
            order = torch.randperm(len(weight), generator=generator)
            module.weight.data = weight[order].contiguous(memory_format=torch.channels_last)
        elif isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert tensor is not None
                tensor.data = tensor.data[order]
        elif isinstance(module, nn.Linear):
            module.weight.data = module.weight.data[:, order]
    return other


@pytest.fixture(scope="module")
def here(digits: Digits) -> Enrollment:
    return enrolled(digits)


@pytest.fixture(scope="module")
def elsewhere(here: Enrollment) -> Enrollment:
    def there(models: tuple[nn.Module, ...]) -> tuple[nn.Module, ...]:
        return tuple(reordered(model, number) for number, model in enumerate(models))

    return replace(
        here,
        source=reordered(here.source, 100),
        surrogates=held(there(modules(here.surrogates))),
        references=held(there(modules(here.references))),
    )


@pytest.fixture(scope="module")
def enrolled_by(digits: Digits) -> Callable[[Scheme], Fingerprint]:
    """The fingerprint of a scheme, made once."""
    return cache(partial(fingerprint, digits))


def fingerprint(digits: Digits, scheme: Scheme) -> Fingerprint:
    module = digits.source
    source = LoadedModel(module=module, identity=weights_identity(module), spec=digits.spec, card=None, path=None)
    shadows = Shadows(surrogates=opened(copies(digits)), references=opened(digits.strangers))
    return enroll(source, digits.queries, scheme=scheme, seed=3, shadows=shadows, train_data=digits.owner)


def opened(models: tuple[nn.Module, ...]) -> tuple[LoadedModel, ...]:
    return tuple(
        LoadedModel(module=model, identity=weights_identity(model), spec=None, card=None, path=None) for model in models
    )


def test_the_other_order_is_the_same_function_but_for_the_last_bits(here: Enrollment, elsewhere: Enrollment) -> None:
    images = torch.from_numpy(here.seeds.stored)
    off = (predict(here.source, images) - predict(elsewhere.source, images)).abs().max()
    assert 1e-7 < off < 1e-4


@pytest.mark.parametrize("scheme", ALL, ids=lambda scheme: f"{scheme.name} {scheme.expect}".strip())
def test_every_scheme_comes_out_again(
    enrolled_by: Callable[[Scheme], Fingerprint], elsewhere: Enrollment, scheme: Scheme
) -> None:
    made = enrolled_by(scheme)
    found = compared(made, craft(scheme, elsewhere, seed=3))
    assert found.differing == 0
    assert 0 < found.scores_off < 1e-4


def test_in_single_precision_rounding_alone_leads_a_walk_astray(here: Enrollment) -> None:
    """What double precision is for: the same points, in four other orders of adding."""
    scheme = IPGuard(queries=100, k=4.0, precision="single")
    first = craft(scheme, here, seed=3).queries.stored
    others = (replace(here, source=reordered(here.source, seed)) for seed in range(4))
    assert any((craft(scheme, other, seed=3).queries.stored != first).any() for other in others)


@pytest.mark.parametrize(
    "scheme", [scheme for scheme in ALL if "precision" in scheme.before_named], ids=lambda s: s.name
)
def test_fingerprints_that_know_no_precision_were_made_in_single(
    enrolled_by: Callable[[Scheme], Fingerprint], scheme: Scheme
) -> None:
    made = enrolled_by(scheme)
    told = made.manifest.model_dump(mode="json", exclude={"tensors"})
    del told["parameters"]["precision"]
    old = Fingerprint.bind(
        told, queries=made.queries, true_labels=made.true_labels, source=made.source, state=made.state
    )
    assert scheme_of(old) == replace(scheme, precision="single")  # type: ignore[call-arg]


def test_a_refusal_says_what_else_may_have_changed_a_query(digits: Digits, here: Enrollment) -> None:
    made = fingerprint(digits, AdvTra(trajectories=2, m=3, precision="single"))
    told = made.manifest.model_dump(mode="json", exclude={"tensors"})
    images = made.queries.copy()
    images[0] = 255 - images[0]
    forged = Fingerprint.bind(
        {**told, "library": "modelprint 0.0.9, torch 2.0.0"},
        queries=images, true_labels=made.true_labels, source=made.source, state=made.state,
    )  # fmt: skip
    with pytest.raises(IntegrityError, match=r"query 0 .* single precision, .* 0\.0\.9, torch 2\.0\.0, this is .*"):
        compared(forged, craft(AdvTra(trajectories=2, m=3, precision="single"), here, seed=3))
