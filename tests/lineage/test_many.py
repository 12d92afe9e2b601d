"""One suspect beside many sources: read once, and compared as if it were alone."""

from __future__ import annotations

import pytest
import torch

from modelprint.lineage import LineageReference, StateTensors, SuspectForms, compare, reference_of
from modelprint.lineage.reference import LineageReference as Reference
from modelprint.lineage.scratch import NUMBERS, Scratch
from tests.lineage.nets import mlp_state, noisy, rearranged, residual_state, strided_state


def references() -> list[LineageReference]:
    sources = [strided_state(0), strided_state(1), strided_state(2, width=12), mlp_state(0), residual_state(0)]
    shared = reference_of(StateTensors(sources[0]), shared=[StateTensors(noisy(sources[0], 0.5, seed=4))])
    return [*(reference_of(StateTensors(source)) for source in sources), shared]


def suspects() -> dict[str, dict[str, torch.Tensor]]:
    copy = rearranged(noisy(strided_state(0), 0.1, seed=3), seed=1)
    pruned = {name: value.clone() for name, value in strided_state(1).items()}
    weight = next(value for value in pruned.values() if value.ndim == 4)
    weight[:3] = 0
    return {
        "copy": copy,
        "pruned": pruned,
        "narrow": strided_state(0, width=4),
        "wide": strided_state(5, width=12),
        "mlp": mlp_state(2),
        "residual": residual_state(1),
    }


@pytest.mark.parametrize("name", suspects())
def test_the_result_is_that_of_each_alone(name: str) -> None:
    state = suspects()[name]
    forms = SuspectForms(StateTensors(state))
    kept: list[Reference] = [reference.in_memory() for reference in references()]
    for _ in range(2):  # the second time all is kept
        for reference, small in zip(references(), kept, strict=True):
            alone = compare(reference, StateTensors(state))
            assert compare(small, forms) == alone
            short = compare(small, forms, p_value=False, figures=False)
            assert (short.score, short.shares, short.weights) == (alone.score, alone.shares, ())


def test_a_suspect_is_read_once() -> None:
    reads: list[str] = []

    class Counted(StateTensors):
        def read(self, name: str) -> torch.Tensor:
            reads.append(name)
            return super().read(name)

    forms = SuspectForms(Counted(strided_state(7)))
    for reference in references()[:2]:
        compare(reference, forms, p_value=False, figures=False)
    assert len(reads) == len(set(reads)) > 3


def test_memory_that_is_used_again() -> None:
    scratch = Scratch()
    first = scratch.tensor(0, (2, 3))
    assert first is not None
    first.fill_(1)
    again, other = scratch.tensor(0, (3, 2)), scratch.tensor(1, (2, 3))
    assert again is not None
    assert other is not None
    assert again.tolist() == [[1, 1]] * 3
    assert other.data_ptr() != first.data_ptr()
    assert scratch.tensor(0, (NUMBERS + 1,)) is None
