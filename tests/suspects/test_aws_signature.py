"""Against the examples that Amazon published: the Signature Version 4 test suite, and the User Guide's ListUsers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from modelprint.core.errors import SuspectError
from modelprint.suspects.aws_signature import AwsKey, signed_headers
from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.mapping_file import read_mapping
from tests.suspects.servers import Reply, Request, Scripted

KEY = AwsKey(
    service="service",
    region="us-east-1",
    key_id="AKIDEXAMPLE",
    secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
)
THEN = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.mark.parametrize(
    ("method", "url", "signature"),
    [
        ("GET", "https://example.amazonaws.com/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "https://example.amazonaws.com/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET",
            "https://example.amazonaws.com/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ],
)
def test_the_published_suite(method: str, url: str, signature: str) -> None:
    headers = signed_headers(KEY, method=method, url=url, body=b"", headers={}, now=THEN)
    assert headers == {
        "x-amz-date": "20150830T123600Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}",
    }


def test_the_example_of_the_user_guide() -> None:
    key = AwsKey(service="iam", region="us-east-1", key_id=KEY.key_id, secret=KEY.secret)
    url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"
    headers = signed_headers(key, method="GET", url=url, body=b"", headers=FORM, now=THEN)
    assert headers["authorization"].endswith("5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")


MAPPING = """
headers = { X-Amz-Target = "RekognitionService.DetectCustomLabels" }
[aws]
service = "rekognition"
region = "eu-west-1"
[request]
kind = "base64-json"
body = { Image = { Bytes = "$image" } }
[response]
labels = "label"
"""


def test_a_server_finds_the_signature_right(
    connect: Callable[..., HttpSuspect], images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELPRINT_API_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("MODELPRINT_API_SECRET", KEY.secret)
    path = tmp_path / "api.toml"
    path.write_text(MAPPING)
    key = AwsKey(service="rekognition", region="eu-west-1", key_id=KEY.key_id, secret=KEY.secret)

    def script(request: Request, _: int) -> Reply:
        """What AWS does: sign again what came, with the names that are listed."""
        said = request.headers
        listed = said["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        assert {"host", "content-type", "x-amz-date", "x-amz-target"} == set(listed)
        now = datetime.strptime(said["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        assert abs((datetime.now(UTC) - now).total_seconds()) < 60
        mine = {name: said[name] for name in ("content-type", "x-amz-target")}
        url = f"http://{said['host']}{request.path}"
        again = signed_headers(key, method=request.method, url=url, body=request.body, headers=mine, now=now)
        return Reply({"label": 1} if again["authorization"] == said["authorization"] else {}, status=200)

    with Scripted(script) as server:
        suspect = connect(server.url, mapping=path)
        assert suspect.ask(images[:2]).labels.tolist() == [1, 1]
        assert KEY.secret not in repr(suspect.dialect.request(images[:1], suspect.access))


def test_a_signature_and_a_receipt_do_not_go_together(tmp_path: Path) -> None:
    path = tmp_path / "api.toml"
    path.write_text(MAPPING + '[poll]\nurl = "u"\n')
    with pytest.raises(SuspectError, match="no signed question"):
        read_mapping(path)
