import shutil
from functools import lru_cache
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest

BOS, EOS = "<bos>", "<eos>"
BOS_ID, EOS_ID = 1, 2
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)


class CharacterTokenizer:
    """One id a character, so that a test can say by hand what every id has to be."""

    bos_token, bos_token_id, eos_token, eos_token_id = BOS, BOS_ID, EOS, EOS_ID

    def __init__(self, chat_template=TEMPLATE, adds=(BOS_ID,)):
        self.chat_template = chat_template
        self.adds = list(adds)
        self.added_tokens_decoder = {
            BOS_ID: SimpleNamespace(content=BOS, special=True),
            EOS_ID: SimpleNamespace(content=EOS, special=True),
        }

    def ids(self, text):
        special = {BOS: BOS_ID, EOS: EOS_ID}
        ids = []
        while text:
            start = next((name for name in special if text.startswith(name)), text[0])
            ids.append(special.get(start) or ord(start) + 10)
            text = text[len(start) :]
        return ids

    def text(self, ids):
        return "".join({BOS_ID: BOS, EOS_ID: EOS}.get(i) or chr(i - 10) for i in ids)

    def decode(self, ids):
        return self.text(ids)

    def __call__(self, texts, add_special_tokens=True):
        if not texts:
            raise IndexError("transformers' tokenizers do not take an empty batch")
        added = self.adds if add_special_tokens else []
        return SimpleNamespace(input_ids=[[*added, *self.ids(text)] for text in texts])

    def apply_chat_template(self, messages, tokenize, add_generation_prompt, tools=None):
        assert not tokenize
        return _compiled(self.chat_template).render(
            messages=messages,
            add_generation_prompt=add_generation_prompt,
            bos_token=BOS,
            eos_token=EOS,
            raise_exception=_refuse,
        )


@lru_cache
def _compiled(template):
    return jinja2.Template(template)


def _refuse(message):
    raise jinja2.TemplateError(message)


@pytest.fixture(scope="session")
def character_tokenizer():
    return CharacterTokenizer


@pytest.fixture(scope="session")
def mini_folder() -> Path:
    return Path(str(resources.files("nybble.mini") / "model"))


@pytest.fixture(scope="session")
def mini_tokenizer(mini_folder):
    from nybble.data.tokenizer import load_tokenizer

    return load_tokenizer(mini_folder)


@pytest.fixture(scope="session")
def qwen_tokenizer(shared):
    from nybble.data.tokenizer import load_tokenizer

    return load_tokenizer(shared / "models" / "qwen2.5-0.5b-instruct")


@pytest.fixture(scope="session")
def llama_tokenizer(shared, tmp_path_factory):
    """Its vocabulary lies in the folder of the 3B model: both have the same."""
    from nybble.data.tokenizer import load_tokenizer

    folder = tmp_path_factory.mktemp("llama")
    models = shared / "models"
    shutil.copy(models / "llama-3.2-1b-instruct" / "tokenizer_config.json", folder)
    (folder / "tokenizer.json").symlink_to(models / "llama-3.2-3b" / "tokenizer.json")
    tokenizer = load_tokenizer(folder)
    template = shared / "chat_templates" / "meta-llama-Llama-3.2-3B-Instruct.jinja"
    tokenizer.chat_template = template.read_text(encoding="utf-8")
    return tokenizer
