"""Suspects in this process: torch modules, and any Python callable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from modelprint.core.access import Access
from modelprint.core.convention import Advice, Convention
from modelprint.core.deadlines import within
from modelprint.core.devices import device_of, inputs_at_once
from modelprint.core.errors import MisfitError, ModelprintError, SuspectError
from modelprint.core.own_code import in_words, running
from modelprint.core.suspect import ABSTAINED, Answers, Cost, Suspect
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.modalities.wire import TensorForm
from modelprint.nn.architectures import Normalized
from modelprint.nn.loading import LoadedModel
from modelprint.suspects.interpret import ClassIndex, answers_from_outputs, class_of, require_scores
from modelprint.suspects.outputs import Outputs
from modelprint.suspects.timing import cost_here
from modelprint.training.loop import MOST_AT_ONCE, predict


def options_of_files(convention: Convention | None) -> Advice:
    """What to say of a model file: the options of a convention, or which there are."""
    if convention is None:
        return Advice(how="say how it wants its inputs: --mean, --std, --range, --bgr, --size")
    return Advice(how=f"say {convention.options} ({convention.name}), in place of what was said of these")


class TorchSuspect(Suspect):
    """A torch module that takes points and returns logits; it is asked on the device where it lies.

    Args:
        module: put into evaluation mode.
        identity: "sha256:..." of the file or weights.
        batch_size: inputs per forward pass; None: what their size allows.
        classes: how many it must tell apart, where that is known.
        outputs: what its outputs stand for, where they are not the classes one for one.
        channels: that it takes, where inputs have others: grey ones are repeated, colours become grey.
        modality: of its inputs.
        notes: what a user should know of how it was read.
        seconds: for each batch; None: any time.
        takes: what the module itself takes, where its columns, ranges or vocabulary are not those of `modality`.
        loaded: what was read from its file, where it has one.
    """

    def __init__(
        self,
        module: nn.Module,
        identity: str,
        *,
        batch_size: int | None = None,
        classes: int | None = None,
        outputs: Outputs | None = None,
        channels: int | None = None,
        modality: Modality = IMAGE,
        notes: tuple[str, ...] = (),
        seconds: float | None = None,
        takes: Modality | None = None,
        loaded: LoadedModel | None = None,
    ) -> None:
        self.modality: Modality = modality
        self.takes = modality if takes is None else takes
        self.loaded = loaded
        self.outputs = Outputs(classes=classes) if outputs is None else outputs
        self.lacking = self.outputs.lacking
        self.access = Access.WEIGHTS if self.outputs.scored else Access.LABELS
        self.notes = (*notes, *self.outputs.notes)
        self.channels = channels
        self.seconds = seconds
        self.module = module.eval()
        self.identity = identity
        self.batch_size = batch_size

    def cost(self, inputs: np.ndarray, *, access: Access) -> Cost:
        """Seconds, measured on a few of the inputs."""
        return cost_here(self._ask, inputs, access)

    def _ask(self, inputs: np.ndarray, access: Access) -> Answers:
        if inputs.dtype.kind == "f":
            inputs = inputs.astype(np.float32, copy=False)
        if not inputs.flags.writeable:  # torch would warn of it, though nothing here writes
            inputs = inputs.copy()
        if self.channels is not None:
            inputs = self.modality.wire.recoloured(inputs, self.channels)
        if self.takes != self.modality:
            inputs = self.takes.brought(inputs, self.modality, who="the queries")
        try:
            with within(self._allowed(inputs), self.identity):
                logits = predict(self.module, torch.from_numpy(inputs), modality=self.takes, batch_size=self.batch_size)
        except ModelprintError:
            raise
        except Exception as error:  # somebody's code may raise anything
            raise MisfitError(
                f"{self.identity} does not take {self.modality.plural} of shape {inputs.shape[1:]} "
                f"({in_words(error)}): check that it was made for this data and returns logits"
            ) from error
        answers = answers_from_outputs(logits.float().numpy(), who=self.identity, outputs=self.outputs)
        return require_scores(answers, access, who=self.identity)

    def in_form(self, convention: Convention) -> TorchSuspect | None:
        """The same network behind another preprocessing."""
        if not isinstance(self.module, Normalized):
            return None
        other = Normalized(
            self.module.body,
            convention.mean,
            convention.std,
            bgr=convention.bgr,
            value_range=convention.value_range,
            size=convention.size or self.module.size,
        ).to(device_of(self.module))
        return TorchSuspect(
            other,
            self.identity,
            batch_size=self.batch_size,
            outputs=self.outputs,
            channels=self.channels,
            modality=self.modality,
            seconds=self.seconds,
            takes=self.takes,
        )

    def advice(self, convention: Convention | None = None) -> Advice:
        """Options of model files."""
        return options_of_files(convention)

    def _allowed(self, inputs: np.ndarray) -> float | None:
        """Seconds for all batches of these inputs."""
        if self.seconds is None:
            return None
        size = self.batch_size or inputs_at_once(inputs.shape[1:], device=device_of(self.module), most=MOST_AT_ONCE)
        return self.seconds * max(1, -(-len(inputs) // size))


class CallableSuspect(Suspect):
    """Any Python callable from inputs, as the fingerprint holds them, to labels or scores.

    >>> brightness = CallableSuspect(lambda images: (images.mean(axis=(1, 2, 3)) > 0.5).astype(int), identity="lambda")
    >>> brightness.ask(np.full((2, 1, 4, 4), 0.8)).labels.tolist()
    [1, 1]

    Args:
        function: gets (n, ...), images as 8-bit (n, channels, height, width); returns labels (n,) or scores (n,
            classes), an array, a tensor or a list.
        identity: what the verdict calls it; its module and name unless given.
        batch_size: the most inputs that one call gets.
        classes: how many it must tell apart, where that is known.
        class_names: in order; a callable may answer with names in place of numbers.
        index: how names and outputs become class numbers; by `class_names` unless given.
        modality: of its inputs.
    """

    def __init__(
        self,
        function: Callable[[np.ndarray], Any],
        *,
        identity: str | None = None,
        batch_size: int = 512,
        classes: int | None = None,
        class_names: Sequence[str] = (),
        index: ClassIndex | None = None,
        modality: Modality = IMAGE,
    ) -> None:
        self.modality: Modality = modality
        if index is None:
            index = ClassIndex(names=tuple(class_names), stated=Outputs(classes=classes))
        self.index = index
        self.lacking = index.outputs.lacking
        self.access = Access.SCORES if index.outputs.scored else Access.LABELS
        self.notes = index.outputs.notes
        self.function = function
        named = getattr(function, "__qualname__", type(function).__qualname__)
        self.identity = identity or f"callable:{getattr(function, '__module__', None) or 'unknown'}.{named}"
        self.batch_size = batch_size

    def _ask(self, inputs: np.ndarray, access: Access) -> Answers:
        parts = [
            self._call(inputs[start : start + self.batch_size]) for start in range(0, len(inputs), self.batch_size)
        ]
        if not parts:
            return Answers(labels=np.zeros(0, np.int64))
        if len({part.shape[1:] for part in parts}) != 1:
            raise SuspectError(f"{self.identity} gave outputs of different shapes: {[part.shape for part in parts]}")
        if all(part.dtype.kind in "UO" for part in parts):
            return require_scores(self._by_names(np.concatenate(parts)), access, who=self.identity)
        answers = answers_from_outputs(np.concatenate(parts), who=self.identity, outputs=self.index.outputs)
        return require_scores(answers, access, who=self.identity)

    def in_form(self, convention: Convention) -> CallableSuspect:
        """The same function, given inputs that are prepared already."""
        form = TensorForm(
            mean=convention.mean,
            std=convention.std,
            size=convention.size,
            bgr=convention.bgr,
            value_range=convention.value_range,
        )
        encoder = self.modality.wire.encoder(form)
        return CallableSuspect(
            lambda inputs: self.function(encoder.encode(inputs)),
            identity=self.identity,
            batch_size=self.batch_size,
            index=self.index,
            modality=self.modality,
        )

    def advice(self, convention: Convention | None = None) -> Advice:
        """What its code would do."""
        if convention is None:
            return Advice(how="look at how your function prepares what it gets", classes="the numbers that it returns")
        return Advice(how=f"let your function prepare what it gets as {convention.options} says ({convention.name})")

    def _call(self, inputs: np.ndarray) -> np.ndarray:
        with running(f"{self.identity} failed", error=SuspectError, function=self.function):
            result = self.function(self.modality.for_code(inputs))
        if result is None:
            raise SuspectError(f"{self.identity} returned nothing: is a `return` missing?")
        if isinstance(result, torch.Tensor):
            result = result.detach().cpu().numpy()
        try:
            outputs = np.asarray(result)
        except ValueError as error:  # ragged lists
            raise SuspectError(f"{self.identity} gave no array of labels or scores: {error}") from error
        if outputs.ndim not in (1, 2) or len(outputs) != len(inputs):
            raise SuspectError(
                f"{self.identity} gave outputs of shape {outputs.shape} to {len(inputs)} {self.modality.plural}: "
                "expected labels (n,) or scores (n, classes)"
            )
        return np.char.decode(outputs, "utf-8") if outputs.dtype.kind == "S" else outputs

    def _by_names(self, names: np.ndarray) -> Answers:
        """Answers by class names (n,) or (n, 1); None and empty ones are no answers.

        Raises:
            SuspectError: something that is no name, or the name of no class.
        """
        flat = names.reshape(-1).tolist()
        if len(flat) != len(names) or not all(name is None or isinstance(name, str) for name in flat):
            raise SuspectError(
                f"{self.identity} gave neither numbers nor class names, but {flat[:3]!a}: expected labels (n,), "
                "names (n,) or scores (n, classes)"
            )
        numbers = {name: ABSTAINED if not name else class_of(name, self.index) for name in set(flat)}
        unknown = sorted(name for name, number in numbers.items() if number is None)
        if unknown:
            raise MisfitError(
                f"{self.identity} answered class {unknown[0][:60]!a}, the fingerprint has "
                f"{', '.join(self.index.names[:10]) or 'no names'}: let it answer with these, or with numbers, or map "
                "its names to yours in a file of class names (--class-names)"
            )
        return Answers(labels=np.array([numbers[name] for name in flat], dtype=np.int64))
