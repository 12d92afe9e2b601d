"""WAV files: read from their bytes, in Python alone, and written.

Reads what programs write: integers of 8, 16, 24 and 32 bits, floats of 32 and 64, also in the extensible form, as the
RIFF specification of IBM and Microsoft (1991) and the additions of 2001 describe them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int16

from modelprint.core.errors import DataError

INTEGERS, FLOATS, EXTENSIBLE = 1, 3, 0xFFFE
_KNOWN_ELSEWHERE = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3\x03": "MP3", b"ID3\x04": "MP3", b"FORM": "AIFF"}


@dataclass(frozen=True, kw_only=True)
class Sound:
    """What a WAV file holds.

    Attributes:
        samples: in [-1, 1], unless the file holds floats beyond.
        rate: samples a second.
    """

    samples: Float[np.ndarray, "channels length"]
    rate: int


def read_wav(data: bytes, *, who: str) -> Sound:
    """The sound in the bytes of a WAV file.

    Raises:
        DataError: no WAV file, a damaged one, or of a kind that is compressed.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        kind = _KNOWN_ELSEWHERE.get(data[:4])
        what = "empty" if not data else f"{kind}, not WAV" if kind else f"no WAV file: it begins with {data[:4].hex()}"
        raise DataError(f"{who} is {what}: convert it to WAV")
    layout: tuple[int, int, int, int] | None = None
    place = 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        body = data[place + 8 : place + 8 + size]
        if name == b"fmt ":
            layout = _layout(body, who)
        elif name == b"data":
            if layout is None:
                raise DataError(f"{who} is damaged: its samples stand before their format")
            streamed = size in (0, 0xFFFFFFFF) or size > len(body)  # a length that was never filled in
            return _decoded(data[place + 8 :] if streamed else body, layout, who)
        place += 8 + size + size % 2
    raise DataError(f"{who} is damaged: it has no {'samples' if layout else 'format'}")


def write_wav(samples: Int16[np.ndarray, "channels length"], rate: int) -> bytes:
    """The bytes of a WAV file of 16-bit samples.

    >>> read_wav(write_wav(np.array([[0, 16384]], np.int16), 8000), who="it").samples
    array([[0. , 0.5]], dtype=float32)
    """
    channels = samples.shape[0]
    body = np.ascontiguousarray(samples.T).astype("<i2").tobytes()
    header = struct.pack("<HHIIHH", INTEGERS, channels, rate, 2 * channels * rate, 2 * channels, 16)
    chunks = b"fmt " + struct.pack("<I", len(header)) + header + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _layout(body: bytes, who: str) -> tuple[int, int, int, int]:
    """Kind of numbers, channels, rate and bits of a sample."""
    if len(body) < 16:
        raise DataError(f"{who} is damaged: its format has {len(body)} bytes, 16 are the least")
    kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if kind == EXTENSIBLE and len(body) >= 26:
        kind = int.from_bytes(body[24:26], "little")
    known = {(INTEGERS, 8), (INTEGERS, 16), (INTEGERS, 24), (INTEGERS, 32), (FLOATS, 32), (FLOATS, 64)}
    if (kind, bits) not in known:
        raise DataError(f"{who} holds samples of kind {kind} and {bits} bits: convert it to 16-bit WAV")
    if not channels or not rate:
        raise DataError(f"{who} is damaged: it says {channels} channels at {rate} Hz")
    return kind, channels, rate, bits


def _decoded(body: bytes, layout: tuple[int, int, int, int], who: str) -> Sound:
    kind, channels, rate, bits = layout
    frame = channels * bits // 8
    whole = body[: len(body) // frame * frame]
    if not whole:
        raise DataError(f"{who} holds no samples")
    values: np.ndarray
    if kind == FLOATS:
        values = np.frombuffer(whole, f"<f{bits // 8}").astype(np.float32)
    elif bits == 8:
        values = (np.frombuffer(whole, "u1").astype(np.float32) - 128) / 128
    elif bits == 24:
        padded = np.zeros((len(whole) // 3, 4), "u1")
        padded[:, 1:] = np.frombuffer(whole, "u1").reshape(-1, 3)
        values = padded.reshape(-1).view("<i4").astype(np.float64) / 2**31
    else:
        values = np.frombuffer(whole, f"<i{bits // 8}").astype(np.float64) / 2 ** (bits - 1)
    samples = np.ascontiguousarray(values.reshape(-1, channels).T, dtype=np.float32)
    if not np.isfinite(samples).all():
        raise DataError(f"{who} holds NaN or infinite samples: save it again")
    return Sound(samples=samples, rate=rate)
