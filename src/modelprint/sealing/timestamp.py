"""RFC 3161 time stamps: a third party's word that some bytes were there at a time; fetched once, checked offline."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path

import httpx
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from modelprint.core.errors import IntegrityError, ModelprintError, UsageError
from modelprint.core.lifeline import Lifeline
from modelprint.core.redaction import check_address, hidden, quiet_logs, shown_url
from modelprint.core.untrusted import read_regular

LARGEST_TOKEN = 65536  # bytes


def fetch(url: str, message: bytes, *, timeout: float = 30.0) -> bytes:
    """A time-stamping server's answer (DER) for the SHA-256 of a message.

    Raises:
        ModelprintError: the server cannot be reached, refuses, or stamps something else.
    """
    wanted = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256)
    request = wanted.nonce(nonce=True).cert_request(cert_request=True).build()
    body, headers = request.as_bytes(), {"content-type": "application/timestamp-query", "accept": "*/*"}
    check_address(url)
    server = shown_url(url)
    try:
        with (
            quiet_logs(),
            closing(Lifeline(timeout=timeout, tls=httpx.create_ssl_context())) as connection,
            connection.stream("POST", url, body, headers) as response,
        ):
            response.raise_for_status()
            token = b""
            for part in response.iter_bytes():
                token += part
                if len(token) > LARGEST_TOKEN:
                    raise ModelprintError(
                        f"{server} answered more than {LARGEST_TOKEN} bytes: it is no time-stamping server"
                    )
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise ModelprintError(f"the time-stamping server {server} gave no stamp: it answered {status}") from None
    except httpx.HTTPError as error:
        reason = hidden(str(error)) or type(error).__name__
        raise ModelprintError(f"the time-stamping server {server} gave no stamp: {reason}") from error
    except (httpx.InvalidURL, ValueError, ImportError):  # of the environment's proxy; they hold pieces of its address
        raise ModelprintError(
            f"the time-stamping server {server} cannot be asked: HTTP_PROXY, HTTPS_PROXY and ALL_PROXY take "
            "http://user:password@host:port"
        ) from None
    try:
        stamp = _decoded(token, who=f"the answer of {server}")
        _check_subject(stamp, message, who=f"the answer of {server}")
    except IntegrityError as error:
        raise ModelprintError(f"{error}: nothing was sealed, try another server") from error
    if stamp.tst_info.nonce != request.nonce:
        raise ModelprintError(f"{server} answered another request than ours (another nonce): nothing was sealed")
    return token


def claimed_time(token: bytes, message: bytes, *, who: str) -> datetime:
    """When a token says that the message was there; whose word that is, is not checked.

    Raises:
        IntegrityError: damaged, or a stamp of something else.
    """
    stamp = _decoded(token, who=who)
    _check_subject(stamp, message, who=who)
    return stamp.tst_info.gen_time


def verified_time(token: bytes, message: bytes, root: Path, *, who: str) -> datetime:
    """When the message was there, by the word of a server whose certificate a root vouches for at that time.

    Args:
        root: a PEM file of one certificate or more; the first ones that are not self-signed count as intermediate.

    Raises:
        IntegrityError: damaged, a stamp of something else, or not by a server of this root.
        UsageError: the root cannot be read.
    """
    try:
        certificates = x509.load_pem_x509_certificates(read_regular(root))
    except (OSError, ValueError) as error:
        raise UsageError(f"{root} holds no PEM certificates: name the root of the time-stamping server") from error
    stamp = _decoded(token, who=who)
    _check_subject(stamp, message, who=who)
    builder = VerifierBuilder()
    for certificate in certificates:
        selfsigned = certificate.issuer == certificate.subject
        builder = (
            builder.add_root_certificate(certificate)
            if selfsigned
            else builder.add_intermediate_certificate(certificate)
        )
    try:
        builder.build().verify_message(stamp, message)
    except (VerificationError, ValueError) as error:
        raise IntegrityError(f"{who} is not by a server that {root} vouches for, at its time: {error}") from error
    return stamp.tst_info.gen_time


def _decoded(token: bytes, *, who: str) -> TimeStampResponse:
    try:
        stamp = decode_timestamp_response(token)
        if PKIStatus(stamp.status) != PKIStatus.GRANTED:
            raise IntegrityError(f"{who} is a refusal, no stamp (status {stamp.status})")
        _ = stamp.tst_info.gen_time
    except ValueError as error:
        raise IntegrityError(f"{who} is no RFC 3161 time stamp: {error}") from error
    return stamp


def _check_subject(stamp: TimeStampResponse, message: bytes, *, who: str) -> None:
    from hashlib import sha256

    if stamp.tst_info.message_imprint.message != sha256(message).digest():
        raise IntegrityError(f"{who} is a stamp of something else: it does not hold this content's SHA-256")
