import json
import shutil

import pytest

from nybble.data.tokenizer import TEMPLATES, load_tokenizer
from nybble.runs.errors import InputError


@pytest.fixture
def folder(mini_folder, tmp_path):
    for path in mini_folder.iterdir():
        if path.suffix != ".safetensors":
            shutil.copy(path, tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_tokenizer_beside_a_model_is_loaded(folder):
    tokenizer = load_tokenizer(folder)
    assert tokenizer(["7 cups"]).input_ids[0][0] == tokenizer.bos_token_id


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    ["", "{}", "../other/tokenizer.json", "[1, 2", '{"model": 3}', '{"added_tokens": []}'],
)
def test_a_tokenizer_file_that_is_not_one_is_refused(folder, content):
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match="cannot be read") as caught:
        load_tokenizer(folder)
    assert str(folder) in caught.value.message


@pytest.mark.slow
def test_a_vocabulary_cut_off_in_the_middle_is_refused(folder):
    whole = (folder / "tokenizer.json").read_bytes()
    (folder / "tokenizer.json").write_bytes(whole[: len(whole) // 2])
    config = json.loads((folder / "tokenizer_config.json").read_text())
    special = {"content": "<pad>", "lstrip": False, "normalized": False, "rstrip": False,
               "single_word": False, "special": True}  # fmt: skip
    config["added_tokens_decoder"] = {"0": special}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="cannot be read"):
        load_tokenizer(folder)


@pytest.mark.slow
def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(InputError, match="cannot be read"):
        load_tokenizer(tmp_path)


# Named chat templates.

TALK = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
]
RENDERED = {
    "chatml": "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
    "<|im_start|>assistant\nHello<|im_end|>\n",
    "llama-3.1": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>",
    "alpaca": "BOSBe kind.\n\n### Instruction:\nHi\n\n### Response:\nHelloEOS\n\n",
    "vicuna": "BOSBe kind.\n\nUSER: Hi\nASSISTANT: HelloEOS\n",
    "zephyr": "<|system|>\nBe kind.EOS\n<|user|>\nHiEOS\n<|assistant|>\nHelloEOS\n",
    "plain": "BOSSystem:\nBe kind.\n\nUser:\nHi\n\nAssistant:\nHelloEOS\n",
}


NEEDS_TOKENS_OF = {"chatml": "qwen2.5-0.5b-instruct", "llama-3.1": "llama-3.2-3b"}


def test_the_recipe_knows_every_named_template():
    from typing import get_args

    from nybble.recipe.schema import DataPart

    named, _ = get_args(DataPart.model_fields["chat_template"].annotation)
    assert set(get_args(named)) == set(TEMPLATES) == set(RENDERED)


@pytest.mark.slow
@pytest.mark.parametrize("name", RENDERED)
def test_a_named_template_renders_ends_and_is_saved(request, mini_folder, tmp_path, name):
    from nybble.data.examples import Conversation
    from nybble.data.render import Renderer

    base = mini_folder
    if name in NEEDS_TOKENS_OF:
        base = request.getfixturevalue("shared") / "models" / NEEDS_TOKENS_OF[name]
    tokenizer = load_tokenizer(base, chat_template=name)
    expected = RENDERED[name].replace("BOS", tokenizer.bos_token or "")
    expected = expected.replace("EOS", tokenizer.eos_token)
    assert tokenizer.apply_chat_template(TALK, tokenize=False) == expected
    renderer = Renderer(tokenizer)
    assert renderer.chat_stop_id == renderer.stop_id
    more = [*TALK, {"role": "user", "content": "?"}, {"role": "assistant", "content": " 3\n"}]
    (row,) = renderer.chat_rows([Conversation(1, tuple(more), {})], "completion", "s")
    scored = [i for i, is_scored in zip(row.input_ids, row.scored, strict=True) if is_scored]
    said = tokenizer.decode(scored).split(tokenizer.eos_token)
    assert [text.strip() for text in said] == ["Hello", "3", ""]
    tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.apply_chat_template(TALK, tokenize=False) == expected
    assert again.eos_token == tokenizer.eos_token


@pytest.mark.slow
@pytest.mark.parametrize(("name", "token"), [("chatml", "im_end"), ("llama-3.1", "eot_id")])
def test_a_template_whose_stop_is_no_single_token_is_refused(folder, name, token):
    with pytest.raises(InputError, match=rf"chat_template={name} ends turns with <\|{token}") as e:
        load_tokenizer(folder, chat_template=name)
    assert "alpaca, vicuna, zephyr, plain" in e.value.fix


@pytest.mark.slow
def test_a_base_model_without_a_template_gets_the_named_one(folder):
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    assert load_tokenizer(folder, chat_template="plain").chat_template.startswith("{{- bos_token")


@pytest.mark.slow
def test_new_tokens_are_one_id_each_and_not_special(mini_folder) -> None:
    tokenizer = load_tokenizer(mini_folder, new_tokens=["<|call|>", "a b"])
    before = load_tokenizer(mini_folder)
    ids = tokenizer("x<|call|>a by", add_special_tokens=False).input_ids
    first, last = (before(t, add_special_tokens=False).input_ids for t in ("x", "y"))
    assert ids == [*first, len(before), len(before) + 1, *last]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "x<|call|>a by"


@pytest.mark.slow
def test_a_token_that_is_there_already_is_refused(mini_folder) -> None:
    with pytest.raises(InputError, match="which the tokenizer has already"):
        load_tokenizer(mini_folder, new_tokens=[load_tokenizer(mini_folder).eos_token])


@pytest.mark.slow
def test_a_template_whose_end_is_new_is_given(mini_folder) -> None:
    end = "<|im_end|>"
    with pytest.raises(InputError, match="no token") as refused:
        load_tokenizer(mini_folder, chat_template="chatml")
    assert "model.new_tokens" in refused.value.fix
    tokenizer = load_tokenizer(mini_folder, chat_template="chatml", new_tokens=[end])
    assert tokenizer.eos_token_id == tokenizer.convert_tokens_to_ids(end) == len(tokenizer) - 1
