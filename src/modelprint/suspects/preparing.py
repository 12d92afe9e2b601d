"""Queries as a foreign model takes them, by what it declares and what the user says: ONNX files, servers of tensors."""

from __future__ import annotations

from collections.abc import Sequence

from modelprint.core.errors import MisfitError
from modelprint.modalities.base import Modality
from modelprint.modalities.wire import BYTES, FLOATS, TEXTS, Encoder, Layout, Number, TensorForm
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import MAX_SIDE


def declared_encoder(
    declared: Sequence[int | None],
    shape: tuple[int, ...],
    *,
    modality: Modality,
    model: ModelOptions,
    dtype: Number = FLOATS,
    layout: Layout | None = None,
    who: str,
) -> Encoder:
    """What makes the tensor of a model that declares a shape, batch axis first; images of another size are resized.

    Args:
        declared: sizes; None or -1 where any is taken.
        shape: of one query.
        dtype: of the tensor; bytes are not normalised.
        layout: for models that leave every size open.

    Raises:
        MisfitError: queries of that shape do not fit, or the declared size is beyond that of any image model.
    """
    wire = modality.wire
    channels = wire.channels_taken(declared, shape)
    if channels is not None:
        shape = (channels, *shape[1:])
    size = model.size or wire.size_taken(declared, shape)
    if size is not None and max(size) > MAX_SIDE:
        raise MisfitError(
            f"{who} takes images of {size[0]} x {size[1]}, more than {MAX_SIDE} a side, as no image model does: it is "
            "damaged, or takes something else"
        )
    read = wire.layout(declared, shape if size is None else (shape[0], *size), who=who)
    if layout is not None and all(one is None or one < 0 for one in declared[1:]):
        read = layout
    return plain_encoder(modality, model, dtype=dtype, layout=read, size=size, channels=channels)


def plain_encoder(
    modality: Modality,
    model: ModelOptions,
    *,
    dtype: Number = FLOATS,
    layout: Layout | None = None,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
) -> Encoder:
    """What makes the tensor of a model that declares nothing."""
    size, bgr = size or model.size, bool(model.bgr)
    if dtype == TEXTS:
        return modality.wire.encoder(TensorForm(dtype=dtype))
    if dtype == BYTES:
        form = TensorForm(layout=layout, dtype=dtype, size=size, bgr=bgr, channels=channels)
        return modality.wire.encoder(form)
    form = TensorForm(
        layout=layout,
        mean=model.mean,
        std=model.std,
        size=size,
        bgr=bgr,
        value_range=model.value_range or (0.0, 1.0),
        channels=channels,
    )
    return modality.wire.encoder(form)


def resizing_note(
    declared: Sequence[int | None], shape: tuple[int, ...] | None, *, modality: Modality, model: ModelOptions, who: str
) -> tuple[str, ...]:
    """What the verdict says, where queries of a shape are resized or recoloured."""
    if shape is None:
        return ()
    channels = modality.wire.channels_taken(declared, shape)
    recolouring = () if channels is None else (recolouring_note(shape, (channels, *shape[1:]), who=who),)
    shape = shape if channels is None else (channels, *shape[1:])
    size = model.size or modality.wire.size_taken(declared, shape)
    if size is None or size == shape[1:]:
        return recolouring
    return (
        *recolouring,
        f"{who} takes images of {size[0]} x {size[1]}: those of {shape[1]} x {shape[2]} are resized to it",
    )


def recolouring_note(shape: tuple[int, ...], taken: tuple[int, ...], *, who: str) -> str:
    """What the verdict says, where queries of one shape are given the channels of another."""
    if taken[0] > shape[0]:
        return f"{who} takes images of {taken[0]} channels: the grey of each query is repeated"
    return f"{who} takes grey images: the luma of each query (BT.601) is given to it"
