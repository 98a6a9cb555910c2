import json

import pytest
from transformers import AutoTokenizer, GenerationConfig

from nybble.export.inference_files import write_inference_files

pytestmark = pytest.mark.slow


def test_stop_ids_and_chat_template_are_where_transformers_reads_them(stage, tmp_path) -> None:
    write_inference_files(stage.tokenizer, [2, 5], stage.model_folder, tmp_path)
    assert GenerationConfig.from_pretrained(tmp_path).eos_token_id == [2, 5]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.chat_template == stage.tokenizer.chat_template
    assert (tmp_path / "chat_template.jinja").read_text() == stage.tokenizer.chat_template


def test_the_bases_own_settings_are_kept(stage, tmp_path) -> None:
    base, folder = tmp_path / "base", tmp_path / "out"
    base.mkdir()
    folder.mkdir()
    own = {"temperature": 0.6, "do_sample": True, "eos_token_id": 9, "pad_token_id": 7}
    (base / "generation_config.json").write_text(json.dumps(own | {"_from_model_config": True}))
    write_inference_files(stage.tokenizer, [9, 2], base, folder)
    found = json.loads((folder / "generation_config.json").read_text())
    # What is marked as made from config.json is made anew by transformers, without these ids.
    assert found == own | {"eos_token_id": [9, 2]}


def test_a_base_without_generation_config(stage, tmp_path) -> None:
    base, folder = tmp_path / "base", tmp_path / "out"
    base.mkdir()
    folder.mkdir()
    write_inference_files(stage.tokenizer, [2], base, folder)
    found = json.loads((folder / "generation_config.json").read_text())
    assert found == {"eos_token_id": [2], "pad_token_id": stage.tokenizer.pad_token_id}
