import json
import math
import struct
from importlib import resources
from pathlib import Path

import jinja2.sandbox
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

FOLDER = Path(str(resources.files("nybble.mini") / "model"))
ROLES = ("system", "user", "assistant", "tool")


def read(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_file(str(FOLDER / "tokenizer.json"))


@pytest.fixture(scope="module")
def header():
    with open(FOLDER / "model.safetensors", "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length))


def test_the_weights_are_small_enough_to_be_shipped():
    assert (FOLDER / "model.safetensors").stat().st_size <= 8_000_000


def test_embeddings_are_tied_and_stored_once(header):
    assert read("config.json")["tie_word_embeddings"] is True
    assert "model.embed_tokens.weight" in header
    assert not [name for name in header if "lm_head" in name]


def test_the_weights_fit_the_configuration(header):
    config = read("config.json")
    shapes = {name: e["shape"] for name, e in header.items() if name != "__metadata__"}
    hidden, heads = config["hidden_size"], config["num_attention_heads"] * config["head_dim"]
    assert shapes["model.embed_tokens.weight"] == [config["vocab_size"], hidden]
    assert shapes["model.layers.0.self_attn.q_proj.weight"] == [heads, hidden]
    layers = {name.split(".")[2] for name in shapes if name.startswith("model.layers.")}
    assert layers == {str(i) for i in range(config["num_hidden_layers"])}
    assert sum(map(math.prod, shapes.values())) < 4_000_000


def test_nothing_but_safetensors_json_and_a_template_is_shipped():
    suffixes = {path.suffix for path in FOLDER.iterdir()}
    assert suffixes <= {".safetensors", ".json", ".jinja", ".md", ""}


def test_the_vocabulary_fits_the_configuration(tokenizer):
    assert tokenizer.get_vocab_size() == read("config.json")["vocab_size"]


def test_pad_bos_and_eos_are_distinct_and_named_alike_everywhere(tokenizer):
    config, named = read("config.json"), read("tokenizer_config.json")
    ids = [config[f"{name}_token_id"] for name in ("pad", "bos", "eos")]
    assert len(set(ids)) == 3
    assert ids == [tokenizer.token_to_id(named[f"{n}_token"]) for n in ("pad", "bos", "eos")]
    generation = read("generation_config.json")
    assert [generation[f"{name}_token_id"] for name in ("pad", "bos", "eos")] == ids


def test_roles_are_one_token_each(tokenizer):
    ids = [tokenizer.encode(f"<|{role}|>", add_special_tokens=False).ids for role in ROLES]
    assert all(len(i) == 1 for i in ids)
    assert len({i[0] for i in ids}) == len(ROLES)


def test_numbers_from_0_to_999_are_one_token_each_and_all_distinct(tokenizer):
    ids = [tokenizer.encode(str(n), add_special_tokens=False).ids for n in range(1000)]
    assert all(len(i) == 1 for i in ids)
    assert len({i[0] for i in ids}) == 1000


@pytest.mark.parametrize("before", ["$", "Price: $", "a ", "(", "-"])
def test_a_number_is_one_token_whatever_stands_before_it(tokenizer, before):
    first = tokenizer.encode(before, add_special_tokens=False).ids
    for number in (0, 7, 42, 999):
        alone = tokenizer.encode(str(number), add_special_tokens=False).ids
        ids = tokenizer.encode(f"{before}{number}", add_special_tokens=False).ids
        assert ids[-1:] == alone
        if not before.endswith(" "):
            assert ids == first + alone


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_comes_back_as_it_was(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("text", ["", "Hi", "<bos>"])
def test_a_text_begins_with_one_bos_and_no_eos_is_added(tokenizer, text):
    plain = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.encode(text).ids == [read("config.json")["bos_token_id"], *plain]


def render(messages, add_generation_prompt=False):
    def refuse(message):
        raise jinja2.TemplateError(message)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment()
    environment.globals["raise_exception"] = refuse
    template = environment.from_string((FOLDER / "chat_template.jinja").read_text(encoding="utf-8"))
    return template.render(
        messages=messages,
        add_generation_prompt=add_generation_prompt,
        bos_token="<bos>",
        eos_token="<eos>",
    )


def test_the_chat_template_renders_every_role():
    messages = [{"role": role, "content": role.upper()} for role in ROLES]
    assert render(messages) == "<bos>" + "".join(f"<|{r}|>{r.upper()}<eos>" for r in ROLES)


def test_the_chat_template_asks_the_assistant_to_speak():
    messages = [{"role": "user", "content": "Hi"}]
    assert render(messages, True) == "<bos><|user|>Hi<eos><|assistant|>"


def test_the_chat_template_refuses_other_roles():
    with pytest.raises(jinja2.TemplateError, match="unknown role wizard"):
        render([{"role": "wizard", "content": "Hi"}])
