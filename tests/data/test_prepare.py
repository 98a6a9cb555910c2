import datetime
import decimal
import json

import pytest

from nybble.data.corpus import read_splits
from nybble.data.examples import Conversation, Pair
from nybble.data.prepare import Drop, Prepared, prepare, write_prepared
from nybble.data.render import Renderer, TokenRow
from nybble.data.split import Splits
from nybble.data.store import write_store
from nybble.recipe.load import parse_recipe
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError


def part(**fields) -> DataPart:
    return DataPart(train="rows.jsonl", **fields)


def pair(number: int, completion: str = "yes", prompt: str = "Is it?") -> Pair:
    return Pair(number, prompt, completion, {"prompt": prompt, "completion": completion})


def talk(number: int, *answers: str) -> Conversation:
    turns = [("user", "?", "assistant", answer) for answer in answers]
    messages = [{"role": r, "content": c} for u, q, a, t in turns for r, c in ((u, q), (a, t))]
    return Conversation(number, tuple(messages), {"messages": messages})


@pytest.fixture
def renderer(character_tokenizer):
    return Renderer(character_tokenizer())


def test_pairs_become_rows_in_order(renderer):
    splits = Splits([pair(2), pair(5, "no")], [pair(3)], [pair(9)])
    prepared = prepare(splits, part(), renderer)
    assert [row.number for row in prepared.train] == [2, 5]
    assert [row.number for row in prepared.validation] == [3]
    assert prepared.train == renderer.pair_rows(splits.train, "completion")
    assert (prepared.splits, prepared.drops) == (splits, [])


def test_conversations_become_rows(renderer):
    prepared = prepare(Splits([talk(1, "a", "b"), talk(2, "c")], [], []), part(), renderer)
    assert [row.number for row in prepared.train] == [1, 2]
    assert [sum(row.scored) for row in prepared.train] == [4, 2]


@pytest.mark.parametrize(("score", "scored"), [("completion", 4), ("last", 2), ("all", 43)])
def test_the_recipe_says_what_is_scored(renderer, score, scored):
    prepared = prepare(Splits([talk(1, "a", "b")], [], []), part(score=score), renderer)
    assert sum(prepared.train[0].scored) == scored


def test_long_and_empty_rows_are_dropped_and_listed_with_the_reason(renderer):
    train = [pair(1), pair(2, "y" * 50), pair(3, ""), pair(4, "no")]
    settings = part(max_length=20, allow_drops=True)
    prepared = prepare(Splits(train, [pair(8), pair(9, "")], []), settings, renderer)
    assert [row.number for row in prepared.train] == [1, 4]
    assert prepared.drops == [
        Drop("train", 2, "is longer than data.max_length = 20 tokens"),
        Drop("train", 3, "has an empty answer"),
        Drop("validation", 9, "has an empty answer"),
    ]


def test_a_row_as_long_as_the_limit_stays(renderer):
    # BOS, six characters, three characters, EOS.
    assert len(prepare(Splits([pair(1)], [], []), part(max_length=11), renderer).train) == 1
    with pytest.raises(InputError, match="no row is left"):
        prepare(Splits([pair(1)], [], []), part(max_length=10), renderer)


def test_one_row_in_a_hundred_is_dropped_silently_but_not_more(renderer):
    good = [pair(number) for number in range(1, 100)]
    prepared = prepare(Splits([*good, pair(100, "")], [], []), part(), renderer)
    assert [drop.number for drop in prepared.drops] == [100]
    expected = r"^rows\.jsonl: 2 rows \(2\.0%\) would be dropped: train row 100 "
    with pytest.raises(InputError, match=expected) as caught:
        prepare(Splits([*good[1:], pair(100, ""), pair(101, "")], [], []), part(), renderer)
    assert "data.allow_drops=true" in caught.value.fix


def test_drops_are_accepted_when_the_recipe_says_so_unless_nothing_is_left(renderer):
    rows = [pair(1), pair(2, ""), pair(3, "")]
    assert len(prepare(Splits(rows, [], []), part(allow_drops=True), renderer).train) == 1
    with pytest.raises(InputError, match="no row is left to train on: train row 2"):
        prepare(Splits(rows[1:], [pair(4)], []), part(allow_drops=True), renderer)


def test_progress_reaches_the_total(renderer):
    seen = []
    splits = Splits([pair(n) for n in range(1, 2502)], [pair(1)], [])
    prepare(splits, part(), renderer, lambda done, total: seen.append((done, total)))
    assert seen == [(1000, 2502), (2000, 2502), (2501, 2502), (2502, 2502)]


def test_the_audit_counts_rows_tokens_and_drops(renderer):
    splits = Splits([pair(1), pair(2, "perhaps"), pair(3, "")], [pair(4, "no")], [pair(5), pair(6)])
    audit = prepare(splits, part(allow_drops=True), renderer).audit()
    # BOS and "Is it?" are 7 tokens, the answers 3, 7 and 2, the stop token 1.
    assert audit["rows"] == {"train": 2, "validation": 1, "test": 2}
    assert audit["tokens"] == {"train": 11 + 15, "validation": 10}
    assert audit["scored_tokens"] == {"train": 4 + 8, "validation": 3}
    assert audit["longest_row_tokens"] == 15
    assert audit["dropped"] == {"train: has an empty answer": 1}
    assert audit["dropped_rows"] == [
        {"part": "train", "number": 3, "reason": "has an empty answer"}
    ]
    assert json.loads(json.dumps(audit)) == audit


def test_the_fingerprint_is_of_ids_masks_and_their_order():
    def fingerprint(*rows):
        return Prepared(write_store(rows), write_store([]), Splits([], [], []), []).fingerprint

    one, two = TokenRow(1, [1, 2], [False, True], (1,)), TokenRow(2, [1, 3], [False, True], (1,))
    assert fingerprint(one, two) == fingerprint(one, two)
    others = {
        fingerprint(one, two),
        fingerprint(two, one),
        fingerprint(one),
        fingerprint(TokenRow(1, [1, 2], [True, True], (1,)), two),
    }
    assert len(others) == 4


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def recipe(train: str, *overrides: str):
    return parse_recipe(
        f"name: a\nmodel: {{base: b}}\ndata: {{train: {train}}}", "s", list(overrides)
    )


ROWS = [{"prompt": f"p{n}", "completion": "c"} for n in range(1, 31)]


def test_splits_are_read_from_the_recipes_sources(tmp_path):
    train = write_rows(tmp_path / "train.jsonl", ROWS)
    test = write_rows(tmp_path / "test.jsonl", ROWS[:4])
    splits = read_splits(recipe(train, "data.validation=5", f"data.test={test}"))
    assert [len(p) for p in (splits.train, splits.validation, splits.test)] == [25, 5, 4]
    assert [example.prompt for example in splits.test] == ["p1", "p2", "p3", "p4"]


def test_a_limit_takes_the_first_rows(tmp_path):
    train = write_rows(tmp_path / "train.jsonl", ROWS)
    splits = read_splits(recipe(train, "data.validation=2", "data.test=0", "data.limit=10"))
    assert sorted(e.number for e in [*splits.train, *splits.validation]) == list(range(1, 11))


def test_the_seed_of_the_recipe_draws_the_split(tmp_path):
    train = write_rows(tmp_path / "train.jsonl", ROWS)
    counts = ("data.validation=5", "data.test=5")
    assert read_splits(recipe(train, *counts)) == read_splits(recipe(train, *counts))
    assert read_splits(recipe(train, *counts)) != read_splits(recipe(train, *counts, "data.seed=7"))


def test_a_broken_row_is_named_with_the_source_it_lies_in(tmp_path):
    train = write_rows(tmp_path / "train.jsonl", ROWS)
    test = write_rows(tmp_path / "test.jsonl", [ROWS[0], {"prompt": "p"}])
    with pytest.raises(InputError, match=r"test\.jsonl: row 2 has no 'completion'"):
        read_splits(recipe(train, "data.validation=0", f"data.test={test}"))


def test_what_is_prepared_is_written_whole(renderer, tmp_path):
    splits = Splits([pair(1), pair(2)], [pair(3)], [pair(4)])
    prepared = prepare(splits, part(), renderer)
    write_prepared(prepared, tmp_path / "prepared")
    lines = {
        path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in (tmp_path / "prepared").glob("*.jsonl")
    }
    for name, rows in (("train", prepared.train), ("validation", prepared.validation)):
        assert lines[name] == [
            {"source_row": r.number, "input_ids": r.input_ids, "scored": [int(s) for s in r.scored]}
            for r in rows
        ]
    assert lines["test"] == [
        {"source_row": 4, "columns": {"prompt": "Is it?", "completion": "yes"}}
    ]
    assert json.loads((tmp_path / "prepared" / "audit.json").read_text()) == prepared.audit()


def test_test_rows_with_values_that_json_has_not_are_written_too(renderer, tmp_path):
    columns = {
        "day": datetime.date(2026, 11, 22),
        "price": decimal.Decimal("9.50"),
        "rating": float("nan"),
        "ratings": [1.5, float("inf")],
        "photo": b"\x89PNG",
        "title": "größer",
    }
    prepared = prepare(Splits([pair(1)], [], [Pair(2, "p", "c", columns)]), part(), renderer)
    write_prepared(prepared, tmp_path / "prepared")
    line = (tmp_path / "prepared" / "test.jsonl").read_text(encoding="utf-8")
    row = json.loads(line)["columns"]
    assert row["day"] == "2026-11-22"
    assert row["price"] == "9.50"
    assert (row["rating"], row["ratings"]) == (None, [1.5, None])
    assert row["title"] == "größer"


def test_a_row_that_asks_nothing_is_dropped(character_tokenizer):
    without_bos = Renderer(character_tokenizer(adds=()))
    splits = Splits([pair(1), pair(2, prompt="")], [], [])
    prepared = prepare(splits, part(allow_drops=True), without_bos)
    assert prepared.drops == [Drop("train", 2, "has an empty prompt")]
