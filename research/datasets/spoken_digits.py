"""Spoken digits: ten words in some 800 voices of espeak-ng and flite, as one .npz or as folders of WAV files.

    apt-get install espeak-ng flite
    python -m research.datasets.spoken_digits --out spoken-digits.npz

makes some 9,000 clips of half a second at 4,000 Hz in about four minutes of one core: 8 accents of English by 100 voice
variants of espeak-ng, each with a pitch and a speed of its own, and 6 voices of flite, 20 times each. Silence before
and after the word is cut; it then begins anywhere it fits, at a loudness between 0.4 and 0.95 of full scale, over white
noise 15 to 30 decibels below it. The same versions of both programs make the same file.

espeak-ng: J. Duddington, R. H. Dunn, GPL-3; flite: A. W. Black, K. A. Lenzo, "Flite: a small fast run-time synthesis
engine", SSW 2001.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy import signal

from modelprint.modalities.series.storage import rounded_series
from modelprint.modalities.series.wav import Sound, read_wav, write_wav

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE, LENGTH = 4000, 2048
ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029", "en-us-nyc")
FLITE_VOICES, FLITE_TIMES = ("kal", "kal16", "awb", "awb_time", "rms", "slt"), 20
SEED = 20_261_129
QUIET = 0.03  # of the peak: below it a word has not begun


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A word to be spoken: what, by whom, and the command that does it."""

    word: int
    voice: str
    command: tuple[str, ...]


def clips(variants: list[str], random: np.random.RandomState) -> Iterator[Clip]:
    """Every clip of the set, in its order."""
    for accent in ACCENTS:
        for variant in variants:
            for word, text in enumerate(WORDS):
                pitch, speed = random.randint(20, 80), random.randint(150, 240)
                options = ("-v", f"{accent}+{variant}", "-p", str(pitch), "-s", str(speed), "--stdout", text)
                yield Clip(word=word, voice=f"{accent}-{variant}", command=("espeak-ng", *options))
    for voice in FLITE_VOICES:
        for time in range(FLITE_TIMES):
            for word, text in enumerate(WORDS):
                stretch, tone = random.uniform(0.7, 1.1), random.uniform(80, 220)
                settings = (f"duration_stretch={stretch:.3f}", f"int_f0_target_mean={tone:.0f}")
                options = tuple(part for setting in settings for part in ("--setf", setting))
                command = ("flite", "-voice", voice, *options, "-t", text, "-o", "/dev/stdout")
                yield Clip(word=word, voice=f"flite-{voice}-{time}", command=command)


def spoken(clip: Clip) -> Sound:
    """What the program says."""
    done = subprocess.run(clip.command, capture_output=True, check=True)
    return read_wav(done.stdout, who=" ".join(clip.command))


def prepared(sound: Sound, random: np.random.RandomState) -> np.ndarray:
    """The word at our rate and length, as it is stored: int16 (1, LENGTH)."""
    ratio = Fraction(RATE, sound.rate)
    word = signal.resample_poly(sound.samples.mean(axis=0).astype(np.float64), ratio.numerator, ratio.denominator)
    loud = np.flatnonzero(np.abs(word) > QUIET * np.abs(word).max())
    word = word[loud[0] : loud[-1] + 1][:LENGTH]
    word = word / np.abs(word).max()
    whole = np.zeros(LENGTH)
    start = random.randint(0, LENGTH - len(word) + 1)
    whole[start : start + len(word)] = word
    noise = 10 ** (-random.uniform(15, 30) / 20) * np.sqrt(np.mean(word**2)) * random.standard_normal(LENGTH)
    mixed = whole + noise
    return rounded_series(mixed / np.abs(mixed).max() * random.uniform(0.4, 0.95), 1.0)[None]


def voice_variants() -> list[str]:
    """The voice variants that espeak-ng has."""
    listed = subprocess.run(["espeak-ng", "--voices=variant"], capture_output=True, check=True, text=True).stdout
    return sorted({match[1] for line in listed.splitlines() if (match := re.search(r"!v/(\S+)", line))})


def main() -> int:
    """Make the set."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "--out", type=Path, required=True, help="an .npz, or a folder for class folders of WAV files"
    )
    arguments.add_argument("--variants", type=int, help="of espeak-ng's voices only so many, for a try")
    asked = arguments.parse_args()
    missing = [program for program in ("espeak-ng", "flite") if shutil.which(program) is None]
    if missing:
        print(f"{' and '.join(missing)} is not installed: apt-get install espeak-ng flite", file=sys.stderr)
        return 1
    random = np.random.RandomState(SEED)
    every = list(clips(voice_variants()[: asked.variants], random))
    stored = np.empty((len(every), 1, LENGTH), np.int16)
    for number, clip in enumerate(every):
        stored[number] = prepared(spoken(clip), random)
        if number % 500 == 0:
            print(f"{number} of {len(every)} clips", file=sys.stderr)
    labels = np.array([clip.word for clip in every], np.int64)
    if asked.out.suffix == ".npz":
        names = np.array(WORDS)
        np.savez_compressed(asked.out, x_train=stored, y_train=labels, class_names=names, rate=np.array(float(RATE)))
        return 0
    for clip, one in zip(every, stored, strict=True):
        place = asked.out / WORDS[clip.word] / f"{clip.voice}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(write_wav(one, RATE))
    return 0


if __name__ == "__main__":
    sys.exit(main())
