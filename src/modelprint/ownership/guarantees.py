"""What a check of a bundle has shown, and what it has not: pure functions from what was checked to two lists.

A signature says who stated something, never that it is true. What rests on the owner's word alone is named with the
option, or the step, that would show it.
"""

from __future__ import annotations

from modelprint.core.records import Record
from modelprint.ownership.check import Checked


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


def shown(checked: Checked, *, rederived: bool, page: bool | None) -> tuple[str, ...]:
    """What was checked, in words.

    Args:
        rederived: whether the queries were made again.
        page: whether the report page is what the records give; None: there is none.
    """
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
        (checked.rejudged is not None, "a second verdict is calibrated on your own models"),
        (rederived, "the published algorithm makes these queries of the committed source, data and seed"),
        (bool(page), "the report page is what these records give"),
    ]
    return (*fixed, *(text for true, text in conditional if true))


def left_open(checked: Checked, *, rederived: bool, page: bool | None) -> tuple[Open, ...]:
    """What was not checked; arguments as of `shown`."""
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
            checked.rejudged is not None,
            "that the calibration models are independent, and answered so",
            "they are the owner's choice, and their answers his word",
            "--negatives FOLDER of your own",
        ),
        (
            rederived,
            "that the queries were made by the published algorithm",
            "the owner may have made them by hand",
            "--rederive --source MODEL",
        ),
        (
            False,
            "that the images behind the queries were not chosen against somebody",
            "the owner chose them; re-derivation repeats what he chose",
            "a fresh challenge: enroll the source on images of your own or of a public set, and verify the suspect",
        ),
        (
            False,
            "that these answers are the suspect's",
            "the owner recorded them",
            "ask the suspect yourself: verify, or record, with this fingerprint",
        ),
        (
            page is not False,
            "the report page",
            "this version does not make that page of these records: do not rely on it",
            "verify --report makes another",
        ),
    ]
    return tuple(Open(what=what, why=why, option=option) for true, what, why, option in claims if not true)
