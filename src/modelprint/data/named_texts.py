"""The named sets of texts: made-up-languages, which are drawn here, and manual-pages, found on disk."""

from __future__ import annotations

import numpy as np

from modelprint.core.errors import DataError
from modelprint.data.named import DATA_VARIABLE, RawSet, search_folders
from modelprint.data.readers.texts import read_lines
from modelprint.data.references import Reading
from modelprint.modalities.text import TEXT
from modelprint.modalities.text.storage import stored_texts

LANGUAGES = ("aruk", "bensi", "corve", "delum", "eskar", "folin")
OF_EACH, WORDS, SEED = 400, 6, 1887
OWN, SYLLABLES = 0.6, 14  # the share of syllables that are a language's own; how many it has
FILE = "manual-pages.jsonl"
LENGTH = 48  # bytes of a text, at most


def load_made_up_languages() -> RawSet:
    """Sentences of six made-up languages: 2,400 texts of up to 48 bytes, always the same.

    A word has one to three syllables of a consonant and a vowel. Six in ten are drawn from 14 that the language
    prefers, the others from all 75, so that sentences of two languages are mistaken for each other now and then.
    """
    random = np.random.RandomState(SEED)
    syllables = [consonant + vowel for consonant in "bdfghklmnprstvz" for vowel in "aeiou"]
    preferred = [random.choice(len(syllables), SYLLABLES, replace=False) for _ in LANGUAGES]
    texts: dict[str, int] = {}
    for label, own in enumerate(preferred):
        before = len(texts)
        while len(texts) < before + OF_EACH:
            sizes = random.randint(1, 4, WORDS)
            chosen = np.where(
                random.random_sample((WORDS, 3)) < OWN,
                own[random.randint(SYLLABLES, size=(WORDS, 3))],
                random.randint(len(syllables), size=(WORDS, 3)),
            )
            words = ("".join(syllables[one] for one in row[:size]) for row, size in zip(chosen, sizes, strict=True))
            texts.setdefault(" ".join(words), label)
    order = random.permutation(len(texts))
    stored = stored_texts(list(texts), LENGTH)[order]
    labels = np.array(list(texts.values()), dtype=np.int64)[order]
    return RawSet(
        train_images=stored,
        train_labels=labels,
        test_images=stored[:0],
        test_labels=labels[:0],
        class_names=LANGUAGES,
        modality=TEXT,
    )


def load_manual_pages() -> RawSet:
    """Stretches of manual pages with their language: 8,400 texts of up to 48 bytes in 14 languages.

    Raises:
        DataError: they are not there; the message says how to make them.
    """
    path = next((place / FILE for place in search_folders() if (place / FILE).exists()), None)
    if path is None:
        raise DataError(
            f"manual-pages: no {FILE} under ${DATA_VARIABLE} or {search_folders()[-1]}: make it there with "
            "python -m research.datasets.manual_pages --out, from the source repository"
        )
    return read_lines(path, Reading(modality="text", length=LENGTH))
