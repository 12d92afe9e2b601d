"""Bundles, commitments, keys and time stamps."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from modelprint.core.identity import digest
from modelprint.ownership.bundle import NAMES
from modelprint.sealing.canonical import canonical
from modelprint.sealing.container import packed, unpacked
from modelprint.sealing.envelope import TYPE
from modelprint.sealing.keys import decoded, encoded, read_private
from tests.hostile.commands import check
from tests.hostile.corpus import ANY, READ, REFUSED, HostileInput, Make, Place, content, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP, RICH
from tests.hostile.servers import answering, dripping, http, pouring, serving

SAYS = "bundle|b.tar|evidence|manifest|tensors|commitment|verdict|answers|fingerprint|report|key|signature|canonical"
Parts = dict[str, bytes]
USAGE = frozenset({1, 2, 3})
PEM, SUBJECT = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
UNPROTECTED = serialization.NoEncryption()


def parts_of(place: Place) -> Parts:
    """The parts of the whole bundle."""
    return unpacked(place.seeds.bundle, NAMES, who="it")


def changed(change: Callable[[Parts], object]) -> Make:
    """The bundle with parts changed, and nothing signed anew."""

    def make(place: Place) -> str:
        parts = parts_of(place)
        change(parts)
        return place.file("b.tar", packed(parts))

    return make


def signed(payload: Any, key: Path, *, kind: str = TYPE, raw: bytes | None = None) -> dict[str, Any]:
    """An envelope over any payload, by the owner's key."""
    data = canonical(payload) if raw is None else raw
    private = read_private(key)
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(data), data)
    public = private.public_key().public_bytes_raw()
    return {
        "payload": encoded(data),
        "payloadType": kind,
        "signatures": [{"keyid": digest(public), "sig": encoded(private.sign(message))}],
    }


def statement(place: Place, part: str) -> dict[str, Any]:
    """What a signed part states."""
    whole = json.loads(parts_of(place)[part])
    envelope = whole.get("envelope", whole)
    stated: dict[str, Any] = json.loads(decoded(envelope["payload"], who="it"))
    return stated


def resigned(change: Callable[[Parts], object] = lambda parts: None, **fields: Any) -> Make:
    """The bundle with parts changed and signed anew by its owner, who lies."""

    def make(place: Place) -> str:
        parts = parts_of(place)
        change(parts)
        stated = {
            **statement(place, "evidence.json"),
            "parts": {name: digest(data) for name, data in parts.items() if name != "evidence.json"},
        }
        stated.update(fields)
        parts["evidence.json"] = canonical(signed(stated, place.seeds.key))
        return place.file("b.tar", packed(parts))

    return make


def recommitted(**fields: Any) -> Make:
    """The bundle with another commitment, signed by its owner."""

    def make(place: Place) -> str:
        stated = {**statement(place, "commitment.json"), **fields}
        data = canonical({"envelope": signed(stated, place.seeds.key), "timestamp": fields.get("timestamp")})
        return resigned(lambda parts: parts.update({"commitment.json": data}))(place)

    return make


def verdict(**fields: Any) -> Callable[[Parts], object]:
    """Another verdict."""

    def change(parts: Parts) -> None:
        parts["verdict.json"] = json.dumps({**json.loads(parts["verdict.json"]), **fields}).encode()

    return change


@family
def bundles() -> Iterator[HostileInput]:
    """Bundles that do not fit together."""
    for name in NAMES[:-1]:
        yield hostile(f"evidence/parts/{name}-missing", changed(lambda parts, name=name: parts.pop(name)), check, SAYS)
        for case, data in {
            "empty": b"",
            "null": b"null",
            "nested": b"[" * 100_000,
            "list": b"[]",
            "zeros": bytes(100),
            "not-utf8": b'{"\xff": 1}',
            "nan": b'{"a": NaN}',
            "digits": b'{"a": ' + b"9" * 100_000 + b"}",
        }.items():
            yield hostile(
                f"evidence/parts/{name}-{case}",
                changed(lambda parts, name=name, data=data: parts.update({name: data})),
                check,
                SAYS,
            )
            if name != "evidence.json":
                yield hostile(
                    f"evidence/parts-signed/{name}-{case}",
                    resigned(lambda parts, name=name, data=data: parts.update({name: data})),
                    check,
                    SAYS,
                )
    lies: dict[str, Make] = {
        "verdict-other": resigned(verdict(verdict="not-shown")),
        "verdict-score": resigned(verdict(score=0.1)),
        "verdict-score-text": resigned(verdict(score="x")),
        "verdict-score-nan": resigned(verdict(score=float("nan"))),
        "verdict-alpha": resigned(verdict(alpha=0.5)),
        "verdict-p": resigned(verdict(p_value=0.0)),
        "verdict-details": resigned(verdict(details={"a": [[[1]]]})),
        "verdict-queries": resigned(verdict(queries=-1)),
        "verdict-scheme": resigned(verdict(scheme="no-such")),
        "verdict-surplus": resigned(verdict(surprise=1)),
        "verdict-suspect": resigned(verdict(suspect="another")),
        "verdict-matching": resigned(verdict(class_matching=[9, 9])),
        "alpha": resigned(alpha=0.5),
        "alpha-zero": resigned(alpha=0),
        "alpha-text": resigned(alpha="x"),
        "budget": resigned(budget=-1),
        "budget-huge": resigned(budget=10**15),
        "access": resigned(access="all"),
        "access-scores": resigned(access="scores"),
        "parts-missing": resigned(parts={}),
        "parts-surplus": resigned(parts={"x": "y"}),
        "parts-text": resigned(parts="x"),
        "stated-future": resigned(stated="2999-01-01T00:00:00Z"),
        "stated-none": resigned(stated="2026-99-99T99:99:99Z"),
        "stated-text": resigned(stated="yesterday"),
        "format": resigned(format="x"),
        "version": resigned(schema_version=2),
        "version-huge": resigned(schema_version=2**50),
        "key": resigned(key="AAAA"),
        "key-text": resigned(key="\x1b[2J"),
        "key-none": resigned(key=None),
        "surplus": resigned(surprise=1),
        "answers-fewer": resigned(
            lambda parts: parts.update({"answers.jsonl": b"\n".join(parts["answers.jsonl"].splitlines()[:2]) + b"\n"})
        ),
        "answers-more": resigned(
            lambda parts: parts.update(
                {"answers.jsonl": parts["answers.jsonl"] + parts["answers.jsonl"].splitlines()[-1] + b"\n"}
            )
        ),
        "commitment-seed": recommitted(seed=8),
        "commitment-scheme": recommitted(scheme="fbi"),
        "commitment-alpha": recommitted(alpha=0.01),
        "commitment-alpha-two": recommitted(alpha=2),
        "commitment-future": recommitted(stated="2999-01-01T00:00:00Z"),
        "commitment-text": recommitted(parameters="x"),
        "commitment-key": recommitted(key="AAAA"),
        "commitment-version": recommitted(schema_version=9),
        "commitment-stamp": recommitted(timestamp="AAAA"),
        "commitment-stamp-text": recommitted(timestamp="\x1b[2J"),
        "commitment-stamp-long": recommitted(timestamp="A" * 1_000_000),
        "report-page": resigned(lambda parts: parts.update({"report.html": b"<h1>derived</h1>"})),
        "report-huge": resigned(lambda parts: parts.update({"report.html": b"x" * 50_000_000})),
    }
    harmless = {"report-page", "report-huge", "budget-huge", "verdict-details"}
    for name, make in lies.items():
        yield hostile(f"evidence/lies/{name}", make, check, SAYS, ANY if name in harmless else REFUSED)


@family
def containers() -> Iterator[HostileInput]:
    """Tar archives that are no bundles."""

    def tar(**entries: Any) -> bytes:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for name, value in entries.items():
                entry = tarfile.TarInfo(value.get("name", name))
                data = value.get("data", b"x")
                entry.size = len(data)
                entry.type = value.get("type", tarfile.REGTYPE)
                entry.linkname = value.get("link", "")
                archive.addfile(entry, io.BytesIO(data))
        return stream.getvalue()

    cases: dict[str, bytes | Callable[[Place], bytes]] = {
        "empty": b"",
        "zeros": bytes(1024),
        "text": b"derived" * 200,
        "leads-out": tar(a={"name": "../../evil"}),
        "absolute": tar(a={"name": "/etc/evil"}),
        "link": tar(a={"name": "evidence.json", "type": tarfile.SYMTYPE, "link": "/etc/passwd"}),
        "hard-link": tar(a={"name": "evidence.json", "type": tarfile.LNKTYPE, "link": "/etc/passwd"}),
        "device": tar(a={"name": "evidence.json", "type": tarfile.CHRTYPE}),
        "fifo": tar(a={"name": "evidence.json", "type": tarfile.FIFOTYPE}),
        "folder": tar(a={"name": "evidence.json", "type": tarfile.DIRTYPE}),
        "escape": tar(a={"name": "\x1b[2J"}),
        "rich": tar(a={"name": "[/x]"}),
        "long-name": tar(a={"name": "x" * 500}),
        "gzip": b"\x1f\x8b" + bytes(600),
        "zip": b"PK\x03\x04" + bytes(600),
        "trailing": lambda place: place.seeds.bundle + b"x",
        "twice": lambda place: place.seeds.bundle * 2,
        "order": lambda place: packed(dict(reversed(list(parts_of(place).items())))),
        "no-end": lambda place: place.seeds.bundle[:-1024],
        "huge-size": lambda place: place.seeds.bundle[:124] + b"77777777777\x00" + place.seeds.bundle[136:],
        "negative-size": lambda place: place.seeds.bundle[:124] + b"\xff" * 12 + place.seeds.bundle[136:],
        "owner": lambda place: place.seeds.bundle[:108] + b"0000777\x00" + place.seeds.bundle[116:],
    }
    for name, data in cases.items():
        yield hostile(f"evidence/containers/{name}", content("b.tar", data), check, "bundle")
    for kind in ("fifo", "zero", "loop", "missing", "folder", "secret"):

        def make(place: Place, kind: str = kind) -> str:
            path = place.root / "b.tar"
            targets = {"zero": "/dev/zero", "loop": "b.tar", "secret": str(place.secret)}
            if kind == "fifo":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
            elif kind in targets:
                path.symlink_to(targets[kind])
            return str(path)

        yield hostile(
            f"evidence/places/{kind}", make, check, r"bundle|b\.tar", quick=kind in ("fifo", "zero"), seconds=8
        )


@family
def envelopes() -> Iterator[HostileInput]:
    """Envelopes that are not as they should be."""

    def enveloped(change: Callable[[dict[str, Any]], object]) -> Make:
        def make(place: Place) -> str:
            parts = parts_of(place)
            envelope = json.loads(parts["evidence.json"])
            change(envelope)
            parts["evidence.json"] = canonical(envelope)
            return place.file("b.tar", packed(parts))

        return make

    cases: dict[str, Callable[[dict[str, Any]], object]] = {
        "no-signature": lambda one: one.update(signatures=[]),
        "two": lambda one: one["signatures"].append(one["signatures"][0]),
        "type": lambda one: one.update(payloadType="text/plain"),
        "payload-empty": lambda one: one.update(payload=""),
        "payload-text": lambda one: one.update(payload="\x1b[2J"),
        "payload-spelling": lambda one: one.update(payload=one["payload"] + "="),
        "keyid": lambda one: one["signatures"][0].update(keyid="sha256:" + "0" * 64),
        "keyid-escape": lambda one: one["signatures"][0].update(keyid="\x1b[2J[/x]"),
        "sig-empty": lambda one: one["signatures"][0].update(sig=""),
        "sig-short": lambda one: one["signatures"][0].update(sig="AAAA"),
        "sig-zeros": lambda one: one["signatures"][0].update(sig=encoded(bytes(64))),
        "surplus": lambda one: one.update(surprise=1),
        "payload-nested": lambda one: one.update(payload=encoded(b"[" * 50_000)),
        "payload-list": lambda one: one.update(payload=encoded(b"[]")),
        "payload-twice": lambda one: one.update(payload=encoded(b'{"key": "a", "key": "b"}')),
    }
    for name, change in cases.items():
        yield hostile(f"evidence/envelopes/{name}", enveloped(change), check, SAYS)

    def weak(y: int) -> Make:
        def make(place: Place) -> str:
            public = y.to_bytes(32, "little")
            stated = canonical({**statement(place, "evidence.json"), "key": encoded(public)})
            forged = {
                "payload": encoded(stated),
                "payloadType": TYPE,
                "signatures": [{"keyid": digest(public), "sig": encoded(public + bytes(32))}],
            }
            return place.file("b.tar", packed({**parts_of(place), "evidence.json": canonical(forged)}))

        return make

    for name, y in {
        "identity": 1,
        "zero": 0,
        "minus-one": 2**255 - 20,
        "beyond": 2**255 - 19,
        "all-ones": 2**256 - 1,
    }.items():
        yield hostile(f"evidence/weak-keys/{name}", weak(y), check, "weak", quick=name == "identity")


@family
def keys() -> Iterator[HostileInput]:
    """Files of keys that are none."""

    def seal(place: Place, made: str) -> list[str]:
        return ["seal", place.seeds.fingerprint_folder, "--key", made, "--out", str(place.root / "c.json")]

    def check_by(place: Place, made: str) -> list[str]:
        return ["check", place.file("b.tar", place.seeds.bundle), "--key", made]

    def root(place: Place, made: str) -> list[str]:
        return ["check", place.file("b.tar", place.seeds.bundle), "--tsa-root", made]

    def other(kind: str) -> Callable[[Place], bytes]:
        def data(place: Place) -> bytes:
            made = (
                rsa.generate_private_key(65537, 1024)
                if kind.startswith("rsa")
                else ec.generate_private_key(ec.SECP256R1())
            )
            if kind.endswith("public"):
                return made.public_key().public_bytes(PEM, SUBJECT)
            return made.private_bytes(PEM, serialization.PrivateFormat.PKCS8, UNPROTECTED)

        return data

    def protected(place: Place) -> bytes:
        private = read_private(place.seeds.key)
        return private.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
        )

    def weak(place: Place) -> bytes:
        return Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little")).public_bytes(PEM, SUBJECT)

    files: dict[str, bytes | Callable[[Place], bytes]] = {
        "empty": b"",
        "text": b"key",
        "zeros": bytes(64),
        "header-only": b"-----BEGIN PRIVATE KEY-----\n",
        "rubbish": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "long": b"-----BEGIN PUBLIC KEY-----\n" + b"A" * 10_000_000,
        "rsa-private": other("rsa"),
        "rsa-public": other("rsa-public"),
        "ec-private": other("ec"),
        "ec-public": other("ec-public"),
        "protected": protected,
        "weak": weak,
        "certificate": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "escape": b"\x1b[2J",
        "ssh": b"ssh-ed25519 AAAA x",
        "json": b"{}",
        "public-as-private": lambda place: Path(f"{place.seeds.key}.pub").read_bytes(),
        "private-as-public": lambda place: place.seeds.key.read_bytes(),
    }
    for name, data in files.items():
        if name != "private-as-public":
            yield hostile(f"evidence/keys-seal/{name}", content("k", data), seal, "k", USAGE)
        if name != "public-as-private":
            yield hostile(f"evidence/keys-check/{name}", content("k", data), check_by, "k", USAGE)
        yield hostile(f"evidence/keys-root/{name}", content("k", data), root, "k|certificates", USAGE)
    for kind in ("fifo", "zero", "loop", "missing", "folder"):

        def special(place: Place, kind: str = kind) -> str:
            path = place.root / "k"
            targets = {"zero": "/dev/zero", "loop": "k"}
            if kind == "fifo":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
            elif kind in targets:
                path.symlink_to(targets[kind])
            return str(path)

        for name, command in {"seal": seal, "check": check_by, "root": root}.items():
            yield hostile(
                f"evidence/key-places/{name}-{kind}",
                special,
                command,
                "k",
                USAGE,
                quick=kind == "fifo" and name == "check",
            )


@family
def commitments() -> Iterator[HostileInput]:
    """Commitments' files, given to `bundle`."""

    def bundling(place: Place, made: str) -> list[str]:
        honest = place.file("a.jsonl", place.seeds.recording(".jsonl"))
        return [
            "bundle",
            place.seeds.fingerprint_folder,
            honest,
            "--commitment",
            made,
            "--key",
            str(place.seeds.key),
            "--out",
            str(place.root / "b.tar"),
            "--no-report",
        ]

    for name, data in {
        "empty": b"",
        "null": b"null",
        "nested": b"[" * 100_000,
        "list": b"[]",
        "text": b"x",
        "nan": b'{"envelope": NaN}',
        "digits": b'{"a": ' + b"9" * 10_000 + b"}",
        "long": b'"' + b"x" * 20_000_000 + b'"',
        "twice": b'{"envelope": 1, "envelope": 2}',
    }.items():
        yield hostile(f"evidence/commitments/{name}", content("c.json", data), bundling, "c.json|commitment")
    yield from damaged("evidence/damaged-commitment", "c.json", lambda place: place.seeds.commitment, bundling, 4, ANY)
    for kind in ("fifo", "zero", "missing"):

        def special(place: Place, kind: str = kind) -> str:
            path = place.root / "c.json"
            if kind == "fifo":
                os.mkfifo(path)
            elif kind == "zero":
                path.symlink_to("/dev/zero")
            return str(path)

        yield hostile(f"evidence/commitment-places/{kind}", special, bundling, "c.json")


@family
def time_stamps() -> Iterator[HostileInput]:
    """Time-stamping servers that do not stamp."""

    def seal(place: Place, made: str) -> list[str]:
        return [
            "seal",
            place.seeds.fingerprint_folder,
            "--key",
            str(place.seeds.key),
            "--out",
            str(place.root / "c.json"),
            "--timestamp",
            made,
        ]

    answers = {
        "empty": http(b""),
        "text": http(b"no stamp"),
        "zeros": http(bytes(100)),
        "refusal": http(bytes.fromhex("30053003020102")),
        "long": http(b"0" * 200_000),
        "deep": http(b"\x30\x80" * 50_000),
        "length": http(b"\x30\x84\xff\xff\xff\xff"),
        "status": http(b"no", status="500 x"),
        "redirect": http(b"", status="302 x", headers="location: file:///etc/passwd\r\n"),
        "escape": http(b"\x1b[2J", status="500 \x1b[2J"),
        "html": http(b"<script>"),
        "garbage": b"garbage",
        "nothing": b"",
        "gzip": http(b"\x1f\x8b" + bytes(50), headers="content-encoding: gzip\r\n"),
        "nan": http(b"0\x82", length=10**12),
    }
    for name, response in answers.items():
        yield hostile(f"evidence/time-stamps/{name}", answering(response, "/"), seal, "127.0.0.1", seconds=8)
    for name, serve in {
        "drip-body": dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"0"),
        "drip-headers": dripping(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        "pour-body": pouring(b"HTTP/1.1 200 OK\r\n\r\n", b"0" * 65536),
        "pour-headers": pouring(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 1000),
    }.items():
        yield hostile(
            f"evidence/time-stamps/{name}",
            serving(serve, "/"),
            seal,
            "127.0.0.1",
            seconds=40 if name.startswith("drip") else 8,
        )


@family
def names() -> Iterator[HostileInput]:
    """Names with escapes and markup in signed statements."""
    for name, text in {**ESCAPES, **RICH, **MARKUP}.items():
        yield hostile(f"evidence/names-verdict/{name}", resigned(verdict(suspect=text)), check, SAYS)
        yield hostile(
            f"evidence/names-message/{name}", resigned(verdict(scheme=text, details={text: text})), check, SAYS
        )
        yield hostile(f"evidence/names-library/{name}", recommitted(library=text), check, SAYS)

        def answers(parts: Parts, text: str = text) -> None:
            lines = parts["answers.jsonl"].splitlines()
            head = {**json.loads(lines[0]), "suspect": f"s{text}"}
            parts["answers.jsonl"] = b"\n".join([json.dumps(head).encode(), *lines[1:]]) + b"\n"
            parts["verdict.json"] = json.dumps({**json.loads(parts["verdict.json"]), "suspect": f"s{text}"}).encode()

        yield hostile(f"evidence/names-suspect/{name}", resigned(answers), check, SAYS, ANY)
        if "/" not in text and "\x00" not in text:
            yield hostile(
                f"evidence/names-file/{name}",
                lambda place, text=text: place.file(f"b{text}.tar", place.seeds.bundle),
                check,
                "",
                READ,
            )


@family
def damage() -> Iterator[HostileInput]:
    """A whole bundle with damage."""
    yield from damaged("evidence/damaged", "b.tar", lambda place: place.seeds.bundle, check, 8, REFUSED)
