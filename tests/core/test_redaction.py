"""Tokens and query values are written nowhere, however a server spells them."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest

from modelprint.core.errors import SuspectError
from modelprint.core.redaction import TOKEN_VARIABLE, shown_reference, shown_url, without_token
from modelprint.suspects.open import open_suspect

TOKEN = 'abc/d"e&f+g<h\\i=='
SPELLINGS = {
    "plain": TOKEN,
    "JSON": json.dumps(TOKEN)[1:-1],
    "JSON with slashes": json.dumps(TOKEN)[1:-1].replace("/", "\\/"),
    "JSON by codes": "".join(f"\\u{ord(letter):04X}" for letter in TOKEN),
    "HTML": html.escape(TOKEN),
    "HTML by numbers": "".join(f"&#{ord(letter)};" for letter in TOKEN),
    "HTML by hexadecimal numbers": "".join(f"&#X{ord(letter):x};" for letter in TOKEN),
    "URL": quote(TOKEN, safe=""),
    "URL in small letters": quote(TOKEN, safe="").lower(),
    "mixed": quote(TOKEN[:5]) + html.escape(TOKEN[5:]),
}


@pytest.mark.parametrize("how", SPELLINGS)
def test_an_echoed_token_is_hidden(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert without_token(b"denied: <" + SPELLINGS[how].encode() + b"> no") == b"denied: <***> no"


def test_short_and_numeric_tokens_leave_answers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for token in ("abc", "12345678", ""):
        monkeypatch.setenv(TOKEN_VARIABLE, token)
        assert without_token(b'{"label": 12345678, "abc": 1}') == b'{"label": 12345678, "abc": 1}'


@pytest.mark.parametrize(
    "address", ["http://[::1/x?key=hush", "http://host:port/x?key=hush", "https://?key=hush", "http://u:hush@[x"]
)
def test_a_malformed_address_is_an_error_that_shows_no_secret(address: str) -> None:
    with pytest.raises(SuspectError, match="is not an address that can be asked") as caught:
        open_suspect(address)
    assert "hush" not in str(caught.value)
    assert "hush" not in shown_url(address)
    assert "hush" not in shown_reference(address)
