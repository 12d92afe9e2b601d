"""Which tokenizer a network reads by: it stands in its card and its fingerprints, and is checked on loading."""

from __future__ import annotations

from torch import nn

from modelprint.core.errors import ModelError
from modelprint.modalities.base import InputSpec
from modelprint.modalities.text.spec import BYTES, TextSpec
from modelprint.nn.pieces import BYTES as SINGLE
from modelprint.nn.pieces import vocabulary_of
from modelprint.nn.spec import ModelSpec


def with_vocabulary(inputs: InputSpec, model: nn.Module) -> InputSpec:
    """What a network takes, with the SHA-256 of the vocabulary that it reads texts by, where it has one."""
    vocabulary = vocabulary_of(model)
    if vocabulary is None or not isinstance(inputs, TextSpec):
        return inputs
    return inputs.model_copy(update={"tokenizer": vocabulary.identity, "pieces": SINGLE + len(vocabulary.codes)})


def as_it_reads(spec: ModelSpec, model: nn.Module) -> ModelSpec:
    """A model's spec, with its vocabulary."""
    if spec.input is None or vocabulary_of(model) is None:
        return spec
    return spec.model_copy(update={"input": with_vocabulary(spec.inputs, model).model_dump(mode="json")})


def check_vocabulary(spec: ModelSpec | None, model: nn.Module, *, who: str) -> None:
    """Refuse weights whose vocabulary is another than the one that their card names.

    Raises:
        ModelError: they are such.
    """
    vocabulary = vocabulary_of(model)
    named = None if spec is None or spec.input is None else spec.input.get("tokenizer")
    if vocabulary is None or named in (None, BYTES, vocabulary.identity):
        return
    raise ModelError(
        f"{who}: the vocabulary of its tokenizer is {vocabulary.identity[:19]}..., its card says {str(named)[:19]}...: "
        "the tokenizer was exchanged, take the file as it was saved"
    )
