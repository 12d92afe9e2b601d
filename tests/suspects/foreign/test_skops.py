"""Files of skops: a pipeline of scikit-learn answers as it does itself; types of others are not loaded."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from modelprint.core.access import Access
from modelprint.core.errors import ModelError
from modelprint.data.splits import load_data
from modelprint.suspects.open import SuspectOptions, open_suspect

skops_io = pytest.importorskip("skops.io")


def options(data: object) -> SuspectOptions:
    return SuspectOptions(class_names=data.class_names, input_shape=data.shape, modality=data.modality)  # type: ignore[attr-defined]


def test_a_pipeline_answers_as_it_does_itself(tmp_path: Path) -> None:
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data, rest = load_data("wine:train"), load_data("wine:test")
    model = make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=4, random_state=0))
    model.fit(data.modality.for_code(data.stored), data.labels)
    skops_io.dump(model, tmp_path / "m.skops")
    suspect = open_suspect(str(tmp_path / "m.skops"), options(rest))
    answers = suspect.ask(rest.stored, access=Access.SCORES)
    assert answers.scores is not None
    expected = model.predict_proba(rest.modality.for_code(rest.stored))
    assert np.abs(answers.scores - expected).max() < 1e-6
    suspect.finish()


def test_types_of_others_and_damaged_files_are_refused(tmp_path: Path) -> None:
    wine = load_data("wine")
    stream = io.BytesIO()
    schema = {"__class__": "Popen", "__module__": "subprocess", "__loader__": "ObjectNode", "__id__": 1}
    schema |= {"content": None, "protocol": 0, "_skops_version": "0.11"}
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    (tmp_path / "bad.skops").write_bytes(stream.getvalue())
    with pytest.raises(ModelError, match=r"'subprocess\.Popen', which is neither"):
        open_suspect(str(tmp_path / "bad.skops"), options(wine))
    (tmp_path / "cut.skops").write_bytes(stream.getvalue()[:60])
    with pytest.raises(ModelError, match="no file of skops"):
        open_suspect(str(tmp_path / "cut.skops"), options(wine))
