"""Suspects whose task differs slightly: each ends in the right verdict, or is refused with the option that mends it.

A true copy and an independent model get the same other outputs, or inputs, as a file, as ONNX, behind a server and as
answers by hand. Without a word the other side of the verdict is never reached.
"""

from __future__ import annotations

import io
import tomllib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi import FastAPI, Request
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.access import Access
from modelprint.core.errors import ModelprintError
from modelprint.core.suspect import ABSTAINED, Answers
from modelprint.core.verdict import Verdict
from modelprint.data.labelled import LabelledSet
from modelprint.nn.options import ModelOptions
from modelprint.ownership.ask import record_answers
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.lacking import in_common
from modelprint.ownership.verify import verify
from modelprint.schemes.adv_tra import AdvTra
from modelprint.suspects.class_names import read_class_names
from modelprint.suspects.local import TorchSuspect
from modelprint.suspects.options import SuspectOptions
from modelprint.suspects.serving import create_app
from modelprint.training.train import default_recipe, spec_for, train_model
from tests.conftest import Digits
from tests.schemes.world import least_alike, strangers
from tests.suspects.servers import running

NET = """
from modelprint.nn.spec import ModelSpec, build
from tests.ownership.test_tasks import TASKS

def net():
    return TASKS[{task!r}].around(build(ModelSpec.model_validate_json({spec!r})))
"""


class Around(nn.Module):
    """A network between other inputs and other outputs."""

    def __init__(self, body: nn.Module, before: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.before, self.after = body, before, after

    def forward(self, inputs: Tensor) -> Tensor:
        return self.after(self.body(self.before(inputs)))


def as_is(values: Tensor) -> Tensor:
    return values


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task that differs.

    Attributes:
        before, after: what stands in front of the network, and behind it.
        shape: of what it takes; outputs: how many there are.
        file: of class names, without which it is refused; empty: none is needed.
        says: what stands in the verdict.
    """

    before: Callable[[Tensor], Tensor] = as_is
    after: Callable[[Tensor], Tensor] = as_is
    shape: tuple[int, int, int] = (1, 8, 8)
    outputs: int = 10
    file: str = ""
    says: str = ""
    kinds: Sequence[str] = field(default=("file", "onnx", "api", "module", "csv"))

    def around(self, network: nn.Module) -> Around:
        return Around(network, self.before, self.after)


ORDER = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]
KEPT = [0, 1, 2, 3, 4, 5, 6, 8]
TASKS = {
    "another order": Task(
        after=lambda logits: logits[:, ORDER], file=f"classes = {[str(number) for number in ORDER]}"
    ),
    "a background class": Task(
        after=lambda logits: torch.cat([logits.mean(1, keepdim=True) - 9, logits], 1), outputs=11,
        file="background = 0", kinds=("file", "onnx", "api", "module"),
    ),
    "more classes": Task(
        after=lambda logits: torch.cat([logits[:, :4], logits.mean(1)[:, None].expand(-1, 3) - 4, logits[:, 4:]], 1),
        outputs=13,
        file='classes = ["0", "1", "2", "3", "a", "b", "c", "4", "5", "6", "7", "8", "9"]',
        says="3 of its 13 outputs are no class of the fingerprint: 'a', 'b', 'c'",
    ),
    "fewer classes": Task(
        after=lambda logits: logits[:, KEPT],
        outputs=8,
        file=f"classes = {[str(number) for number in KEPT]}",
        says="it does not have 2 of the fingerprint's classes: '7', '9'",
    ),
    "several classes at once": Task(after=torch.sigmoid, file="threshold = 0.02"),
    "colours": Task(
        before=lambda images: functional.conv2d(images, torch.full((1, 3, 1, 1), 1 / 3)), shape=(3, 8, 8),
        says="3 channels: the grey of each query", kinds=("file", "onnx", "api"),
    ),
    "another size": Task(
        before=lambda images: images[:, :, 1::3, 1::3], shape=(1, 24, 24), says="are resized to it",
        kinds=("file", "onnx", "api"),
    ),
    "not square": Task(
        before=lambda images: images[:, :, :, 1::3], shape=(1, 8, 24), says="images of 8 x 24",
        kinds=("file", "onnx", "api"),
    ),
}  # fmt: skip
REFUSED = {"a background class", "more classes", "fewer classes"}


@pytest.fixture(scope="module")
def fingerprint(digits: Digits) -> Fingerprint:
    independent = [*digits.strangers, *strangers(digits, 4, seed=320)]
    return enroll(digits.source, digits.queries, scheme=AdvTra(trajectories=10, m=4), negatives=independent)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def options(task: Task, place: Path, model: ModelOptions | None = None) -> SuspectOptions:
    """What a user says of the suspect."""
    how = SuspectOptions(model=model or ModelOptions())
    if not task.file:
        return how
    (place / "names.toml").write_text(task.file)
    file = read_class_names(place / "names.toml")
    return SuspectOptions(model=how.model, class_aliases=file.class_names, outputs=file.form)


class As:
    """A network as each kind of suspect."""

    def __init__(self, digits: Digits, fingerprint: Fingerprint, place: Path, name: str, stack: ExitStack) -> None:
        self.digits, self.fingerprint, self.place, self.name, self.stack = digits, fingerprint, place, name, stack
        self.task = TASKS[name]

    def opened(self, kind: str, network: nn.Module) -> tuple[object, ModelOptions]:
        module = self.task.around(network).eval()
        model = ModelOptions()
        if kind == "module":
            return module, model
        if kind == "file":
            torch.save(module.state_dict(), self.place / "m.pth")
            spec = self.digits.spec.model_dump_json()
            (self.place / "net.py").write_text(NET.format(task=self.name, spec=spec))
            size = None if self.task.shape[1:] == (8, 8) else self.task.shape[1:]
            return self.place / "m.pth", ModelOptions(arch=f"{self.place}/net.py:net", size=size)
        if kind == "onnx":
            axes = {"x": {0: "n"}, "y": {0: "n"}}
            with warnings.catch_warnings(action="ignore"):
                torch.onnx.export(
                    module, (torch.zeros(1, *self.task.shape),), self.place / "m.onnx", dynamo=False,
                    input_names=["x"], output_names=["y"], dynamic_axes=axes,
                )  # fmt: skip
            return self.place / "m.onnx", model
        if kind == "api":
            suspect = TorchSuspect(module, "sha256:ab")
            app = create_app(
                suspect, name="m", input_shape=self.task.shape, classes=self.task.outputs, access=Access.SCORES
            )
            return self.stack.enter_context(running(app)), model
        return self.by_hand(module), model

    def by_hand(self, module: nn.Module) -> Path:
        with torch.no_grad():
            outputs = module(torch.from_numpy(self.fingerprint.queries).float() / 255)
        names = tomllib.loads(self.task.file).get("classes", list(map(str, range(10))))
        lines = [f"{number},{names[label]}" for number, label in enumerate(outputs.argmax(1).tolist())]
        (self.place / "answers.csv").write_text("index,label\n" + "\n".join(lines))
        return self.place / "answers.csv"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as kept:
        yield kept


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, task in TASKS.items() for kind in task.kinds])
def test_copies_are_derived_and_others_are_not(
    digits: Digits, fingerprint: Fingerprint, place: Path, stack: ExitStack, name: str, kind: str
) -> None:
    suspects = As(digits, fingerprint, place, name, stack)

    def judge(network: nn.Module) -> Verdict:
        classes = replace(suspects.task, before=as_is).around(network).eval()
        return verify(fingerprint, classes, options=options(suspects.task, place), access="labels")

    verdicts = []
    for network in (digits.source, least_alike(strangers(digits, 4, seed=301), judge)):
        suspect, model = suspects.opened(kind, network)
        said = options(suspects.task, place, model)
        verdicts.append(verify(fingerprint, suspect, options=said, alpha=1 / 8, access="labels"))  # type: ignore[arg-type]
        if name in REFUSED and kind != "csv":
            with pytest.raises(ModelprintError, match="--class-names"):
                verify(fingerprint, suspect, options=SuspectOptions(model=model), alpha=0.25)  # type: ignore[arg-type]
    assert [verdict.verdict for verdict in verdicts] == ["derived", "not-shown"]
    assert suspects.task.says in verdicts[0].message


def test_scores_survive_where_every_class_has_one(digits: Digits, fingerprint: Fingerprint, place: Path) -> None:
    for name in ("another order", "a background class", "more classes"):
        suspect = TASKS[name].around(digits.source)
        verdict = verify(fingerprint, suspect, options=options(TASKS[name], place), alpha=0.25, access="scores")
        assert (verdict.verdict, verdict.access) == ("derived", "scores")
    for name in ("fewer classes", "several classes at once"):
        with pytest.raises(ModelprintError, match="gives labels only, scores were asked for: use --access labels"):
            verify(fingerprint, TASKS[name].around(digits.source), options=options(TASKS[name], place), access="scores")


def test_what_lacks_classes_is_judged_alike_when_it_is_recorded(
    digits: Digits, fingerprint: Fingerprint, place: Path
) -> None:
    task = TASKS["fewer classes"]
    suspect, said = task.around(digits.source), options(task, place)
    plainly = verify(fingerprint, suspect, options=said, alpha=0.25)
    record_answers(fingerprint, suspect, out=place / "a.jsonl", options=said)
    record_answers(fingerprint, suspect, out=place / "a.npz", options=said)
    for name in ("a.jsonl", "a.npz"):
        recorded = verify(fingerprint, place / name, alpha=0.25)
        same = {"message", "suspect", "remarks"}
        assert recorded.model_dump(exclude=same) == plainly.model_dump(exclude=same)
    assert "queries are of these: they count as disagreements of every model" in plainly.message


def test_too_few_classes_in_common_and_schemes_of_whole_answers(
    digits: Digits, fingerprint: Fingerprint, place: Path
) -> None:
    pair = Task(after=lambda logits: logits[:, :2], file='classes = ["0", "1"]')
    verdict = verify(fingerprint, pair.around(digits.source), options=options(pair, place), alpha=0.25)
    assert verdict.verdict == "inconclusive"
    assert "lacks 8 of 10 classes" in verdict.message
    assert "half of them must be of classes that it has" in verdict.message
    whole = enroll(digits.source, digits.queries, scheme="sac", budget=40, negatives=list(digits.strangers))
    task = TASKS["fewer classes"]
    verdict = verify(whole, task.around(digits.source), options=options(task, place), alpha=0.25, access="labels")
    assert (verdict.verdict, "sac compares answers as a whole" in verdict.message) == ("inconclusive", True)


def test_calibration_models_are_given_the_classes_that_the_suspect_has() -> None:
    source = Answers(labels=np.array([0, 1, 2, 0]))
    scored = Answers(
        labels=np.array([2, 1, 2, 1]),
        scores=np.array([[0.1, 0.2, 0.7], [0.1, 0.8, 0.1], [0, 0, 1], [0.1, 0.9, 0]], np.float32),
    )
    labels = Answers(labels=scored.labels)
    suspect = Answers(labels=np.array([0, ABSTAINED, 1, -1]))
    common = in_common(source, suspect, [scored, labels], lacking={2}, classes=3)
    assert common.outside.tolist() == [False, False, True, False]
    assert common.answers.labels.tolist() == [0, ABSTAINED, 0, -1]
    assert common.calibration[0].labels.tolist() == [1, 1, 0, 1]  # its best of the others
    assert common.calibration[1].labels.tolist() == [0, 1, 0, 1]  # the source's


@pytest.mark.parametrize("access", ["labels", "scores"])
def test_a_queries_answer_that_is_no_class_counts_as_no_answer(
    digits: Digits, fingerprint: Fingerprint, place: Path, access: str
) -> None:
    many = Task(
        after=lambda logits: torch.cat([logits, logits[:, :1] + 50 * (logits.argmax(1, keepdim=True) == 0)], 1),
        file=f"classes = {[*map(str, range(10)), 'other']}",
    )
    verdict: Verdict = verify(
        fingerprint, many.around(digits.source), options=options(many, place), alpha=0.25, access=access
    )
    zeros = int((fingerprint.source.labels == 0).sum())
    assert zeros > 0
    assert verdict.answered == len(fingerprint) - zeros
    assert "not answered and count against derivation" in verdict.message


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two classes, odd and even digits: a source, and an independent model."""

    fingerprint: Fingerprint
    source: nn.Module
    other: nn.Module


@pytest.fixture(scope="module")
def pair(digits: Digits) -> Pair:
    owner, queries = (
        LabelledSet(stored=part.stored, labels=part.labels % 2, class_names=("even", "odd"), name=part.name)
        for part in (digits.owner, digits.queries)
    )
    spec, recipe = spec_for(owner, "mlp", {"width": 32}), default_recipe(owner, epochs=6)
    source, *others = (train_model(owner, spec, recipe, seed=seed).model for seed in range(11))
    fingerprint = enroll(source, queries, scheme="akh", budget=40, negatives=others[:7])
    other = least_alike(others[7:], lambda model: verify(fingerprint, model))
    return Pair(fingerprint=fingerprint, source=source, other=other)


class Single(nn.Module):
    """One output for two classes: of the second, or of the first; as a logit, or as a share."""

    def __init__(self, network: nn.Module, *, first: bool, logit: bool) -> None:
        super().__init__()
        self.network, self.first, self.logit = network, first, logit

    def forward(self, images: Tensor) -> Tensor:
        logits = self.network(images)
        value = (logits[:, :1] - logits[:, 1:]) if self.first else (logits[:, 1:] - logits[:, :1])
        return value if self.logit else torch.sigmoid(value)


@pytest.mark.parametrize("kind", ["module", "onnx", "api", "callable"])
@pytest.mark.parametrize(("first", "logit"), [(False, False), (True, False), (False, True)])
def test_one_output_for_two_classes(
    pair: Pair, place: Path, stack: ExitStack, first: bool, logit: bool, kind: str
) -> None:
    file = f'classes = ["{"even" if first else "odd"}"]\n' + "logit = true\n" * logit
    said = replace(options(Task(outputs=1, file=file), place), api="image" if kind == "api" else "auto")
    verdicts = []
    for network in (pair.source, pair.other):
        suspect = single(Single(network, first=first, logit=logit).eval(), kind, place, stack)
        verdicts.append(verify(pair.fingerprint, suspect, options=said, alpha=1 / 8).verdict)  # type: ignore[arg-type]
        with pytest.raises(ModelprintError, match=r"--class-names|labels or scores"):
            verify(pair.fingerprint, suspect, options=SuspectOptions(api=said.api), alpha=1 / 8)  # type: ignore[arg-type]
    assert verdicts == ["derived", "not-shown"]


def single(module: nn.Module, kind: str, place: Path, stack: ExitStack) -> object:
    if kind == "module":
        return module
    if kind == "callable":
        return lambda images: module(torch.from_numpy(images).float() / 255).detach()[:, 0]
    if kind == "onnx":
        with warnings.catch_warnings(action="ignore"):
            torch.onnx.export(
                module, (torch.zeros(1, 1, 8, 8),), place / "m.onnx", dynamo=False, input_names=["x"],
                dynamic_axes={"x": {0: "n"}},
            )  # fmt: skip
        return place / "m.onnx"
    ask = FastAPI()

    @ask.post("/")
    async def answer(request: Request) -> list[float]:
        pixels = np.asarray(Image.open(io.BytesIO(await request.body())), np.float32)[None, None] / 255
        return [float(module(torch.from_numpy(pixels)))]

    return stack.enter_context(running(ask))
