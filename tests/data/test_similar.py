import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.similar import SIMILAR, near_duplicates, shingles, similarity

WORDS = [f"word{n}" for n in range(200)]


def test_a_shingle_is_three_words():
    assert len(shingles("one two three four")) == 2
    assert shingles("One, two: three!") == shingles("one two three")
    assert shingles("one two three") != shingles("three two one")


@pytest.mark.parametrize("text", ["", " ", "...", "\n"])
def test_a_text_without_words_has_none(text):
    assert shingles(text) == set()


def test_short_texts_have_one():
    assert len(shingles("one")) == len(shingles("one two")) == 1
    assert shingles("one two") != shingles("one three")


def test_texts_without_spaces_have_many():
    assert len(shingles("我们今天去公园")) == 5


@given(st.text(max_size=60))
def test_any_text_has_shingles_of_its_own(text):
    assert shingles(text) == shingles(text.casefold())


@given(st.sets(st.integers(0, 20)), st.sets(st.integers(0, 20)))
def test_similarity_is_the_jaccard_index(one, other):
    union = len(one | other)
    assert similarity(one, other) == (len(one & other) / union if union else 0)


def test_pairs_are_those_of_the_slow_search():
    """Of 60 texts, 20 are copies with a few words changed: all pairs above 0.8 are found."""
    draw = random.Random(0)
    texts = [" ".join(draw.choices(WORDS, k=60)) for _ in range(40)]
    for n in range(20):
        words = texts[n].split()
        for place in range(n % 7):
            words[place * 9] = "changed"
        texts.append(" ".join(words))
    sets = [shingles(text) for text in texts]
    expected = {
        (i, j) for i in range(60) for j in range(i) if similarity(sets[i], sets[j]) >= SIMILAR
    }
    found = list(near_duplicates(texts))
    assert {(later, earlier) for later, earlier, _ in found} == expected
    assert len(expected) >= 8
    assert all(alike == similarity(sets[i], sets[j]) for i, j, alike in found)


def test_of_a_crowd_of_equals_each_has_a_partner():
    texts = [" ".join(WORDS[:40])] * 15
    found = list(near_duplicates(texts))
    assert {later for later, _, _ in found} == set(range(1, 15))
    assert len(found) < 2 * 15
