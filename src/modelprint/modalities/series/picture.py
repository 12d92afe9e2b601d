"""What a report shows of a series: a line; of sound, its spectrogram."""

from __future__ import annotations

import base64
import io

import numpy as np
from jaxtyping import Float, UInt8

WIDTH = HEIGHT = 96  # of a drawing: reports show squares
COLOURS = ("#1f6f8b", "#b5532d", "#4d7c3a", "#7a4f9a")
PALE = "#c9c9c9"
MOST_LINES = len(COLOURS)
SOUND = 4000.0  # samples a second, from which on a spectrogram says more than a line
WINDOW = 256  # samples of a short-time spectrum
DECIBELS = 60.0  # below the loudest, which are black


def series_uri(
    series: Float[np.ndarray, "channels length"],
    *,
    rate: float | None,
    before: Float[np.ndarray, "channels length"] | None = None,
) -> str:
    """One series as a picture's data URI.

    Args:
        before: what it was made from, drawn as a pale line beneath.
    """
    if rate is not None and rate >= SOUND and series.shape[-1] >= 4 * WINDOW:
        return "data:image/png;base64," + base64.b64encode(_spectrogram_png(series.mean(axis=0))).decode()
    return "data:image/svg+xml;base64," + base64.b64encode(line_svg(series, before=before).encode()).decode()


def line_svg(
    series: Float[np.ndarray, "channels length"], *, before: Float[np.ndarray, "channels length"] | None = None
) -> str:
    """The channels as lines, one over the other in the same frame; the first four, where there are more."""
    beneath = series[:0] if before is None else before[:MOST_LINES]
    shown = [*((channel, PALE) for channel in beneath), *zip(series, COLOURS, strict=False)]
    low = min(float(channel.min()) for channel, _ in shown)
    span = (max(float(channel.max()) for channel, _ in shown) - low) or 1.0
    lines = []
    for channel, colour in shown:
        across, values = _envelope(channel)
        points = " ".join(
            f"{2 + x * (WIDTH - 4):.1f},{HEIGHT - 3 - (y - low) / span * (HEIGHT - 6):.1f}"
            for x, y in zip(across.tolist(), values.tolist(), strict=True)
        )
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.2"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{"".join(lines)}</svg>'
    )


def _envelope(channel: Float[np.ndarray, " length"]) -> tuple[np.ndarray, np.ndarray]:
    """Where points of a line stand, from 0 to 1, and their values; of a long series each column's least and largest."""
    length = len(channel)
    if length <= 2 * WIDTH:
        return np.linspace(0, 1, length), channel
    starts = np.linspace(0, length, WIDTH + 1).astype(int)[:-1]
    values = np.stack([np.minimum.reduceat(channel, starts), np.maximum.reduceat(channel, starts)], axis=1).ravel()
    return np.repeat(starts / length, 2), values


def spectrogram(sound: Float[np.ndarray, " length"]) -> UInt8[np.ndarray, "height width"]:
    """How loud each frequency is, high ones above, as grey levels; dark is loud."""
    from scipy import signal

    step = max(WINDOW // 4, len(sound) // WIDTH)
    _, _, spectra = signal.stft(sound, nperseg=WINDOW, noverlap=max(0, WINDOW - step), boundary=None)
    power = np.abs(spectra[1:]) ** 2
    loudness = 10 * np.log10(np.maximum(power / max(float(power.max()), 1e-30), 1e-12))
    levels: np.ndarray = np.rint(-loudness.clip(-DECIBELS, 0) / DECIBELS * 255).astype(np.uint8)[::-1]
    return levels


def _spectrogram_png(sound: Float[np.ndarray, " length"]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(spectrogram(sound)).resize((WIDTH, HEIGHT)).save(stream, format="PNG", optimize=True)
    return stream.getvalue()
