import itertools
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.generation.cache import (
    ModelCache,
    PredictionCache,
    prediction_key,
    sampling_settings,
)
from nybble.generation.sampling import Sampling

PROMPT = st.one_of(
    st.lists(st.integers(0, 300), max_size=4),
    st.text(max_size=4),
    st.lists(
        st.fixed_dictionaries({"role": st.sampled_from("ab"), "content": st.text(max_size=2)}),
        max_size=2,
    ),
)
SETTINGS = st.dictionaries(
    st.sampled_from(["a", "b", "ab"]),
    st.one_of(st.integers(0, 3), st.text(max_size=2), st.booleans(), st.none()),
    max_size=3,
)
QUESTION = st.tuples(st.text(max_size=3), PROMPT, SETTINGS)


@given(a=QUESTION, b=QUESTION)
def test_two_questions_share_a_key_only_where_all_is_the_same(a, b) -> None:
    same = json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    assert (prediction_key(*a) == prediction_key(*b)) == same
    identity, prompt, settings = a
    turned = dict(reversed(settings.items()))
    assert prediction_key(identity, prompt, turned) == prediction_key(*a)


@given(question=QUESTION, other=st.text(max_size=3), field=st.sampled_from("abc"))
def test_any_one_change_misses(question, other, field) -> None:
    identity, prompt, settings = question
    key = prediction_key(*question)
    assert prediction_key(identity + "x", prompt, settings) != key
    longer = prompt + "7" if isinstance(prompt, str) else [*prompt, 7]
    assert prediction_key(identity, longer, settings) != key
    assert prediction_key(identity, prompt, settings | {field: f"{other}!!!"}) != key


def test_every_field_of_sampling_misses_when_it_is_changed() -> None:
    greedy, drawn = Sampling(), Sampling(temperature=0.5)
    changed = [
        replace(greedy, max_new_tokens=9),
        replace(greedy, min_new_tokens=1),
        replace(greedy, repetition_penalty=1.1),
        replace(greedy, beams=2),
        replace(greedy, stop=("x",)),
        drawn,
        replace(drawn, temperature=0.6),
        replace(drawn, top_p=0.9),
        replace(drawn, top_k=3),
        replace(drawn, seed=1),
    ]
    keys = {prediction_key("m", [1], sampling_settings(s, 0, 0)) for s in [greedy, *changed]}
    assert len(keys) == 11


def test_where_nothing_is_drawn_neither_seed_nor_place_matters() -> None:
    plain = sampling_settings(Sampling(), 0, 0)
    assert sampling_settings(Sampling(seed=9), 4, 2) == plain
    drawn = Sampling(temperature=1.0)
    each = [sampling_settings(drawn, place, answer) for place in (0, 1) for answer in (0, 1)]
    assert all(a != b for a, b in itertools.combinations(each, 2))


VALUES = st.lists(st.one_of(st.text(max_size=6), st.integers(), st.lists(st.floats(-9, 9))))


@given(values=VALUES, data=st.data())
def test_a_file_cut_at_any_byte_gives_the_lines_before_and_goes_on(
    tmp_path_factory, values, data
) -> None:
    path = tmp_path_factory.mktemp("cut") / "answers.jsonl"
    cache = PredictionCache(path)
    ends = [0]
    for number, value in enumerate(values):
        cache.put(str(number), value)
        ends.append(path.stat().st_size)
    cut = data.draw(st.integers(0, ends[-1]))
    os.truncate(path, cut) if path.exists() else None
    # A whole line counts even without the line break behind it.
    whole = sum(end - 1 <= cut for end in ends[1:])
    again = PredictionCache(path)
    assert again.values == {str(n): v for n, v in enumerate(values[:whole])}
    again.put("new", "one")
    assert PredictionCache(path).values == again.values
    assert PredictionCache(path).get("new") == "one"


@pytest.mark.parametrize("junk", [b"{}", b"[1]", b"\x00\x00\x00", b"\xff\xfe{", b'{"key": 1}'])
def test_lines_that_are_something_else_are_passed_over(tmp_path, junk) -> None:
    cache = PredictionCache(tmp_path / "answers.jsonl")
    cache.put("a", "1\n2\u2028\ud800")
    with open(cache.path, "ab") as file:
        file.write(junk + b"\n")
    cache.put("b", {"text": ""})
    assert PredictionCache(cache.path).values == {"a": "1\n2\u2028\ud800", "b": {"text": ""}}


def test_the_later_of_two_answers_counts(tmp_path) -> None:
    cache = ModelCache(PredictionCache(tmp_path / "new" / "answers.jsonl"), "model")
    cache.put([1, 2], {"n": 1}, "old")
    cache.put([1, 2], {"n": 1}, "new")
    again = ModelCache(PredictionCache(tmp_path / "new" / "answers.jsonl"), "model")
    assert again.get([1, 2], {"n": 1}) == "new"
    assert again.get([1, 2], {"n": 2}) is None
    assert replace(again, identity="other").get([1, 2], {"n": 1}) is None


WRITER = """
import sys
from pathlib import Path
from nybble.generation.cache import PredictionCache
cache = PredictionCache(Path(sys.argv[1]))
for number in range(10**9):
    cache.put(str(number), "x" * (number % 5000))
    print(number, flush=True)
"""


def test_a_killed_process_loses_nothing_that_it_had_put(tmp_path) -> None:
    path = tmp_path / "answers.jsonl"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(200)]
    writer.send_signal(signal.SIGKILL)
    told += [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    writer.stdout.close()
    held = PredictionCache(path)
    assert [held.get(str(n)) for n in told[:-1]] == ["x" * (n % 5000) for n in told[:-1]]
