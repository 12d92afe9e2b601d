"""Lines of manual pages with their language: a set of texts, made out of Debian's `manpages-*` packages.

    python -m research.datasets.manual_pages --out manual-pages.jsonl

downloads the packages with apt (nothing is installed, and no root is needed), unpacks them into a temporary folder, and
writes sentences of translated pages, as many of each language. `--pages FOLDER` takes `/usr/share/man` of an
installation, or unpacked packages, in place of a download.

A text is a stretch of up to 48 bytes of running text, cut between words: short enough that related languages (Danish,
Norwegian, Swedish; Spanish, Portuguese, Italian) are confused now and then. Formatting, options, file names and
English words that stand in every translation are left out: a line counts only if at most half of its words stand in the
English pages, too.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

LANGUAGES = ("cs", "da", "de", "es", "fi", "fr", "hu", "it", "nb", "nl", "pl", "pt_BR", "ro", "sv")
EACH = 600  # texts of a language
LONGEST, SHORTEST = 48, 24  # bytes of a text
SEED = 20_261_129
_FONT = re.compile(r"\\f(\[[A-Z]*\]|\([A-Z]{2}|.)|\\s[-+]?\d")
_SPECIAL = re.compile(r"\\\((..)|\\\[([^]]*)\]|\\(.)")
_WORD = re.compile(r"[^\W\d_]+")
_NO_TEXT = (".", "'")


def main() -> None:
    """Write the set."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, required=True, help="the file of JSON lines")
    arguments.add_argument("--pages", type=Path, help="a folder with a folder for each language")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as place:
        pages = chosen.pages or downloaded(Path(place))
        rows = texts(pages)
    chosen.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    digest = hashlib.sha256(chosen.out.read_bytes()).hexdigest()
    print(f"{chosen.out}: {len(rows)} texts of {len(LANGUAGES)} languages, sha256:{digest}", file=sys.stderr)


def downloaded(place: Path) -> Path:
    """The folder of unpacked packages."""
    names = ["manpages", *(f"manpages-{language.lower().replace('_', '-')}" for language in LANGUAGES)]
    subprocess.run(["apt-get", "download", *names], cwd=place, check=True, stdout=sys.stderr)
    for package in sorted(place.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(package), "unpacked"], cwd=place, check=True)
    return place / "unpacked" / "usr" / "share" / "man"


def texts(pages: Path) -> list[dict[str, str]]:
    """As many texts of each language, without repetition, in an order that a seed draws.

    Raises:
        SystemExit: pages of a language are missing, or too few.
    """
    english = {word.lower() for section in sorted(pages.glob("man[0-9]")) for word in _words(section)}
    draw = random.Random(SEED)
    rows: list[dict[str, str]] = []
    used: set[str] = set()
    for language in LANGUAGES:
        pieces = sorted(set(_pieces(pages / language, english)) - used)
        if len(pieces) < EACH:
            raise SystemExit(f"{pages / language}: {len(pieces)} texts, {EACH} are needed: install manpages-{language}")
        chosen = draw.sample(pieces, EACH)
        used.update(chosen)
        rows += [{"text": text, "label": language} for text in chosen]
    draw.shuffle(rows)
    return rows


def _words(folder: Path) -> Iterator[str]:
    for paragraph in _paragraphs(folder):
        yield from _WORD.findall(paragraph)


def _pieces(folder: Path, english: set[str]) -> Iterator[str]:
    """Stretches of running text."""
    for paragraph in _paragraphs(folder):
        piece: list[str] = []
        for word in paragraph.split():
            if len(" ".join([*piece, word]).encode()) > LONGEST:
                yield from _kept(piece, english)
                piece = []
            piece.append(word)
        yield from _kept(piece, english)


def _kept(piece: list[str], english: set[str]) -> Iterator[str]:
    text = " ".join(piece)
    words = [word.lower() for word in _WORD.findall(text)]
    foreign = [word for word in words if word not in english]
    plain = sum(len(word) for word in words)
    fits = SHORTEST <= len(text.encode()) <= LONGEST and text.isprintable()
    if fits and len(words) > 2 and 2 * len(foreign) >= len(words) and plain > 0.7 * len(text):
        yield text


def _paragraphs(folder: Path) -> Iterator[str]:
    """Runs of lines that are neither requests of the formatter nor examples."""
    for page in sorted(folder.rglob("*.gz")):
        if page.is_symlink():
            continue
        try:
            source = gzip.decompress(page.read_bytes()).decode("utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        lines: list[str] = []
        for line in source.splitlines():
            if line.startswith(_NO_TEXT) or not line.strip():
                if lines:
                    yield " ".join(lines)
                lines = []
            else:
                lines.append(_SPECIAL.sub(lambda escape: {"-": "-"}.get(escape[3] or "", ""), _FONT.sub("", line)))
        if lines:
            yield " ".join(lines)


if __name__ == "__main__":
    main()
