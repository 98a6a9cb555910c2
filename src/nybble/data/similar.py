"""Which rows are nearly the same: MinHash finds candidates, their true similarity decides.

A text is the set of its three-word sequences (shingles); the similarity of two texts is the Jaccard
index of their sets. The least hash of a set under a random permutation is that of another set with
a probability of just that index, so equal pieces of two sketches point at similar texts (Broder,
"On the resemblance and containment of documents", 1997).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

SIMILAR = 0.8
WORDS = 3
# 16 bands of 4: a pair as similar as 0.8 agrees in at least one of them 99.98% of the time.
BANDS, BAND = 16, 4
MOST_WORDS = 1_000
# What a tenth of the rows share is a template's, not a row's own. Counted over so many rows.
COMMON_SHARE, COUNTED, FEWEST_COUNTED = 0.1, 1_000, 20
# A sketch of 64 is off by 0.05 at 0.8 (one deviation): only what promises far less is left out.
SLACK = 0.2
REMEMBERED = 4_096
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\w+")

Sketches = NDArray[np.uint32]


def shingles(text: str) -> set[int]:
    """Hashes of the three-word sequences in the first 1,000 words; case and marks do not count."""
    words = _WORD.findall(text.casefold())[:MOST_WORDS]
    hashes = np.fromiter(map(_word_hash, words), np.uint64, len(words))
    if len(hashes) < WORDS:
        return {int(hashes.sum()) & 0xFFFFFFFF} if len(hashes) else set()
    a, b, c = hashes[:-2], hashes[1:-1], hashes[2:]
    mixed = a * np.uint64(0x9E3779B97F4A7C15) ^ b * np.uint64(0xC2B2AE3D27D4EB4F) ^ c
    return set(((mixed * np.uint64(0xFF51AFD7ED558CCD)) >> np.uint64(32)).tolist())


@lru_cache(maxsize=100_000)
def _word_hash(word: str) -> int:
    return crc32(word.encode("utf-8", "replace"))


def common_shingles(texts: Iterable[str]) -> set[int]:
    """Those in over a tenth of `texts`, and in enough of them to say so: a template's words."""
    counts = Counter[int]()
    rows = 0
    for text in texts:
        counts.update(shingles(text))
        rows += 1
    return {s for s, n in counts.items() if n > max(FEWEST_COUNTED, rows * COMMON_SHARE)}


def similarity(first: set[int], second: set[int]) -> float:
    """The Jaccard index; 0 where both are empty."""
    return len(first & second) / max(1, len(first | second))


def sketches(texts: Sequence[str], common: set[int]) -> Sketches:
    """A sketch of each text without its `common` shingles [texts, 64]."""
    from datasketch import MinHash

    empty = MinHash(BANDS * BAND, seed=1, hashfunc=int, scheme="affine32")
    drawn = np.empty((len(texts), BANDS * BAND), np.uint32)
    for line, text in zip(drawn, texts, strict=True):
        sketch = empty.copy()
        sketch.update_batch(shingles(text) - common)
        line[:] = sketch.hashvalues
    return drawn


def candidates(drawn: Sketches) -> set[tuple[int, int]]:
    """Pairs (later, earlier) of sketches that agree in a band.

    Of many that agree, each is compared with the first and with the one before it: their number
    stays linear, and any of a crowd of equals still has a partner.
    """
    pairs: set[tuple[int, int]] = set()
    blank = (drawn == np.iinfo(np.uint32).max).all(axis=1)
    for band in range(BANDS):
        piece = np.ascontiguousarray(drawn[:, band * BAND : (band + 1) * BAND]).view(np.uint64)
        # Two different pieces meet here once in 2^64: what they are is compared later anyhow.
        keys = piece[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ piece[:, 1]
        order = np.argsort(keys, kind="stable")
        order = order[~blank[order]]
        new = np.ones(len(order), dtype=bool)
        new[1:] = keys[order[1:]] != keys[order[:-1]]
        first = order[np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))]
        later = np.flatnonzero(~new)
        pairs |= set(zip(order[later].tolist(), first[later].tolist(), strict=True))
        pairs |= set(zip(order[later].tolist(), order[later - 1].tolist(), strict=True))
    return pairs


def near_duplicates(texts: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """(later, earlier, similarity): each text that is at least 0.8 similar to an earlier one, with
    one such, tried in the order of what their sketches promise."""
    step = max(1, len(texts) // COUNTED)
    common = common_shingles(texts[i] for i in range(0, len(texts), step))
    drawn = sketches(texts, common)

    @lru_cache(maxsize=REMEMBERED)
    def own(index: int) -> set[int]:
        return shingles(texts[index]) - common

    for later, pairs in groupby(sorted(candidates(drawn)), key=lambda pair: pair[0]):
        partners = [earlier for _, earlier in pairs]
        promised = (drawn[partners] == drawn[later]).mean(axis=1)
        for place in np.argsort(-promised, kind="stable"):
            if promised[place] < SIMILAR - SLACK:
                break
            alike = similarity(own(later), own(partners[place]))
            if alike >= SIMILAR:
                yield later, partners[place], alike
                break
