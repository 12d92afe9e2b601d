"""ONNX files, run by onnxruntime."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.core.access import Access
from modelprint.core.batches import images_at_once
from modelprint.core.errors import MisfitError, ModelError, SuspectError
from modelprint.core.files import write_bytes
from modelprint.core.suspect import Answers, Suspect
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.modalities.wire import Number
from modelprint.suspects.interpret import answers_from_array, require_scores
from modelprint.suspects.onnx_files import OnnxFile, read_onnx

_NUMBERS: dict[str, Number] = {"tensor(uint8)": "uint8"}
_FLOATS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


class OnnxSuspect(Suspect):
    """An ONNX classifier: images in, logits, probabilities or labels out.

    Input layout (NCHW or NHWC) and batch size (any, or a fixed one) are read from the file. Weights may lie
    in other files of its folder, which the identity covers, too. No custom operator libraries are used.

    Args:
        path: the file.
        mean, std: per channel on the [0, 1] scale, where normalisation is not part of the graph.
        batch_size: images per run, where the file leaves it open; None: what their size allows.
        threads: of onnxruntime.
        classes: how many it must tell apart, where that is known.
        modality: of its inputs.

    Raises:
        ModelError: onnxruntime is not installed, or the file is missing, broken, or not an image classifier.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        batch_size: int | None = None,
        threads: int = 2,
        classes: int | None = None,
        modality: Modality = IMAGE,
    ) -> None:
        self.modality: Modality = modality
        self.path = Path(path)
        file = read_onnx(self.path)
        self.identity = file.identity
        self.mean, self.std, self.classes = mean, std, classes
        self._session = _open_session(file, self.path, threads)
        self._input = self._only_input()
        self._declared = [size if isinstance(size, int) else None for size in self._input.shape]
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

    def _only_input(self) -> Any:
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(entry.name for entry in inputs)
            raise ModelError(f"{self.path} takes {len(inputs)} inputs ({names}): expected one, the images")
        if inputs[0].type not in (*_FLOATS, *_NUMBERS):
            raise ModelError(f"{self.path} takes {inputs[0].type}: expected floats in [0, 1], or uint8")
        return inputs[0]

    def _best_output(self) -> str:
        """The scores, where there are any, else the labels."""
        outputs = self._session.get_outputs()
        floats = [entry for entry in outputs if entry.type in _FLOATS]
        scores = [entry.name for entry in floats if len(entry.shape) == 2]
        scores += [entry.name for entry in floats if len(entry.shape) > 2 and set(entry.shape[2:]) == {1}]
        if not scores and len(outputs) == 1:  # some exporters leave the output's shape open
            scores = [entry.name for entry in floats if not entry.shape]
        labels = [entry.name for entry in outputs if entry.type in ("tensor(int64)", "tensor(int32)")]
        if not scores and not labels:
            found = ", ".join(f"{entry.name}: {entry.type} {entry.shape}" for entry in outputs)
            raise ModelError(f"{self.path} gives {found}: expected scores (n, classes) or labels (n,)")
        return str((scores or labels)[0])

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        wire = self.modality.wire
        layout = wire.layout(self._declared, images.shape[1:], who=str(self.path))
        number = _NUMBERS.get(self._input.type, "float32")
        encoder = (
            wire.encoder(layout=layout, mean=self.mean, std=self.std)
            if number == "float32"
            else wire.encoder(layout=layout, dtype=number)
        )
        batch = self.batch_size or images_at_once(images.shape[1:], most=256)
        parts = [self._run(encoder.encode(images[start : start + batch])) for start in range(0, len(images), batch)]
        if not parts:
            return Answers(labels=np.zeros(0, np.int64))
        answers = answers_from_array(np.concatenate(parts), who=str(self.path), classes=self.classes)
        return require_scores(answers, access, who=str(self.path))

    def _run(self, tensor: np.ndarray) -> np.ndarray:
        count = len(tensor)
        if self._fixed_batch and count < self._fixed_batch:
            tensor = np.concatenate([tensor, np.repeat(tensor[-1:], self._fixed_batch - count, axis=0)])
        if self._input.type in _FLOATS:
            tensor = tensor.astype(_FLOATS[self._input.type], copy=False)
        try:
            output: np.ndarray = self._session.run([self._output], {self._input.name: tensor})[0]
        except Exception as error:  # onnxruntime's errors share no base but this
            raise MisfitError(f"{self.path} failed on images of shape {tensor.shape[1:]}: {_short(error)}") from error
        if output.ndim == 0 or len(output) < count:
            raise SuspectError(f"{self.path} gave outputs of shape {output.shape} to {count} images")
        return (
            output[:count].reshape(count, -1)
            if output.ndim > 2 and output[0].size == output.shape[1]
            else output[:count]
        )


def _open_session(file: OnnxFile, path: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ModelError("reading ONNX files needs onnxruntime: pip install 'modelprint[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    with tempfile.TemporaryDirectory() as place:  # where tensors outside the file are looked for: what was hashed
        for name, data in file.outside.items():
            write_bytes(Path(place) / name, data)
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", place)
        try:
            return onnxruntime.InferenceSession(file.data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no base but this
            raise ModelError(f"{path} is not an ONNX file that onnxruntime can run: {_short(error)}") from error


def _short(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
