import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from modelprint.core.errors import FingerprintError, ModelError
from modelprint.lineage import LineageReference, StateTensors, compare, open_tensors, reference_of
from modelprint.lineage.tensors import SafetensorsTensors
from tests.lineage.nets import mlp_state, strided_state

NAME = "features.1.0.weight"


@pytest.fixture(scope="module")
def reference():
    return reference_of(StateTensors(strided_state(0)))


def with_weight(change):
    state = strided_state(0)
    return StateTensors({**state, NAME: change(state[NAME])})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (torch.zeros_like, "all its numbers are 0"),
        (lambda weight: torch.full_like(weight, 0.25), "all its numbers are 0.25"),
        (lambda weight: weight.index_fill(0, torch.tensor([1]), float("nan")), "72 of its 1152 numbers are not finite"),
        (lambda weight: weight.index_fill(0, torch.tensor([1]), float("inf")), "72 of its 1152 numbers are not finite"),
        (lambda weight: weight.to(torch.complex64), "complex64"),
        (lambda weight: (weight * 100).to(torch.int8), "int8 numbers without a scale"),
        (lambda weight: weight[:, :5], "do not fit"),
    ],
)
def test_a_weight_that_says_nothing_is_left_out_with_its_reason(reference, change, reason):
    result = compare(reference, with_weight(change))
    assert result.score == pytest.approx(1, abs=1e-3)
    (left_out,) = result.left_out
    assert left_out.name == NAME
    assert reason in left_out.why
    assert result.compared < 1


def test_nothing_is_nan_where_nothing_can_be_compared(reference):
    state = {name: torch.zeros_like(value) for name, value in strided_state(0).items()}
    result = compare(reference, StateTensors(state))
    assert result.score is None
    assert "too few" in result.why
    assert len(result.left_out) == 4


def test_another_architecture_is_not_comparable(reference):
    result = compare(reference, StateTensors(mlp_state(0)))
    assert result.score is None
    assert "0%" in result.why
    assert result.extra


def test_a_model_without_weights_is_not_comparable(reference):
    assert compare(reference, StateTensors({"scale": torch.ones(3)})).score is None


def test_integers_whose_scale_does_not_fit_are_left_out(reference):
    state = strided_state(0)
    state[NAME] = (state[NAME] * 100).to(torch.int8)
    state[NAME + "_scale"] = torch.ones(5)
    assert "output channel" in compare(reference, StateTensors(state)).left_out[0].why


def test_a_source_without_weights_is_refused():
    with pytest.raises(ModelError, match="no weight that can be compared"):
        reference_of(StateTensors({"fc.weight": torch.zeros(3, 3)}))


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(strided_state(0), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="not a whole safetensors file"):
        open_tensors(path)
    with pytest.raises(ModelError, match="cannot be read"):
        open_tensors(tmp_path / "absent.safetensors")


def test_a_device_is_no_file():
    with pytest.raises(ModelError, match="no regular file"):
        SafetensorsTensors(Path("/dev/null"))


def test_another_file_is_no_reference(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(strided_state(0), path)
    with pytest.raises(FingerprintError, match="no reference of weights"):
        LineageReference.load(path)


def test_shards_are_read_through_their_index(reference, tmp_path):
    state = strided_state(0)
    places = {name: f"part-{place % 2}.safetensors" for place, name in enumerate(state)}
    for file in set(places.values()):
        save_file({name: value for name, value in state.items() if places[name] == file}, tmp_path / file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    assert compare(reference, open_tensors(index)).score == pytest.approx(1, abs=1e-3)
    index.write_text(json.dumps({"weight_map": dict.fromkeys(places, "../part-0.safetensors")}))
    with pytest.raises(ModelError, match="no shard beside it"):
        open_tensors(index)


def test_a_checkpoint_is_read_without_running_code(reference, tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"state_dict": {"module." + name: value for name, value in strided_state(0).items()}}, path)
    assert compare(reference, open_tensors(path)).score == pytest.approx(1, abs=1e-3)
