import torch

from modelprint.lineage.pairing import paired
from modelprint.lineage.tensors import StateTensors
from modelprint.lineage.weights import weights_of
from modelprint.lineage.wiring import wired
from tests.lineage.nets import mlp_state, residual_state, strided_state


def layers(state):
    return wired(weights_of(StateTensors(state)))


def test_batchnorm_belongs_to_the_convolution_before_it():
    weights = weights_of(StateTensors(residual_state(0)))
    norms = {weight.name: weight.norm for weight in weights}
    assert norms["features.0.0.weight"] == "features.0.1.weight"
    assert norms["features.4.conv1.weight"] == "features.4.bn1.weight"
    assert norms["features.4.conv2.weight"] == "features.4.bn2.weight"
    assert norms["features.4.shortcut.0.weight"] == "features.4.shortcut.1.weight"
    assert norms["head.weight"] is None


def test_the_wiring_of_a_residual_net_names_who_reads_what():
    wires = {layer.name: layer for layer in layers(residual_state(0))}
    block = [wires[f"features.4.{part}.weight"] for part in ("conv1", "conv2", "shortcut.0")]
    assert block[1].reads == block[0].writes
    assert block[2].reads == block[0].reads
    assert wires["head.weight"].writes is None


def test_the_shortcut_of_a_bottleneck_reads_what_its_block_reads():
    shapes = {
        "conv1": (64, 3, 7, 7),
        "layer1.0.conv1": (64, 64, 1, 1),
        "layer1.0.conv2": (64, 64, 3, 3),
        "layer1.0.conv3": (256, 64, 1, 1),
        "layer1.0.downsample.0": (256, 64, 1, 1),
        "layer1.1.conv1": (64, 256, 1, 1),
        "fc": (1000, 64),
    }
    wires = {layer.name: layer for layer in layers({f"{name}.weight": torch.empty(shapes[name]) for name in shapes})}
    block = [wires[f"layer1.0.{part}.weight"] for part in ("conv1", "conv2", "conv3", "downsample.0")]
    assert [layer.reads for layer in block] == [0, 1, 2, 0]
    assert wires["layer1.1.conv1.weight"].reads == block[3].writes


def test_a_linear_layer_after_flattening_reads_channels_of_several_places():
    head = layers(strided_state(0))[-1]
    assert (head.columns, head.kernel, head.run) == (32, 16, 16)


def test_other_names_are_paired_by_shape_and_position():
    state = strided_state(0)
    renamed = {f"net.stage{place:03}.kernel": value for place, value in enumerate(state.values()) if value.ndim > 1}
    pairing = paired(layers(state), StateTensors(renamed))
    assert [pair.weight.shape for pair in pairing.pairs] == [pair.layer.shape for pair in pairing.pairs]
    assert not pairing.missing
    assert not pairing.extra


def test_wrappers_of_names_do_not_matter():
    state = strided_state(0)
    pairing = paired(layers(state), StateTensors({"module.model." + name: value for name, value in state.items()}))
    assert all(pair.weight.name == "module.model." + pair.layer.name for pair in pairing.pairs)


def test_a_missing_and_an_extra_weight_are_named():
    state = mlp_state(0)
    other = {name: value for name, value in state.items() if not name.startswith("features.3")}
    other["adapter.weight"] = torch.randn(7, 7)
    pairing = paired(layers(state), StateTensors(other))
    assert len(pairing.pairs) == 3
    assert pairing.missing == ("features.3.weight",) or pairing.missing == ("features.5.weight",)
    assert pairing.extra == ("adapter.weight",)


def test_a_keras_file_is_paired_by_its_own_layout():
    state = strided_state(0)
    keras = {
        name: value.permute(2, 3, 1, 0) if value.ndim == 4 else value.T
        for name, value in state.items()
        if value.ndim > 1
    }
    pairing = paired(layers(state), StateTensors(keras))
    assert len(pairing.pairs) == 4
    assert {pair.weight.layout for pair in pairing.pairs} == {"keras"}


def test_another_architecture_has_few_pairs():
    assert not paired(layers(strided_state(0)), StateTensors(mlp_state(0))).pairs


def test_a_net_of_half_the_width_is_paired_layer_by_layer():
    pairing = paired(layers(strided_state(0, width=8)), StateTensors(strided_state(0, width=4)))
    assert [(pair.layer.name, pair.rows) for pair in pairing.pairs] == [
        ("features.0.0.weight", 4),
        ("features.1.0.weight", 8),
        ("features.2.0.weight", 16),
        ("head.weight", 10),
    ]
    assert all(pair.weight.name == pair.layer.name for pair in pairing.pairs)
