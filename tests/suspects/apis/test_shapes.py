"""17 public APIs, each asked by its example: a copy behind it is derived, an independent model is not shown to be."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from modelprint.cli.app import run
from modelprint.core.access import Access
from modelprint.core.redaction import TOKEN_VARIABLE
from modelprint.nn.architectures import Normalized
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.verify import verify
from modelprint.schemes.adv_tra import AdvTra
from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.mapping_file import read_mapping
from modelprint.suspects.options import SuspectOptions
from tests.conftest import Digits
from tests.schemes.world import least_alike, strangers
from tests.suspects.apis.stubs import KEY, KEY_ID, SHAPES, TOKEN, Model, application
from tests.suspects.servers import running

EXAMPLES = Path(__file__).parents[3] / "examples" / "apis"
NAMES = sorted(SHAPES)


def pruned(model: Normalized, share: float) -> Normalized:
    """A copy without its smallest weights."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        for weights in other.parameters():
            if weights.ndim > 1:
                weights[weights.abs() < weights.abs().flatten().quantile(share)] = 0
    return other


@pytest.fixture(scope="module")
def fingerprint(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Fingerprint:
    return enroll(
        digits.source,
        digits.queries,
        scheme=AdvTra(trajectories=4, m=3),
        negatives=digits.strangers,
        out=tmp_path_factory.mktemp("apis") / "fp",
    )


@pytest.fixture(scope="module")
def models(digits: Digits, fingerprint: Fingerprint) -> dict[str, Model]:
    independent = least_alike(strangers(digits, 4, seed=301), lambda model: verify(fingerprint, model, budget=40))
    modules = {"copy": pruned(digits.source, 0.1), "independent": independent}
    named = {who: Model(module=module, names=digits.queries.class_names) for who, module in modules.items()}
    return {**named, "doubtful": Model(module=modules["copy"], names=digits.queries.class_names, threshold=0.6)}


@pytest.fixture(scope="module")
def address(models: dict[str, Model]) -> Iterator[str]:
    with running(application(models)) as url:
        yield url


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    monkeypatch.setenv("MODELPRINT_API_KEY", KEY)
    monkeypatch.setenv("MODELPRINT_API_KEY_ID", KEY_ID)
    monkeypatch.setenv("MODELPRINT_API_SECRET", KEY)


def options(name: str, folder: Path) -> SuspectOptions:
    return SuspectOptions(
        api="mapping", mapping=EXAMPLES / f"{name}.toml", ledger=folder / "ledger.jsonl", retries=0, timeout=10.0
    )


def test_every_example_has_a_stub_and_says_where_it_is_documented() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.toml")) == NAMES
    assert len(NAMES) == 17
    for name in NAMES:
        text = (EXAMPLES / f"{name}.toml").read_text()
        assert text.startswith("# ")
        assert "https://" in text.partition("\n")[0]
        read_mapping(EXAMPLES / f"{name}.toml")


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_is_derived_and_an_independent_model_is_not(
    fingerprint: Fingerprint, models: dict[str, Model], address: str, tmp_path: Path, name: str
) -> None:
    for who, outcome in (("copy", "derived"), ("independent", "not-shown")):
        folder = tmp_path / who
        url = f"{address}/{who}/{name}"
        verdict = verify(fingerprint, url, alpha=0.25, budget=40, options=options(name, folder))
        expected = verify(fingerprint, models[who].module, alpha=0.25, budget=40)
        assert verdict.verdict == outcome
        assert verdict.score == expected.score, "the API shows what the model says"
        assert (verdict.answered, verdict.asked) == (expected.asked, expected.asked)
        for secret in (KEY, TOKEN):
            assert secret not in (folder / "ledger.jsonl").read_text() + verdict.to_json() + verdict.message


@pytest.mark.parametrize("name", ["roboflow", "replicate"])
def test_the_command_takes_an_example(
    fingerprint: Fingerprint, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    fingerprint.save(tmp_path / "fp")
    for who, outcome in (("copy", "derived"), ("independent", "not-shown")):
        words = ["verify", str(tmp_path / "fp"), f"{address}/{who}/{name}", "--mapping", str(EXAMPLES / f"{name}.toml")]
        words += ["--alpha", "0.25", "--budget", "40", "--ledger", str(tmp_path / f"{who}.jsonl")]
        assert run(words) == 0
        printed = capsys.readouterr()
        assert f"{address}/{who}/{name}: {outcome}" in printed.out
        assert KEY not in printed.out + printed.err
        assert TOKEN not in printed.out + printed.err


def test_the_command_tells_abstentions_apart(
    fingerprint: Fingerprint,
    models: dict[str, Model],
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of 39 queries, those on which the copy behind the API is least sure; then of nearly all."""
    monkeypatch.chdir(tmp_path)
    fingerprint.save(tmp_path / "fp")
    confidence = models["doubtful"].scores(fingerprint.queries[:39].astype(np.float32) / 255).max(1)
    for share, outcome in ((0.1, "derived"), (0.8, "inconclusive")):
        models["doubtful"].threshold = float(np.quantile(confidence, share))
        count = int((confidence < models["doubtful"].threshold).sum())
        words = [
            "verify",
            str(tmp_path / "fp"),
            f"{address}/doubtful/vertex",
            "--mapping",
            str(EXAMPLES / "vertex.toml"),
        ]
        words += ["--alpha", "0.25", "--budget", "40", "--ledger", str(tmp_path / f"{share}.jsonl")]
        assert run(words) == 0
        printed = capsys.readouterr().out
        assert f"vertex: {outcome}" in printed
        assert (f"only {39 - count} of 39 queries" in printed) == (outcome == "inconclusive")
        assert f"{39 - count} answered, {count} abstained: the others count against" in printed
        assert f"to {count} the suspect answered that it names no class" in printed
        recording = f"{share}-answers.jsonl"  # short: a long path would break the line
        assert run(["record", *words[1:4], str(EXAMPLES / "vertex.toml"), "--budget", "40", "--out", recording]) == 0
        assert run(["verify", words[1], recording, "--alpha", "0.25"]) == 0
        again = capsys.readouterr().out
        assert f"{39 - count} answered, {count} abstained: the others count against" in again
        assert f"answers.jsonl: {outcome}" in again
    models["doubtful"].threshold = 0.6


@pytest.mark.parametrize("name", ["tf-serving", "hf-inference", "gradio-3", "fastapi-json"])
def test_scores_where_the_api_gives_them(
    models: dict[str, Model], address: str, digits: Digits, tmp_path: Path, name: str
) -> None:
    shown = options(name, tmp_path)
    suspect = HttpSuspect.connect(
        f"{address}/copy/{name}",
        SuspectOptions(**{**vars(shown), "class_names": digits.queries.class_names, "input_shape": (1, 8, 8)}),
    )
    images = digits.queries.stored[:4]
    answers = suspect.ask(images, access=Access.SCORES)
    np.testing.assert_allclose(answers.scores, models["copy"].scores(images.astype(np.float32) / 255), atol=1e-4)


ABSTAINING = [name for name in NAMES if name not in ("tf-serving", "kserve-v2")]


@pytest.mark.parametrize("name", ABSTAINING)
def test_an_answer_below_the_threshold_is_an_abstention(
    models: dict[str, Model], address: str, digits: Digits, tmp_path: Path, name: str
) -> None:
    """Images between two others: some are doubtful, and each API has its own way of naming nothing."""
    stored = digits.queries.stored
    images = ((stored[:12].astype(np.uint16) + stored[12:24]) // 2).astype(np.uint8)
    scores = models["copy"].scores(images.astype(np.float32) / 255)
    doubtful = scores.max(1) < models["doubtful"].threshold
    assert 0 < doubtful.sum() < len(images)
    shown = options(name, tmp_path)
    asked = SuspectOptions(**{**vars(shown), "class_names": digits.queries.class_names, "input_shape": (1, 8, 8)})
    answers = HttpSuspect.connect(f"{address}/doubtful/{name}", asked).ask(images)
    assert (answers.abstained == doubtful).all()
    assert (answers.labels == np.where(doubtful, -2, scores.argmax(1))).all()
