"""Outputs that are not the classes one for one, as users say it in a file of class names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import special

from modelprint.core.access import Access
from modelprint.core.errors import MisfitError, ModelprintError, SuspectError
from modelprint.core.suspect import ABSTAINED
from modelprint.modalities.image.colours import recoloured
from modelprint.suspects.class_names import read_class_names
from modelprint.suspects.interpret import ClassIndex, answers_from_json, answers_from_outputs, class_index
from modelprint.suspects.local import CallableSuspect
from modelprint.suspects.onnx import OnnxSuspect
from modelprint.suspects.open import default_ledger
from modelprint.suspects.options import SuspectOptions
from tests.suspects.test_answers_csv import answers
from tests.suspects.test_onnx import save

NAMES = ("cat", "dog", "owl")


def index(text: str, place: Path, names: tuple[str, ...] = NAMES) -> ClassIndex:
    (place / "names.toml").write_text(text)
    file = read_class_names(place / "names.toml")
    return class_index(SuspectOptions(class_names=names, class_aliases=file.class_names, outputs=file.form))


def test_scores_of_more_outputs_are_those_of_the_classes(tmp_path: Path) -> None:
    logits = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    outputs = index('classes = ["owl", "horse", "cat", "pig", "dog"]', tmp_path).outputs
    for given in (logits, special.softmax(logits, axis=1)):
        heard = answers_from_outputs(given, who="m", outputs=outputs)
        top = logits.argmax(1)
        assert (heard.labels == np.array([2, ABSTAINED, 0, ABSTAINED, 1])[top]).all()
        named = heard.answered
        assert 0 < named.sum() < 50
        wanted = special.softmax(logits[:, [2, 4, 0]], axis=1)  # what is left of the shares once the others are gone
        np.testing.assert_allclose(heard.probabilities(3)[named], wanted[named], atol=1e-5)
        assert heard.scores is not None
        assert np.isnan(heard.scores[~named]).all()


def test_two_outputs_of_one_class_are_labels(tmp_path: Path) -> None:
    said = index(
        'classes = ["tabby", "siamese", "dog", "owl"]\n[class_names]\ntabby = "cat"\nsiamese = "cat"', tmp_path
    )
    heard = answers_from_outputs(np.eye(4), who="m", outputs=said.outputs)
    assert (heard.labels.tolist(), heard.scores, said.outputs.scored) == ([0, 0, 1, 2], None, False)


def test_a_background_class_shifts_numbers(tmp_path: Path) -> None:
    said = index("background = 0", tmp_path)
    assert said.outputs.of_labels(np.array([0, 1, 3]), who="m").labels.tolist() == [ABSTAINED, 0, 2]
    assert answers_from_json([2], 1, index=said, who="api").labels.tolist() == [1]
    heard = answers_from_json([[0.1, 0.2, 0.3, 0.4], [0.9, 0.1, 0, 0]], 2, index=said, who="api")
    assert heard.labels.tolist() == [2, ABSTAINED]
    last = index("background = 3", tmp_path).outputs
    assert answers_from_outputs(np.eye(4), who="m", outputs=last).labels.tolist() == [0, 1, 2, ABSTAINED]
    with pytest.raises(MisfitError, match="has 3 outputs, the file of class names names 4"):
        answers_from_outputs(np.eye(3), who="m", outputs=last)
    with pytest.raises(MisfitError, match="background = 4 is none of 4 outputs"):
        index("background = 4", tmp_path)


def test_a_threshold_makes_abstentions(tmp_path: Path) -> None:
    outputs = index("threshold = 0.5", tmp_path).outputs
    heard = answers_from_outputs(np.array([[0.9, 0.8, 0.1], [0.2, 0.3, 0.4]]), who="m", outputs=outputs)
    assert (heard.labels.tolist(), heard.scores) == ([0, ABSTAINED], None)


def test_one_output_is_a_share_or_a_logit(tmp_path: Path) -> None:
    pair = ("cat", "dog")
    share = index('classes = ["dog"]', tmp_path, pair).outputs
    heard = answers_from_outputs(np.array([[0.2], [0.7]]), who="m", outputs=share)
    assert heard.labels.tolist() == [0, 1]
    np.testing.assert_allclose(heard.scores, [[0.8, 0.2], [0.3, 0.7]], rtol=1e-6)
    of_cat = index('classes = ["cat"]\nlogit = true', tmp_path, pair).outputs
    heard = answers_from_outputs(np.array([-3.0, 0.5]), who="m", outputs=of_cat)
    assert heard.labels.tolist() == [1, 0]
    np.testing.assert_allclose(heard.probabilities(2)[:, 0], special.expit([-3.0, 0.5]), rtol=1e-6)
    wary = index('classes = ["dog"]\nthreshold = 0.9', tmp_path, pair).outputs
    assert answers_from_outputs(np.array([0.7, 0.95]), who="m", outputs=wary).labels.tolist() == [0, 1]
    with pytest.raises(MisfitError, match=r"such as -3: .*logit = true"):
        answers_from_outputs(np.array([0.5, -3.0]), who="m", outputs=share)
    with pytest.raises(SuspectError, match="NaN"):
        answers_from_outputs(np.array([0.5, np.nan]), who="m", outputs=share)
    with pytest.raises(MisfitError, match="single output tells two classes apart: the fingerprint has 3 classes"):
        index('classes = ["dog"]', tmp_path)


def test_names_that_are_no_class_here(tmp_path: Path) -> None:
    said = index('[class_names]\nhorse = ""\n"the cat" = "cat"', tmp_path)
    rows = ["horse", "the cat", [{"label": "horse", "score": 0.9}, {"label": "dog", "score": 0.1}], {"Owl": 1.0}]
    heard = answers_from_json(rows, 4, index=said, who="api")
    assert heard.labels.tolist() == [ABSTAINED, 0, ABSTAINED, 2]
    with pytest.raises(MisfitError, match="class 'pig', which is none"):
        answers_from_json(["pig"], 1, index=said, who="api")
    any_other = index('other_labels = "abstained"', tmp_path)
    assert answers_from_json(["pig", "dog"], 2, index=any_other, who="api").labels.tolist() == [ABSTAINED, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no class names: file: .*it says nothing"),
        ('classes = ["a", "b"]\nbackground = 0', "classes names the background as well"),
        ("background = -1", "background: Input should be greater"),
        ("threshold = nan", "threshold: Input should be a finite number"),
        ('other_labels = "maybe"', "other_labels: Input should be 'refused' or 'abstained'"),
        ("classes = 3", "classes: Input should be a valid tuple"),
        ('names = ["a"]', "names: Extra inputs"),
        ('[class_names]\nhorse = "pig"', "class 'pig', which is none of its 3 classes"),
    ],
)
def test_files_that_make_no_sense(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ModelprintError, match=message):
        index(text, tmp_path)


def test_answers_by_hand_know_other_outputs(tmp_path: Path) -> None:
    place, lines = tmp_path / "answers.csv", "index,label\n0,horse\n1,dog\n2,owl\n"
    with pytest.raises(MisfitError, match="'horse' is none of the 3 classes"):
        answers(place, lines)
    assert answers(place, lines, aliases={"horse": ""}).labels.tolist()[:3] == [ABSTAINED, 1, 2]
    scores = "index,horse,cat,dog,owl\n0,.6,.2,.1,.1\n1,.1,.2,.6,.1\n"
    heard = answers(place, scores, Access.LABELS, aliases={"horse": ""})
    assert heard.labels.tolist()[:2] == [ABSTAINED, 1]


def test_a_callable_may_answer_with_names() -> None:
    images = np.zeros((4, 1, 2, 2), np.uint8)
    known = ClassIndex(names=NAMES)
    cases: list[tuple[object, list[int]]] = [
        (["cat", "DOG", " owl", "cat"], [0, 1, 2, 0]),
        (np.array(["cat", "dog", "owl", "cat"]), [0, 1, 2, 0]),
        (np.array([["cat"], ["dog"], ["owl"], ["cat"]], dtype=object), [0, 1, 2, 0]),
        (np.array([b"cat", b"dog", b"owl", b"cat"]), [0, 1, 2, 0]),
        (["cat", None, "", "LABEL_2"], [0, ABSTAINED, ABSTAINED, 2]),
    ]
    for result, labels in cases:
        suspect = CallableSuspect(lambda _, result=result: result, index=known)
        assert suspect.ask(images).labels.tolist() == labels
    bad: list[tuple[object, str]] = [
        (["cat", "horse", "dog", "dog"], "answered class 'horse', the fingerprint has cat, dog, owl: .*--class-names"),
        (["cat", 1, "dog", None], "neither numbers nor class names"),
        ([["cat", "dog"]] * 4, "neither numbers nor class names"),
    ]
    for result, message in bad:
        with pytest.raises(SuspectError, match=message):
            CallableSuspect(lambda _, result=result: result, index=known).ask(images)


def test_colours_become_grey_and_grey_is_repeated(tmp_path: Path, images: np.ndarray) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (40, 3, 4, 4), dtype=np.uint8)
    path = save(tmp_path / "m.onnx", ["n", 1, 4, 4])
    suspect = OnnxSuspect(path, shape=(3, 4, 4))
    assert suspect.notes == (f"{path} takes grey images: the luma of each query (BT.601) is given to it",)
    grey = np.stack([np.asarray(Image.fromarray(one.transpose(1, 2, 0)).convert("L"))[None] for one in colours])
    assert np.abs(recoloured(colours, 1).astype(int) - grey).max() <= 1  # it rounds its weights to 16 bits
    asked = suspect.ask(colours, access=Access.SCORES).scores
    plain = OnnxSuspect(path).ask(recoloured(colours, 1), access=Access.SCORES).scores
    np.testing.assert_allclose(asked, plain, atol=1e-6)
    with pytest.raises(MisfitError, match="images of 4 channels cannot be given 1"):
        recoloured(np.zeros((1, 4, 2, 2), np.uint8), 1)
    assert recoloured(colours, 3) is colours


def test_other_outputs_have_another_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "names.toml").write_text("background = 0")
    form = read_class_names(tmp_path / "names.toml").form
    plain = default_ledger("http://a/", SuspectOptions())
    assert default_ledger("http://a/", SuspectOptions(outputs=form)) != plain
