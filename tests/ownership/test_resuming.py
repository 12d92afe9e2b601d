"""An enrollment that is cut off anywhere goes on, and ends with the same bits; what is kept is bound to its inputs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from modelprint.cli.app import run
from modelprint.core import unfinished
from modelprint.core.errors import FingerprintError
from modelprint.core.identity import digest_file
from modelprint.core.unfinished import Unfinished
from modelprint.nn.files import ModelCard, save_model
from modelprint.nn.spec import build
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.schemes.adv_tra import AdvTra
from modelprint.schemes.base import Scheme
from modelprint.schemes.cae import Cae
from modelprint.schemes.contrast import Contrast
from modelprint.schemes.cort import CoRt
from modelprint.schemes.deepcore import DeepCore
from modelprint.schemes.fit_lime import FitLime
from modelprint.schemes.fit_print import FitPrint
from modelprint.schemes.ipguard import IPGuard
from modelprint.schemes.residual import Residual
from modelprint.schemes.uap import Uap
from tests.conftest import Digits

SCHEMES: dict[str, Scheme] = {
    "adv-tra": AdvTra(trajectories=6, m=3, batch=4),
    "adv-tra, paper": AdvTra(trajectories=2, m=2, probing="length-control", attempts=40, first_step=0.05),
    "ipguard": IPGuard(queries=12, k=1.0, steps=12, rate=0.05),
    "cort": CoRt(queries=300, epsilon=0.2),
    "cae": Cae(queries=6, steps=8, epsilon=0.4, rate=0.05, conferrability=0.1),
    "uap": Uap(points=5, views=2, images=20, least_fooling=0.2, epsilon=0.3, steps=2),
    "contrast": Contrast(queries=20, candidates=200),
    "deepcore": DeepCore(queries=300, steps=3),
    "fit-print": FitPrint(queries=260, steps=5, epsilon=0.5, rate=0.1, surrogates=0),
    "fit-lime": FitLime(queries=200, samples=6, cells=4, steps=4, epsilon=0.5, rate=0.1, surrogates=0),
    "residual": Residual(queries=20, candidates=60),
}


@pytest.fixture(scope="module")
def place(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source, a folder of shadow models, and one of calibration models."""
    folder = tmp_path_factory.mktemp("models")
    card = digits.trained.card
    save_model(folder / "source.safetensors", digits.source, card)
    source = digest_file(folder / "source.safetensors")
    for side in ("shadows", "negatives"):
        (folder / side).mkdir()
    for number in range(2):
        copy = build(digits.spec)
        generator = torch.Generator().manual_seed(number)
        copy.load_state_dict(
            {
                name: value + 0.02 * torch.randn(value.shape, generator=generator)
                if value.is_floating_point()
                else value
                for name, value in digits.source.state_dict().items()
            }
        )
        made = {"kind": "noise", "source": source}
        save_model(folder / "shadows" / f"copy-{number}.safetensors", copy.eval(), _card(card, made))
        other = _card(card, {"kind": "train", "seed": number})
        save_model(folder / "shadows" / f"other-{number}.safetensors", digits.strangers[number], other)
    last = _card(card, {"kind": "train", "seed": 3})
    save_model(folder / "negatives" / "third.safetensors", digits.strangers[2], last)
    return folder


def _card(card: ModelCard, recipe: dict[str, str | int]) -> ModelCard:
    return card.model_copy(update={"recipe": recipe})


@pytest.fixture(autouse=True)
def keeps_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything is kept as soon as it is there, in a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("EVERY", "EVERY_STATE", "SHARE"):
        monkeypatch.setattr(unfinished, name, 0)
    return tmp_path / "cache" / "modelprint" / "unfinished"


def enrolled(
    place: Path,
    digits: Digits,
    scheme: Scheme,
    *,
    out: Path | None = None,
    seed: int = 0,
    notice: Callable[[str], None] = lambda _: None,
) -> Fingerprint:
    return enroll(
        place / "source.safetensors",
        digits.queries,
        scheme=scheme,
        train_data=digits.owner,
        shadows=place / "shadows" if scheme.needs.learns else None,
        negatives=place / "negatives",
        seed=seed,
        out=out,
        notice=notice,
    )


class Cut:
    """Ends the process, as it were, at the nth time that something is kept: before, or after it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.at: int | None = None
        self.before = False
        write = Unfinished._write

        def cut(kept: Unfinished, name: str, arrays: unfinished.Arrays) -> None:
            self.count += 1
            now = self.count == self.at
            if now and self.before:
                raise KeyboardInterrupt
            write(kept, name, arrays)
            if now:
                raise KeyboardInterrupt

        monkeypatch.setattr(Unfinished, "_write", cut)


@pytest.mark.parametrize("name", SCHEMES)
def test_wherever_it_is_cut_off_it_ends_with_the_same_bits(
    name: str, place: Path, digits: Digits, keeps_at_once: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scheme = SCHEMES[name]
    cut = Cut(monkeypatch)
    whole = enrolled(place, digits, scheme)
    total = cut.count
    assert total >= 2
    assert not list(keeps_at_once.glob("*"))  # removed, as it is finished
    for number in sorted({1, total // 2, total - 1}):
        cut.count, cut.at, cut.before = 0, number, number % 2 == 0
        with pytest.raises(KeyboardInterrupt):
            enrolled(place, digits, scheme)
        cut.at = None
        cut.count = 0
        heard: list[str] = []
        again = enrolled(place, digits, scheme, notice=heard.append)
        assert again.to_bytes() == whole.to_bytes()
        if number > 2:
            assert cut.count < total  # not everything was computed again
            assert any("goes on from what is kept in" in line for line in heard)
        assert not list(keeps_at_once.glob("*"))


def test_it_may_be_cut_off_again_and_again(
    place: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch, keeps_at_once: Path
) -> None:
    scheme = SCHEMES["adv-tra"]
    cut = Cut(monkeypatch)
    whole = enrolled(place, digits, scheme)
    cut.at, cuts, again = 4, 0, None
    while again is None:
        cut.count = 0
        try:
            again = enrolled(place, digits, scheme)
        except KeyboardInterrupt:
            cuts += 1
    assert cuts > 3
    assert again.to_bytes() == whole.to_bytes()


def test_other_inputs_do_not_take_what_is_kept(
    place: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch, keeps_at_once: Path, tmp_path: Path
) -> None:
    scheme = SCHEMES["adv-tra"]
    plain = enrolled(place, digits, scheme, seed=1)
    cut = Cut(monkeypatch)
    cut.at = 8
    with pytest.raises(KeyboardInterrupt):
        enrolled(place, digits, scheme, out=tmp_path / "fp")
    cut.at = None
    heard: list[str] = []
    other = enrolled(place, digits, scheme, out=tmp_path / "fp", seed=1, notice=heard.append)
    assert other.identity == plain.identity
    assert any("was cut off before, with other inputs (seed): what is kept of it in" in line for line in heard)
    assert not list(keeps_at_once.glob("*"))  # it can be of no use any more


@pytest.mark.parametrize("harm", ["garbled", "truncated", "of other work", "changed"])
def test_files_that_are_not_what_they_should_be_are_noticed(
    harm: str, place: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch, keeps_at_once: Path
) -> None:
    scheme = SCHEMES["ipguard"]
    cut = Cut(monkeypatch)
    whole = enrolled(place, digits, scheme)
    cut.count, cut.at = 0, cut.count
    with pytest.raises(KeyboardInterrupt):
        enrolled(place, digits, scheme)
    cut.at = None
    (folder,) = keeps_at_once.iterdir()
    assert json.loads((folder / "about.json").read_text())["work"]["scheme"] == "ipguard"
    (file,) = folder.glob("starts-from-0-*.safetensors")
    if harm == "garbled":
        file.write_bytes(b"\0" * 100)
    elif harm == "truncated":
        file.write_bytes(file.read_bytes()[:-10])
    elif harm == "of other work":
        kept = Unfinished(folder, work={"of": "somebody else"})
        kept._write("starts from 0", {"stored": torch.zeros(3).numpy()})
    else:
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(bytes(data))
    heard: list[str] = []
    again = enrolled(place, digits, scheme, notice=heard.append)
    assert again.to_bytes() == whole.to_bytes()
    (line,) = [line for line in heard if str(file) in line]
    assert line.endswith("it is computed again")


def test_a_full_disk_costs_only_the_resuming(
    place: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch, keeps_at_once: Path
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(unfinished, "write_bytes", full)
    heard: list[str] = []
    assert len(enrolled(place, digits, SCHEMES["adv-tra"], notice=heard.append)) == 6 * 13
    assert len([line for line in heard if "unfinished work is not kept from here on" in line]) == 1


def test_a_failure_that_would_come_again_leaves_nothing(place: Path, digits: Digits, keeps_at_once: Path) -> None:
    with pytest.raises(FingerprintError, match=r"none of \d+ points came within"):
        enrolled(place, digits, IPGuard(queries=12, steps=1, rate=1e-6))
    assert not list(keeps_at_once.glob("*"))


def test_two_at_once_do_not_disturb_each_other(
    place: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch, keeps_at_once: Path
) -> None:
    scheme = SCHEMES["adv-tra"]
    whole = enrolled(place, digits, scheme)
    results: list[Fingerprint] = []
    threads = [threading.Thread(target=lambda: results.append(enrolled(place, digits, scheme))) for _ in range(3)]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert [one.identity for one in results] == [whole.identity] * 3
    assert not list(keeps_at_once.glob("*"))


def test_what_is_old_is_removed(place: Path, digits: Digits, keeps_at_once: Path) -> None:
    for name, age in (("old", 31), ("young", 29)):
        (keeps_at_once / name).mkdir(parents=True)
        (keeps_at_once / name / "about.json").write_text("{}")
        then = time.time() - 86_400 * age
        for path in (keeps_at_once / name / "about.json", keeps_at_once / name):
            os.utime(path, (then, then))
    enrolled(place, digits, SCHEMES["contrast"])
    assert [folder.name for folder in keeps_at_once.iterdir()] == ["young"]


def test_short_work_keeps_nothing(
    place: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch, keeps_at_once: Path
) -> None:
    monkeypatch.setattr(unfinished, "EVERY", 60.0)
    monkeypatch.setattr(unfinished, "EVERY_STATE", 60.0)
    cut = Cut(monkeypatch)
    enrolled(place, digits, SCHEMES["contrast"])
    assert cut.count == 0


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_process_that_is_killed_goes_on(
    place: Path,
    keeps_at_once: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = """
import os, signal
from modelprint.core import unfinished
unfinished.EVERY = unfinished.EVERY_STATE = unfinished.SHARE = 0
write = unfinished.Unfinished._write
def written_then_killed(self, name, arrays):
    write(self, name, arrays)
    if name.startswith("state of trajectories"):
        os.kill(os.getpid(), signal.SIGKILL)
unfinished.Unfinished._write = written_then_killed
from modelprint.cli.app import main
main()
"""
    words = ["enroll", "source.safetensors", "digits:queries", "--scheme", "adv-tra", "--set", "trajectories=20", "m=4"]
    words += ["--negatives", "negatives", "--out", str(tmp_path / "fp")]
    killed = subprocess.run([sys.executable, "-c", code, *words], cwd=place, stderr=subprocess.DEVNULL, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list(keeps_at_once.glob("*/state-of-trajectories-*.safetensors"))
    assert not (tmp_path / "fp").exists()
    monkeypatch.chdir(place)
    assert run(words) == 0
    assert "this enrollment was cut off before: it goes on from what is kept in" in capsys.readouterr().err
    resumed = {path.name: path.read_bytes() for path in (tmp_path / "fp").iterdir()}
    assert run(words) == 0
    assert "cut off" not in capsys.readouterr().err
    assert resumed == {path.name: path.read_bytes() for path in (tmp_path / "fp").iterdir()}
