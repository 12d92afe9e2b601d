"""What a check of a bundle has shown, and what it has not: pure functions from what was checked to two lists.

A signature says who stated something, never that it is true. What rests on the owner's word alone is named with the
option, or the step, that would show it.
"""

from __future__ import annotations

from dataclasses import dataclass

from modelprint.core.records import Record
from modelprint.ownership.challenge import COMMITTED, LEARNED, Challenge
from modelprint.ownership.check import Checked
from modelprint.ownership.rederive import Rederived

FRESH = "--source MODEL --data DATA --suspect SUSPECT, DATA your own inputs or a public set"
WHERE = {COMMITTED: "--owner-data DATA, as the owner hands it over", LEARNED: "--train-data DATA"}


class Open(Record):
    """Something that a check did not show.

    Attributes:
        what: the claim.
        why: whose word it rests on.
        option: what would show it.
    """

    what: str
    why: str
    option: str


@dataclass(frozen=True, kw_only=True)
class Examination:
    """All that was done to find out about a bundle.

    Attributes:
        page: whether the report page is what the records give; None: there is none.
        rederived: the queries, made again, where they were; `retrained`: shadow models, too.
        fresh: the fresh challenge, where there was one.
    """

    checked: Checked
    page: bool | None = None
    rederived: Rederived | None = None
    retrained: bool = False
    fresh: Challenge | None = None

    @property
    def contradiction(self) -> str | None:
        """Why the fresh challenge contradicts the bundle; None where it does not, or where there was none."""
        return None if self.fresh is None else self.fresh.contradiction(self.checked.verdict)


def shown(done: Examination) -> tuple[str, ...]:
    """What was checked, in words."""
    checked, fresh = done.checked, done.fresh
    fixed = [
        "every part has the hash that was signed",
        "commitment and evidence are signed by one key",
        "the fingerprint is the committed one",
        "each answer is to the query that it names",
        "the verdict follows from the answers",
    ]
    conditional = [
        (checked.commitment.alpha is not None, "the accepted false positive rate is the committed one"),
        (checked.key_compared, "the key is the one that you named"),
        (checked.stamp_verified, "the time stamp is of a server that you trust"),
        (_own_models(checked), "a second verdict is calibrated on your own models"),
        (
            done.rederived is not None,
            "the published algorithm makes these queries of the committed source, data and seed",
        ),
        (done.retrained, "the committed recipe trains these shadow models"),
        (bool(done.page), "the report page is what these records give"),
    ]
    texts = [*fixed, *(text for true, text in conditional if true)]
    if fresh is not None:
        texts.append(f"none of your inputs stands among {' or '.join(fresh.compared)}")
    if fresh is not None and fresh.settles:
        texts.append(
            f"on {fresh.data} with seed {fresh.seed}, both your choice, the same scheme says "
            f"{fresh.verdict.verdict} of the suspect that you asked"
        )
    return tuple(texts)


def left_open(done: Examination) -> tuple[Open, ...]:
    """What was not checked."""
    checked, fresh = done.checked, done.fresh
    claims = [
        (
            checked.key_compared,
            "whose key signed",
            "anybody can make a key",
            "--key FILE.pub, as you got it from its owner",
        ),
        (
            checked.stamp_verified,
            "when the fingerprint was committed",
            "the date is the signer's word" if checked.stamped is None else "the time-stamping server was not verified",
            "seal --timestamp URL before a dispute" if checked.stamped is None else "--tsa-root FILE.pem",
        ),
        (
            checked.commitment.alpha is not None,
            "that the accepted false positive rate was chosen before the suspect was asked",
            "the commitment, of an earlier version, does not state it",
            "seal again with this version, before a dispute",
        ),
        (
            _own_models(checked) or (fresh is not None and fresh.models == "judge"),
            "that the calibration models are independent, and answered so",
            "they are the owner's choice"
            if checked.owners_models or (fresh is not None and fresh.models in ("owner", "both"))
            else "they are the owner's choice, and their answers his word",
            "--negatives FOLDER of your own",
        ),
        (
            done.rederived is not None,
            "that the queries were made by the published algorithm",
            "the owner may have made them by hand",
            "--rederive --source MODEL",
        ),
        (
            not checked.fingerprint.manifest.shadows
            or done.retrained
            or (fresh is not None and fresh.shadows == "judge"),
            "that the shadow models are what the owner says",
            "their cards are his word",
            "--rederive --shadow N, which trains them again, or a fresh challenge with --shadow N",
        ),
        (
            fresh is not None and fresh.settles,
            "that inputs and seed were not chosen against somebody",
            "the owner chose them; re-derivation repeats what he chose"
            if fresh is None
            else "the fresh challenge is inconclusive",
            f"a fresh challenge: {FRESH}"
            if fresh is None
            else "--negatives FOLDER of more models, or more DATA: its message says what is missing",
        ),
        (
            False,
            "that these answers are the suspect's",
            "the owner recorded them",
            "ask the suspect yourself: verify, or record, with this fingerprint"
            if fresh is None
            else "the fresh challenge does not rest on them; verify, or record, with this fingerprint asks them again",
        ),
        (
            done.page is not False,
            "the report page",
            "this version does not make that page of these records: do not rely on it",
            "verify --report makes another",
        ),
    ]
    texts = [(what, why, option) for true, what, why, option in claims if not true]
    if fresh is not None:
        texts += [
            (f"that none of your inputs stands among {name}", "they were not at hand", WHERE[name])
            for name in fresh.not_compared
        ]
        if not fresh.same_suspect:
            texts.append(
                (
                    "that you asked the suspect of the bundle",
                    f"yours is {fresh.verdict.suspect}, the bundle's {checked.verdict.suspect}",
                    "--suspect with the file or address that the bundle names",
                )
            )
    return tuple(Open(what=what, why=why, option=option) for what, why, option in texts)


def _own_models(checked: Checked) -> bool:
    return checked.rejudged is not None and not checked.owners_models
