import json
import shutil

import pytest

from nybble.data.tokenizer import load_tokenizer
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
