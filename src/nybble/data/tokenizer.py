"""Loading the tokenizer that lies beside a model's weights, and giving it a chat template."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from nybble.runs.errors import InputError

# What each named template ends an assistant's turn with; None: the tokenizer's own end of text.
TEMPLATES: dict[str, str | None] = {
    "chatml": "<|im_end|>",
    "llama-3.1": "<|eot_id|>",
    "alpaca": None,
    "vicuna": None,
    "zephyr": None,
    "plain": None,
}


def load_tokenizer(
    folder: Path,
    trust_remote_code: bool = False,
    chat_template: str | None = None,
    new_tokens: Sequence[str] = (),
) -> Any:
    """The tokenizer in `folder`, with one of `TEMPLATES` in place of its own where one is named.

    The type is transformers' own, whose classes differ by version. Raises `InputError` when it
    cannot be read, has one of `new_tokens` already, or has no single token for what the named
    template ends turns with.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # the tokenizers library raises nothing more special
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"The tokenizer in {folder} cannot be read: {reason[:200]}",
            "Fetch the model again: tokenizer.json and tokenizer_config.json belong to it.",
        ) from None
    add_tokens(tokenizer, new_tokens)
    if chat_template is not None:
        set_chat_template(tokenizer, chat_template)
    return tokenizer


def add_tokens(tokenizer: Any, tokens: Sequence[str]) -> list[int]:
    """Make each of `tokens` a token of its own, wherever a text holds it; gives their ids.

    They are not special: rows may spell them, and answers show them.
    """
    from transformers import AddedToken

    for token in tokens:
        if token in tokenizer.get_vocab():
            raise InputError(
                f"model.new_tokens has {token!r}, which the tokenizer has already.",
                "Leave it out: the model knows it.",
            )
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in tokens])
    return [int(i) for i in tokenizer.convert_tokens_to_ids(list(tokens))]


def set_chat_template(tokenizer: Any, name: str) -> None:
    """Give `tokenizer` the template `name`, and the token that ends its turns as the end of text.

    Both are saved with the tokenizer, so that whatever loads it renders the same and stops. A token
    is not added unasked: the model has to learn its embedding, which plain adapters do not touch.
    """
    end = TEMPLATES[name]
    if end is not None:
        if end not in tokenizer.get_vocab():
            own = [name for name, end in TEMPLATES.items() if end is None]
            raise InputError(
                f"data.chat_template={name} ends turns with {end}, for which the tokenizer has no "
                "token.",
                f"Take one that ends them with the tokenizer's own end of text: {', '.join(own)}; "
                f"or have it learnt with model.new_tokens=['{end}'].",
            )
        tokenizer.eos_token = end
    file = resources.files("nybble.data") / "chat_templates" / f"{name}.jinja"
    tokenizer.chat_template = file.read_text(encoding="utf-8")
