"""What inference needs beside weights: the tokenizer, its chat template, and the ids to stop at.

transformers and vLLM read the chat template from chat_template.jinja (or tokenizer_config.json) and
the stop ids from generation_config.json. A chat model without its turn's end among them never stops
answering.
"""

import json
from pathlib import Path
from typing import Any

from nybble.runs.atomic import write_json

GENERATION_CONFIG = "generation_config.json"


def write_inference_files(
    tokenizer: Any, stop_ids: list[int], base_folder: Path, folder: Path
) -> None:
    """Write tokenizer, chat template and generation config into `folder`.

    The base's own generation settings are kept, but for the ids that an answer ends with.
    """
    tokenizer.save_pretrained(folder)
    own = base_folder / GENERATION_CONFIG
    settings = json.loads(own.read_text(encoding="utf-8")) if own.is_file() else {}
    # What is marked as made from config.json may be made again, without these ids.
    settings.pop("_from_model_config", None)
    settings["eos_token_id"] = stop_ids
    if settings.get("pad_token_id") is None and tokenizer.pad_token_id is not None:
        settings["pad_token_id"] = tokenizer.pad_token_id
    write_json(folder / GENERATION_CONFIG, settings)
