import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data import cache
from nybble.data.cache import cache_folder, cache_key, prepare_once
from nybble.data.examples import Conversation, Pair
from nybble.data.prepare import prepare
from nybble.data.render import Renderer
from nybble.data.split import Splits
from nybble.data.tokenizer import load_tokenizer
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError


def part(**fields) -> DataPart:
    return DataPart(train="rows.jsonl", **fields)


def pairs(*texts: str) -> list[Pair]:
    return [Pair(n, text, f"answer {n}", {"text": text}) for n, text in enumerate(texts, 1)]


def chats(*texts: str) -> list[Conversation]:
    told = {"role": "assistant", "content": "Well."}
    return [
        Conversation(n, ({"role": "user", "content": text}, told), {})
        for n, text in enumerate(texts, 1)
    ]


SPLITS = Splits(pairs("one", "two", "three"), pairs("four"), pairs("five"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NYBBLE_CACHE", str(tmp_path / "cache"))
    return cache_folder()


@pytest.fixture
def renderer(mini_tokenizer):
    return Renderer(mini_tokenizer, date(2026, 11, 22))


def altered(folder, to, change):
    """The tokenizer in `folder`, after `change` of its parts as JSON, loaded from `to`."""
    to.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (to / name).write_bytes((folder / name).read_bytes())
    parts = json.loads((to / "tokenizer.json").read_text(encoding="utf-8"))
    change(parts)
    (to / "tokenizer.json").write_text(json.dumps(parts), encoding="utf-8")
    tokenizer = load_tokenizer(to)
    tokenizer.chat_template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    return tokenizer


def swap_two_tokens(parts):
    vocabulary = parts["model"]["vocab"]
    vocabulary["a"], vocabulary["e"] = vocabulary["e"], vocabulary["a"]


def forget_a_merge(parts):
    del parts["model"]["merges"][10]


def same(one, other):
    assert one.train == other.train
    assert one.validation == other.validation
    assert one.audit() == other.audit()


def test_the_second_time_everything_is_there_and_the_same(folder, renderer):
    settings = part(max_length=20, allow_drops=True)
    splits = replace(SPLITS, train=pairs("one", "two", "a long one " * 20))
    first, cached = prepare_once(splits, settings, renderer)
    assert (cached, len(first.drops)) == (False, 1)
    progress = []
    second, cached = prepare_once(splits, settings, renderer, lambda *done: progress.append(done))
    assert (cached, progress) == (True, [])
    same(second, first)
    same(second, prepare(splits, settings, renderer))
    assert second.splits is splits


@pytest.mark.parametrize("change", [swap_two_tokens, forget_a_merge])
def test_rows_of_another_tokenizer_are_never_met(folder, renderer, mini_folder, tmp_path, change):
    prepare_once(SPLITS, part(), renderer)
    other = Renderer(altered(mini_folder, tmp_path / "other", change), date(2026, 11, 22))
    made, cached = prepare_once(SPLITS, part(), other)
    assert not cached
    same(made, prepare(SPLITS, part(), other))


def test_rows_of_another_template_are_never_met(folder, renderer, mini_folder, tmp_path):
    talks = Splits(chats("one", "two"), [], [])
    before, _ = prepare_once(talks, part(), renderer)
    tokenizer = altered(mini_folder, tmp_path / "other", lambda parts: None)
    assert prepare_once(talks, part(), Renderer(tokenizer, date(2026, 11, 22)))[1]
    tokenizer.chat_template = "A talk. " + tokenizer.chat_template
    other = Renderer(tokenizer, date(2026, 11, 22))
    made, cached = prepare_once(talks, part(), other)
    assert not cached
    assert made.fingerprint != before.fingerprint
    same(made, prepare(talks, part(), other))


@pytest.mark.parametrize(
    "changed",
    [
        {"splits": replace(SPLITS, train=pairs("one", "two", "thrice"))},
        {"splits": replace(SPLITS, train=SPLITS.train[::-1])},
        {"splits": replace(SPLITS, train=[*SPLITS.train, *pairs("four")], validation=[])},
        {"splits": replace(SPLITS, validation=chats("four"))},
        {"splits": replace(SPLITS, train=[replace(SPLITS.train[0], number=9), *SPLITS.train[1:]])},
        {"splits": replace(SPLITS, train=[replace(e, columns={}) for e in SPLITS.train])},
        {"part": part(score="all")},
        {"part": part(max_length=99)},
        {"part": part(date=date(2026, 11, 23))},
        {"today": date(2026, 11, 23)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_changes_has_another_key(renderer, mini_tokenizer, changed):
    other = Renderer(mini_tokenizer, changed.get("today", date(2026, 11, 22)))
    before = cache_key(SPLITS, part(), renderer)
    after = cache_key(changed.get("splits", SPLITS), changed.get("part", part()), other)
    assert before != after
    assert before == cache_key(SPLITS, part(), renderer)


@given(
    one=st.lists(st.text(max_size=4), max_size=4), other=st.lists(st.text(max_size=4), max_size=4)
)
def test_equal_keys_mean_equal_examples(mini_tokenizer, one, other):
    renderer = Renderer(mini_tokenizer)
    keys = [cache_key(Splits(pairs(*t), [], []), part(), renderer) for t in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


def test_other_code_and_other_libraries_have_another_key(renderer, monkeypatch, tmp_path):
    keys = set()
    for name in ("one.py", "other.py", "template.jinja"):
        (tmp_path / name).write_text(f"rows as {name} makes them")
        monkeypatch.setattr(cache, "ROOM", tmp_path)
        monkeypatch.setattr(cache, "CODE", cache._code())
        keys.add(cache_key(SPLITS, part(), renderer))
    monkeypatch.setattr(cache.metadata, "version", lambda name: "99")
    monkeypatch.setattr(cache, "CODE", cache._code())
    assert len({*keys, cache_key(SPLITS, part(), renderer)}) == 4


def test_a_tokenizer_of_unknown_code_is_not_cached(folder, character_tokenizer):
    unknown = Renderer(character_tokenizer())
    for _ in range(2):
        assert prepare_once(SPLITS, part(), unknown)[1] is False
    assert not folder.exists()


def entries(folder):
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def shorten(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [flip, shorten, os.unlink])
@pytest.mark.parametrize(
    "name", ["entry.json", "train/input_ids", "train/scored", "train/numbers", "validation/lengths"]
)
def test_a_damaged_entry_is_made_again(folder, renderer, name, damage):
    first, _ = prepare_once(SPLITS, part(), renderer)
    (entry,) = entries(folder)
    damage(entry / name)
    again, cached = prepare_once(SPLITS, part(), renderer)
    assert not cached
    same(again, first)
    assert prepare_once(SPLITS, part(), renderer)[1]


def test_a_run_that_ends_first_does_not_disturb_the_other(folder, renderer):
    inner = []

    def meanwhile(done, total):
        if not inner:
            inner.append(None)
            inner.append(prepare_once(SPLITS, part(), renderer))

    outer, cached = prepare_once(SPLITS, part(), renderer, meanwhile)
    assert (cached, inner[1][1]) == (False, False)
    same(outer, inner[1][0])
    same(prepare_once(SPLITS, part(), renderer)[0], outer)
    assert len(list(folder.iterdir())) == 1


def test_many_at_once_all_get_the_same(folder, renderer):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: prepare_once(SPLITS, part(), renderer)[0], range(24)))
    expected = prepare(SPLITS, part(), renderer)
    for prepared in made:
        same(prepared, expected)
    assert len(list(folder.iterdir())) == 1


PREPARE = """
import sys
from datetime import date
from pathlib import Path
from nybble.data.cache import prepare_once
from nybble.data.examples import Pair
from nybble.data.render import Renderer
from nybble.data.split import Splits
from nybble.data.tokenizer import load_tokenizer
from nybble.recipe.schema import DataPart

renderer = Renderer(load_tokenizer(Path(sys.argv[1])), date(2026, 11, 22))
texts = [f"row {n}" for n in range(300)]
pairs = [Pair(n, text, f"answer {n}", {"text": text}) for n, text in enumerate(texts, 1)]
input()
for _ in range(3):
    prepared, _ = prepare_once(Splits(pairs, [], []), DataPart(train="rows.jsonl"), renderer)
    print(prepared.fingerprint, prepared.train.numbers.sum())
"""


@pytest.mark.slow
def test_two_processes_at_once_prepare_the_same(folder, mini_folder):
    command = [sys.executable, "-c", PREPARE, str(mini_folder)]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    outputs = [process.communicate("go\n", timeout=60)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [len(lines) for lines in outputs] == [3, 3]
    assert len({line for lines in outputs for line in lines}) == 1
    assert len(list(folder.iterdir())) == 1


def test_a_refusal_leaves_nothing_behind(folder, renderer):
    with pytest.raises(InputError, match="no row is left"):
        prepare_once(Splits(pairs("a long one " * 20), [], []), part(max_length=8), renderer)
    assert list(folder.iterdir()) == []


def test_without_a_place_to_write_everything_goes_on(renderer, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NYBBLE_CACHE", str(tmp_path / "file"))
    made, cached = prepare_once(SPLITS, part(), renderer)
    assert not cached
    same(made, prepare(SPLITS, part(), renderer))


def test_a_full_disk_stops_the_cache_and_not_the_run(folder, renderer, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_write_contents", full)
    made, cached = prepare_once(SPLITS, part(), renderer)
    assert not cached
    same(made, prepare(SPLITS, part(), renderer))
    assert list(folder.iterdir()) == []


def test_the_longest_unused_go_when_the_cache_is_full(folder, renderer, monkeypatch):
    def key(number):
        return cache_key(SPLITS, part(max_length=number), renderer)

    for number in (100, 200, 300):
        prepare_once(SPLITS, part(max_length=number), renderer)
        os.utime(folder / key(number), (number, number))
    assert prepare_once(SPLITS, part(max_length=100), renderer)[1]  # used again
    size = sum(path.stat().st_size for path in (folder / key(100)).rglob("*"))
    monkeypatch.setattr(cache, "LARGEST_CACHE_BYTES", int(2.5 * size))
    prepare_once(SPLITS, part(max_length=400), renderer)
    assert {entry.name for entry in entries(folder)} == {key(100), key(400)}


def test_the_newest_stays_even_where_it_alone_is_too_large(folder, renderer, monkeypatch):
    monkeypatch.setattr(cache, "LARGEST_CACHE_BYTES", 1)
    for number in (100, 200):
        prepare_once(SPLITS, part(max_length=number), renderer)
    assert len(entries(folder)) == 1
    assert prepare_once(SPLITS, part(max_length=200), renderer)[1]


def test_what_a_killed_run_left_goes_after_a_day(folder, renderer):
    old, new = folder / ".partial-old", folder / ".partial-new"
    for scratch in (old, new):
        (scratch / "train").mkdir(parents=True)
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    prepare_once(SPLITS, part(), renderer)
    assert (old.exists(), new.exists()) == (False, True)


def test_the_cache_lies_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NYBBLE_CACHE")
    assert cache_folder() == tmp_path / ".cache" / "nybble" / "prepared"
    monkeypatch.setenv("NYBBLE_CACHE", "~/elsewhere")
    assert cache_folder() == tmp_path / "elsewhere" / "prepared"
