"""Everything that a file of rows can get wrong: told in two lines, or dropped and listed.

Each case is a file and what a recipe says of it. None may end in another exception, nor in a row
whose tokens are not those of its text.
"""

import io
import json
from dataclasses import dataclass, field

import pyarrow
import pyarrow.parquet
import pytest

from nybble.data.corpus import read_splits
from nybble.data.prepare import prepare
from nybble.data.render import Renderer
from nybble.recipe.load import parse_recipe
from nybble.runs.errors import InputError

GOOD = {"prompt": "2+2=", "completion": "4"}
USER, SAID = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
TALK = {"messages": [USER, SAID]}
TURNS = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}
ALPACA = {"instruction": "a", "output": "b"}
PRICE = {"prompt": "{title}: $", "completion": "{price:.0f}"}


def lines(*rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(**columns) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), out)
    return out.getvalue()


def talk(*messages) -> dict:
    return {"messages": list(messages)}


@dataclass(frozen=True)
class Case:
    """A file, what the recipe says of it, and how it is `told` (a pattern of the first line)."""

    name: str
    content: bytes
    told: str
    file: str = "rows.jsonl"
    data: dict = field(default_factory=dict)


ARROW_NAN = parquet(title=["a", "b"], price=[1.0, float("nan")])
REFUSED = [
    Case("two formats in one file", lines(TALK, GOOD), r"row 2 has no list of 'messages' \(it has"),
    Case("pairs, then a conversation", lines(GOOD, TALK), "row 2 has no 'prompt'"),
    Case("two kinds of turns", lines(TURNS, TALK), "row 2 has no list of 'conversations'"),
    Case("Alpaca, then pairs", lines(ALPACA, GOOD), "row 2 has no 'instruction'"),
    Case("columns of no format", lines({"a": 1, "b": 2}), "no format fits its columns a, b"),
    Case("a text beside other columns", lines({"text": "a", "id": 1}), "no format fits"),
    Case("a turn without content", lines(TALK, talk(USER, {"role": "assistant"})),
         "row 2: message 2 is not a role and a content"),
    Case("a turn whose content is null", lines(talk(USER | {"content": None}, SAID)),
         "row 1: message 1 is not a role"),
    Case("a turn in parts", lines(talk(USER | {"content": [{"type": "text", "text": "a"}]}, SAID)),
         "row 1: message 1 is not a role"),
    Case("a turn without a role", lines(talk({"content": "Hi"}, SAID)), "row 1: message 1"),
    Case("an unknown role", lines(talk(USER, SAID | {"role": "bot"})), "message 2 has the role"),
    Case("an unknown speaker", lines({"conversations": [{"from": "me", "value": "a"}]}),
         "row 1: turn 1 is from 'me'"),
    Case("no answer", lines(TALK, talk(USER)), "row 2: the assistant says nothing"),
    Case("no turns", lines(TALK, {"messages": []}), "row 2 has no list of 'messages'"),
    Case("nested nulls", lines(TALK, {"messages": [USER, None]}), "row 2: message 2 is not a role"),
    Case("turns that are a text", lines(TALK, {"messages": "Hi"}), "row 2 has no list"),
    Case("a call that is no call", lines(talk(USER, {"role": "assistant", "tool_calls": [1]})),
         "row 1: message 2: call 1 is not a call"),
    Case("a call whose arguments are no JSON",
         lines(talk(USER, {"role": "assistant", "tool_calls": [{"name": "f", "arguments": "{"}]})),
         "row 1: message 2: call 1: its arguments: no JSON"),
    Case("tools that are no list", lines(TALK | {"tools": "f()"}), "row 1: 'tools': no JSON"),
    Case("a null prompt", lines(GOOD, GOOD | {"prompt": None}), "row 2 has no 'prompt'"),
    Case("a list in one row, a text in another", lines(GOOD, GOOD | {"completion": ["4"]}),
         "row 2: 'completion' is a list, not a text"),
    Case("an object for a text", lines(GOOD | {"prompt": {"a": 1}}), "row 1: 'prompt' is a dict"),
    Case("Alpaca with a number", lines(ALPACA, ALPACA | {"output": 4}), "row 2: 'output' is a int"),
    Case("invalid UTF-8", lines(GOOD) + b'{"prompt": "\xff"}\n', "line 2: not UTF-8 at byte 13"),
    Case("Latin-1 in a CSV", b"prompt,completion\ncaf\xe9,a\n", "line 2: not UTF-8", "rows.csv"),
    Case("UTF-16", json.dumps(GOOD).encode("utf-16"), "line 1: not UTF-8"),
    Case("half a surrogate pair", b'{"prompt": "\\ud83d", "completion": "a"}\n',
         "line 1: holds half of a surrogate pair"),
    Case("NaN in JSON", b'{"title": "a", "price": NaN}\n', "line 1: NaN is not JSON", data=PRICE),
    Case("a NaN price of Parquet", ARROW_NAN, "row 2: price = nan does not fit", "rows.parquet",
         PRICE),
    Case("a NaN price without a format", ARROW_NAN, "row 2: price = nan does not fit",
         "rows.parquet", PRICE | {"completion": "{price}"}),
    Case("an infinite price in a CSV", b"title,price\na,1\nb,inf\n", "row 2: price = 'inf'",
         "rows.csv", PRICE),
    Case("a price that is a word", lines({"title": "a", "price": "much"}), "row 1: price = 'much'",
         data=PRICE),
    Case("a price as a truth value", lines({"title": "a", "price": True}), "row 1: price = True",
         data=PRICE),
    Case("a huge int", b'{"title": "a", "price": ' + b"9" * 5000 + b"}\n", "line 1: Exceeds",
         data=PRICE),
    Case("an int beyond a double", lines({"title": "a", "price": 10**400}), "row 1: price = 1000",
         data=PRICE),
    Case("a number beyond a double", b'{"title": "a", "price": 1e999}\n', "line 1: 1e999 is too",
         data=PRICE),
    Case("deep nesting", b'{"a": ' + b"[" * 100_000 + b"\n", "line 1: maximum recursion"),
    Case("not JSON", lines(GOOD) + b"{'prompt': 'a'}\n", "line 2, column 2: not JSON"),
    Case("JSON cut off", lines(GOOD, GOOD)[:-9], "line 2, column "),
    Case("an array in JSON lines", lines([GOOD]), "line 1: an array, not an object"),
    Case("an array of arrays", b"[[1]]", "row 1 .line 1.: an array", "rows.json"),
    Case("an array cut off", b'[{"prompt": "a", "completion": "b"},', "line 1, column 37: not JSON",
         "rows.json"),
    Case("CSV with a quote left open", b'prompt,completion\n"a,b\nc,d\n',
         r"row 1 \(line 3\): not CSV", "rows.csv"),
    Case("CSV with a quote in a cell", b'prompt,completion\n"a"b,c\n', "row 1 .line 2.: not CSV",
         "rows.csv"),
    Case("CSV with a comma too many", b"prompt,completion\na,b,c\n", "row 1 .* has 3 cells",
         "rows.csv"),
    Case("CSV with semicolons", b"prompt;completion\na;b\n", "separated by semicolons", "rows.csv"),
    Case("CSV with CR line ends", b"prompt,completion\ra,b\r", "a CR outside quotes", "rows.csv"),
    Case("CSV with a column twice", b"prompt,prompt\na,b\n", "two columns are called", "rows.csv"),
    Case("Parquet cut off", parquet(prompt=["a"], completion=["b"])[:-9], "is not whole",
         "rows.parquet"),
    Case("Parquet that is none", b"PAR1 but no more", "is not whole", "rows.parquet"),
    Case("Parquet with a null", parquet(prompt=["a", None], completion=["b", "c"]),
         "row 2 has no 'prompt'", "rows.parquet"),
    Case("an empty file", b"", "holds no rows"),
    Case("blank lines only", b"\n \n\n", "holds no rows"),
    Case("a header only", b"prompt,completion\n", "holds no rows", "rows.csv"),
    Case("zero bytes", b"\0" * 64, "line 1, column 1: not JSON"),
    Case("gzip by another name", b"\x1f\x8b\x08\x00\xff\xff", "line 1: not UTF-8"),
    Case("another kind of file", b"PK", "unknown kind of file", "rows.xlsx"),
    Case("fewer rows than are split off", lines(GOOD), "take 5 rows", data={"test": 5}),
]  # fmt: skip


@pytest.fixture
def read(tmp_path, character_tokenizer):
    """What comes of a file: token rows, or an error."""

    def call(file, content, data, tokenizer=None):
        path = tmp_path / file
        path.write_bytes(content)
        fields = {"train": str(path), "validation": 0, "test": 0, "allow_drops": True,
                  "duplicates": "report"} | data  # fmt: skip
        recipe = {"name": "a", "model": {"base": "b"}, "data": fields}
        parsed = parse_recipe(json.dumps(recipe), "s", [])
        renderer = Renderer(tokenizer or character_tokenizer())
        return prepare(read_splits(parsed), parsed.data, renderer)

    return call


def test_there_are_enough_cases():
    assert len({case.name for case in REFUSED}) == len(REFUSED) >= 30


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_is_wrong_is_told_in_two_lines_with_the_file_and_the_row(case, read, tmp_path):
    with pytest.raises(InputError, match=case.told) as told:
        read(case.file, case.content, case.data)
    if "split off" not in case.name:
        assert told.value.message.startswith(str(tmp_path / case.file))
    assert len(str(told.value).splitlines()) == 2
    assert len(told.value.message) < 600


DROPPED = [
    ("an empty completion", [GOOD, GOOD | {"completion": ""}, GOOD], {}, [(2, "empty answer")]),
    ("an empty answer", [TALK, talk(USER, SAID | {"content": ""})], {}, [(2, "empty answer")]),
    ("an empty text", [{"text": "a"}, {"text": ""}], {}, [(2, "empty answer")]),
    ("an empty output", [ALPACA, ALPACA | {"output": ""}], {}, [(2, "empty answer")]),
    ("the assistant first", [TALK, talk(SAID, USER, SAID)], {}, [(2, "refused by the chat templ")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rows", "data", "drops"), DROPPED, ids=lambda v: str(v)[:30])
def test_what_cannot_be_learned_is_dropped_and_listed(name, rows, data, drops, read, strict):
    prepared = read("rows.jsonl", lines(*rows), data, strict)
    assert len(prepared.train) == len(rows) - len(drops)
    for drop, (number, reason) in zip(prepared.drops, drops, strict=True):
        assert drop.number == number and reason in drop.reason


STRICT = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if loop.first and m.role == 'assistant' %}"
    "{{ raise_exception('roles must begin with user') }}{% endif %}"
    "{% if not loop.first and m.role == 'system' %}"
    "{{ raise_exception('one system turn only') }}{% endif %}"
    "[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


@pytest.fixture
def strict(character_tokenizer):
    """A tokenizer whose template refuses what Gemma's and Mistral's do."""
    return character_tokenizer(STRICT)


def test_two_system_turns_are_refused_where_the_template_does(read, strict):
    system = {"role": "system", "content": "Be kind."}
    prepared = read("rows.jsonl", lines(TALK, talk(system, system, USER, SAID)), {}, strict)
    (drop,) = prepared.drops
    assert (drop.number, "one system turn only" in drop.reason) == (2, True)


def test_a_tokenizer_without_eos(read, character_tokenizer):
    tokenizer = character_tokenizer()
    tokenizer.eos_token = tokenizer.eos_token_id = None
    with pytest.raises(InputError, match="no end-of-text token"):
        read("rows.jsonl", lines(GOOD), {}, tokenizer)


def test_a_base_model_without_a_chat_template(read, character_tokenizer):
    with pytest.raises(InputError, match=r"rows\.jsonl: row 1 is a conversation, but"):
        read("rows.jsonl", lines(TALK), {}, character_tokenizer(None))


HARMLESS = [
    ("a byte-order mark", b"\xef\xbb\xbf" + lines(GOOD), "rows.jsonl"),
    ("CRLF line ends", lines(GOOD).replace(b"\n", b"\r\n"), "rows.jsonl"),
    ("blank lines between", b"\n\n" + lines(GOOD) + b"\n  \n", "rows.jsonl"),
    ("no line end at the end", lines(GOOD)[:-1], "rows.jsonl"),
    ("CR line ends of JSON", b"[\r" + json.dumps(GOOD).encode() + b"\r]\r", "rows.json"),
    ("a CSV of Excel", "\ufeffprompt,completion\r\n2+2=,4\r\n".encode(), "rows.csv"),
    ("a suffix in capitals", lines(GOOD), "rows.JSONL"),
]


@pytest.mark.parametrize(("name", "content", "file"), HARMLESS, ids=lambda v: str(v)[:30])
def test_what_does_no_harm_gives_the_same_tokens(name, content, file, read):
    (row,) = read(file, content, {}).train
    (plain,) = read("plain.jsonl", lines(GOOD), {}).train
    assert (list(row.input_ids), list(row.scored)) == (list(plain.input_ids), list(plain.scored))


@pytest.mark.slow
def test_a_row_of_5_mb_is_dropped(read, mini_tokenizer):
    rows = lines(GOOD, GOOD | {"prompt": "word " * 1_000_000})
    prepared = read("rows.jsonl", rows, {}, mini_tokenizer)
    (drop,) = prepared.drops
    assert drop.number == 2 and "is longer than data.max_length" in drop.reason


def test_duplicate_ids_are_only_a_column(read):
    rows = [{"id": 7, "prompt": f"p{n}", "completion": "c"} for n in range(3)]
    assert [row.number for row in read("rows.jsonl", lines(*rows), {}).train] == [1, 2, 3]


def test_a_price_as_a_text_takes_the_format_of_a_number(read):
    rows = b"title,price\na,7.60\n"
    assert read("rows.csv", rows, PRICE).splits.train[0].completion == "8"
