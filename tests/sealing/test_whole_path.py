"""From a key to a judge's second verdict by commands: sealed, stamped, bundled with a report, checked offline."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path

import pytest

from modelprint.nn.files import save_model
from modelprint.ownership.enroll import enroll
from modelprint.schemes.adv_tra import AdvTra
from modelprint.schemes.akh import Akh
from tests.conftest import Digits
from tests.contract.test_commands import run, spawn
from tests.sealing.test_timestamp import authority, server

__all__ = ["server"]
OLDER = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"}  # what x86 has


@pytest.fixture(scope="module")
def folder(digits: Digits, server: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source, its sealed and stamped fingerprint, and the bundle of a verdict about itself."""
    place = tmp_path_factory.mktemp("case")
    save_model(place / "source.safetensors", digits.source, digits.trained.card)
    (place / "judge").mkdir()
    for number, model in enumerate(digits.strangers):
        card = digits.trained.card.model_copy(update={"recipe": {"kind": "train", "seed": number}})
        save_model(place / "judge" / f"{number}.safetensors", model, card)
    enroll(
        place / "source.safetensors", digits.queries, scheme=Akh(queries=30), negatives=digits.strangers,
        out=place / "mine.fp",
    )  # fmt: skip
    run("key", "--out", "me.pem", cwd=place)
    url, _ = server
    run(
        "seal", "mine.fp", "--key", "me.pem", "--out", "mine.commitment", "--alpha", "0.25", "--timestamp", f"{url}/",
        cwd=place,
    )  # fmt: skip
    run(
        "bundle", "mine.fp", "source.safetensors", "--commitment", "mine.commitment", "--key", "me.pem",
        "--alpha", "0.25", "--out", "evidence.tar", "--report", cwd=place,
    )  # fmt: skip
    return place


def test_a_judge_checks_signature_stamp_queries_and_calibrates_anew(folder: Path, server: tuple[str, Path]) -> None:
    _, authorities = server
    done = run(
        "check", "evidence.tar", "--key", "me.pem.pub", "--tsa-root", str(authorities / "root.pem"),
        "--negatives", "judge", "--rederive", "--source", "source.safetensors", "--format", "json", cwd=folder,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["stamp_verified"] is True
    assert told["key_compared"] is True
    assert told["rederived"]["exact"] is True
    assert told["verdict"]["score"] == told["rejudged"]["score"] == 1.0
    assert told["rejudged"]["p_value"] == 0.25  # above each of three


def test_another_authority_and_a_negative_made_from_the_source_are_refused(folder: Path, tmp_path: Path) -> None:
    other = authority(tmp_path / "other")
    words = ("check", "evidence.tar", "--key", "me.pem.pub")
    assert "vouches for" in run(*words, "--tsa-root", str(other / "root.pem"), cwd=folder, code=3).stderr
    (folder / "mine").mkdir()
    words_of_theft = ("--kind", "ftll", "--set", "epochs=1", "--out", "mine/copy.safetensors")
    run("attack", "source.safetensors", "digits:attacker", *words_of_theft, cwd=folder)
    assert "made from the source" in run(*words, "--negatives", "mine", cwd=folder, code=1).stderr


def test_of_two_owners_who_prove_the_same_of_each_other_the_earlier_stamp_tells(
    folder: Path, server: tuple[str, Path], digits: Digits
) -> None:
    url, authorities = server
    theft = ("--kind", "ftll", "--set", "epochs=1", "--out", "stolen.safetensors")
    run("attack", "source.safetensors", "digits:attacker", *theft, cwd=folder)
    thief = folder / "stolen.safetensors"
    enroll(thief, digits.queries, scheme=Akh(queries=30), negatives=digits.strangers, out=folder / "thief.fp")
    run("key", "--out", "thief.pem", cwd=folder)
    time.sleep(1.1)  # stamps tell whole seconds
    words = ("--key", "thief.pem", "--out", "thief.commitment", "--alpha", "0.25", "--timestamp", f"{url}/")
    run("seal", "thief.fp", *words, cwd=folder)
    told = {}
    for owner, suspect in (("mine", "stolen"), ("thief", "source")):
        key, out = "me.pem" if owner == "mine" else "thief.pem", f"{owner}.tar"
        words = ("--commitment", f"{owner}.commitment", "--key", key, "--alpha", "0.25", "--out", out)
        run("bundle", f"{owner}.fp", f"{suspect}.safetensors", *words, cwd=folder)
        roots = ("--tsa-root", str(authorities / "root.pem"))
        told[owner] = json.loads(run("check", out, *roots, "--format", "json", cwd=folder).stdout)
    assert [one["verdict"]["verdict"] for one in told.values()] == ["derived", "derived"]  # ambiguous by itself
    assert told["mine"]["stamp_verified"]
    assert told["thief"]["stamp_verified"]
    stamps = [datetime.fromisoformat(told[owner]["stamped"]) for owner in ("mine", "thief")]
    assert stamps[0] < stamps[1]


def test_a_judge_with_an_older_processor_makes_the_queries_again(digits: Digits, tmp_path: Path) -> None:
    """Walks along gradients, made with this processor's instructions and made again without them."""
    save_model(tmp_path / "source.safetensors", digits.source, digits.trained.card)
    enroll(
        tmp_path / "source.safetensors", digits.queries, scheme=AdvTra(trajectories=8), negatives=digits.strangers,
        out=tmp_path / "mine.fp",
    )  # fmt: skip
    run("key", "--out", "me.pem", cwd=tmp_path)
    run("seal", "mine.fp", "--key", "me.pem", "--out", "mine.commitment", cwd=tmp_path)
    run(
        "bundle", "mine.fp", "source.safetensors", "--commitment", "mine.commitment", "--key", "me.pem",
        "--out", "evidence.tar", cwd=tmp_path,
    )  # fmt: skip
    done = spawn(
        "check", "evidence.tar", "--rederive", "--source", "source.safetensors", "--format", "json", cwd=tmp_path,
        env=OLDER,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["rederived"]
    assert told["differing"] == 0
    assert 0 <= told["scores_off"] < 1e-4
