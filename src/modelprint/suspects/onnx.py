"""ONNX files, run by onnxruntime."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np

from modelprint.core.access import Access
from modelprint.core.batches import images_at_once
from modelprint.core.convention import Advice, Convention
from modelprint.core.errors import MisfitError, ModelError, SuspectError
from modelprint.core.suspect import Answers, Cost, Suspect
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.modalities.space import Tokens
from modelprint.modalities.wire import BYTES, FLOATS, Number
from modelprint.nn.options import ModelOptions
from modelprint.suspects.engines import ONNX, Engine
from modelprint.suspects.interpret import answers_from_outputs, require_scores
from modelprint.suspects.local import options_of_files
from modelprint.suspects.onnx_session import ConfinedSession, End
from modelprint.suspects.outputs import Outputs
from modelprint.suspects.preparing import declared_encoder, resizing_note
from modelprint.suspects.timing import cost_here

MOST_VALUES = 2**28  # numbers of one batch that a file fixes: 1,783 images of 3 x 224 x 224
_NUMBERS: dict[str, Number] = {"tensor(uint8)": BYTES}
_TOKENS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
_FLOATS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


class OnnxSuspect(Suspect):
    """A classifier in a file of ONNX, or of another format that an engine runs: images in, scores or labels out.

    Input layout (NCHW or NHWC) and batch size (any, or a fixed one) are read from the file. Weights may lie
    in other files of its folder, which the identity covers, too. No custom operator libraries are used. The file is
    parsed and run in a child process with limits.

    Args:
        path: the file.
        engine: what runs it.
        model: its preprocessing, where that is not part of the graph: `mean`, `std`, `size`, `bgr`, `value_range`.
        shape: of the queries, where it is known: `notes` says when they are resized.
        batch_size: images per run, where the file leaves it open; None: what their size allows.
        threads: of the library that runs it.
        classes: how many it must tell apart, where that is known.
        outputs: what its outputs stand for, where they are not the classes one for one.
        modality: of its inputs.
        seconds: of wall time, for one run.

    Raises:
        ModelError: the library is not installed, or the file is missing, broken, or not an image classifier.
        SandboxError: it takes too much memory or time.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        engine: Engine = ONNX,
        model: ModelOptions | None = None,
        shape: tuple[int, ...] | None = None,
        batch_size: int | None = None,
        threads: int = 2,
        classes: int | None = None,
        outputs: Outputs | None = None,
        modality: Modality = IMAGE,
        seconds: float = 120.0,
    ) -> None:
        self.modality: Modality = modality
        self.path = Path(path)
        self.model = model or ModelOptions()
        self.outputs = Outputs(classes=classes) if outputs is None else outputs
        self.lacking = self.outputs.lacking
        self.access = Access.SCORES if self.outputs.scored else Access.LABELS
        self._session = ConfinedSession(self.path, engine=engine, threads=threads, seconds=seconds)
        self.identity = self._session.file.identity
        self._input = self._only_input()
        self._declared = list(self._input.shape)
        resizing = resizing_note(self._declared, shape, modality=modality, model=self.model, who=str(path))
        self.notes = (*resizing, *self.outputs.notes)
        self._fixed_batch = self._declared[0] if self._declared else None
        self.batch_size = self._fixed_batch or batch_size
        self._output = self._best_output()

    @property
    def input_shape(self) -> tuple[int, int, int] | None:
        """(channels, height, width), where the file says."""
        sizes = [size for size in self._declared[1:] if size is not None]
        if len(sizes) != 3:
            return None
        first, second, third = sizes
        return (third, first, second) if third in (1, 3) and first not in (1, 3) else (first, second, third)

    def in_form(self, convention: Convention) -> OnnxSuspect:
        """The same file, run in the same child on tensors that are prepared in another way."""
        other = copy(self)
        other.model = replace(
            self.model,
            mean=convention.mean,
            std=convention.std,
            size=convention.size or self.model.size,
            bgr=convention.bgr,
            value_range=convention.value_range,
        )
        return other

    def advice(self, convention: Convention | None = None) -> Advice:
        """Options of model files."""
        return options_of_files(convention)

    def finish(self) -> None:
        """End the child that ran the model; asked again, it is made anew."""
        self._session.close()

    def _only_input(self) -> End:
        inputs = self._session.inputs
        if len(inputs) != 1:
            names = ", ".join(entry.name for entry in inputs)
            raise ModelError(f"{self.path} takes {len(inputs)} inputs ({names}): expected one, the images")
        tokens = _TOKENS if isinstance(self.modality.space, Tokens) else ()
        if inputs[0].type not in (*_FLOATS, *_NUMBERS, *tokens):
            raise ModelError(f"{self.path} takes {inputs[0].type}: expected floats in [0, 1], or uint8")
        return inputs[0]

    def _best_output(self) -> str:
        """The scores, where there are any, else the labels."""
        outputs = self._session.outputs
        floats = [entry for entry in outputs if entry.type in _FLOATS]
        scores = [entry.name for entry in floats if len(entry.shape) == 2]
        scores += [entry.name for entry in floats if len(entry.shape) > 2 and set(entry.shape[2:]) == {1}]
        if not scores and len(outputs) == 1:  # some exporters leave the output's shape open; one share of two classes
            lone = self.outputs.single
            scores = [entry.name for entry in floats if not entry.shape or (lone and len(entry.shape) == 1)]
        labels = [entry.name for entry in outputs if entry.type in ("tensor(int64)", "tensor(int32)")]
        if not scores and not labels:
            listed = ", ".join(f"{entry.name}: {entry.type} {entry.shape}" for entry in outputs)
            raise ModelError(f"{self.path} gives {listed}: expected scores (n, classes) or labels (n,)")
        return str((scores or labels)[0])

    def cost(self, inputs: np.ndarray, *, access: Access) -> Cost:
        """Seconds, measured on a few of the inputs."""
        return cost_here(self._ask, inputs, access)

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        encoder = declared_encoder(
            self._declared,
            images.shape[1:],
            modality=self.modality,
            model=self.model,
            dtype=BYTES if self._input.type in _TOKENS else _NUMBERS.get(self._input.type, FLOATS),
            layout=self._session.engine.layout,
            who=str(self.path),
        )
        taken = self.model.size or self.modality.wire.size_taken(self._declared, images.shape[1:])
        shape = images.shape[1:] if taken is None else (images.shape[1], *taken)
        self._check_batch(shape)
        batch = self.batch_size or images_at_once(shape, most=256)
        parts = [self._run(encoder.encode(images[start : start + batch])) for start in range(0, len(images), batch)]
        if not parts:
            return Answers(labels=np.zeros(0, np.int64))
        answers = answers_from_outputs(np.concatenate(parts), who=str(self.path), outputs=self.outputs)
        return require_scores(answers, access, who=str(self.path))

    def _check_batch(self, shape: tuple[int, ...]) -> None:
        """A batch that the file fixes is filled up here, outside the child."""
        values = (self._fixed_batch or 1) * math.prod(shape)
        if self._fixed_batch and values > MOST_VALUES:
            raise ModelError(
                f"{self.path} takes {self._fixed_batch:,} inputs at a time, {values:,} numbers, more than "
                f"{MOST_VALUES:,}: export it with an open batch size"
            )

    def _run(self, tensor: np.ndarray) -> np.ndarray:
        count = len(tensor)
        if self._fixed_batch and count < self._fixed_batch:
            tensor = np.concatenate([tensor, np.repeat(tensor[-1:], self._fixed_batch - count, axis=0)])
        taken = _FLOATS.get(self._input.type) or _TOKENS.get(self._input.type)
        if taken is not None:
            tensor = tensor.astype(taken, copy=False)
        try:
            output = self._session.run(self._output, self._input.name, tensor)
        except ModelError as error:
            raise MisfitError(f"{self.path} failed on images of shape {tensor.shape[1:]}: {error}") from error
        if output.ndim == 0 or len(output) < count:
            raise SuspectError(f"{self.path} gave outputs of shape {output.shape} to {count} images")
        return (
            output[:count].reshape(count, -1)
            if output.ndim > 2 and output[0].size == output.shape[1]
            else output[:count]
        )
