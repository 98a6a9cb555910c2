"""What every row is checked for, whatever made it. A row that fails is a bug of ours.

That the inference prompts are the beginning of their row is checked for each while it is rendered.
Here, for one example in a hundred, once more from nothing: the prompt is rendered and tokenised
alone, as inference does it.
"""

from collections.abc import Callable, Sequence

from nybble.data.examples import Example, Pair
from nybble.data.render import Ids, Renderer, TokenRow

ANEW_EVERY_EXAMPLES = 100


def _begins_with_one_bos(row: TokenRow, renderer: Renderer) -> bool:
    bos = renderer.tokenizer.bos_token_id
    return bos is None or row.input_ids[:2] != [bos, bos]


def _answers_follow_prompts(row: TokenRow, renderer: Renderer) -> bool:
    ends = row.prompt_lengths
    return bool(ends) and all(end < len(row.scored) and row.scored[end] for end in ends)


CHECKS: dict[str, Callable[[TokenRow, Renderer], bool]] = {
    "as many marks as ids": lambda row, _: len(row.scored) == len(row.input_ids) > 0,
    "a stop token at the end": lambda row, own: row.input_ids[-1] in own.stop_ids,
    "the stop token is scored": lambda row, _: row.scored[-1],
    "no second BOS": _begins_with_one_bos,
    "a scored token after every prompt": _answers_follow_prompts,
}


def audit_row(row: TokenRow, renderer: Renderer) -> None:
    """Raises `AssertionError` for the first of `CHECKS` that `row` fails."""
    for name, holds in CHECKS.items():
        assert holds(row, renderer), f"row {row.number} fails the check: {name}"


def audit_rows(rows: Sequence[TokenRow], examples: Sequence[Example], renderer: Renderer) -> None:
    """Check `rows`, which were made of `examples`. Raises `AssertionError` at the first fault."""
    for row in rows:
        audit_row(row, renderer)
    anew = {example.number: example for example in examples[::ANEW_EVERY_EXAMPLES]}
    for row in rows:
        if row.number in anew:
            prompts = inference_prompts(anew[row.number], renderer)
            begins = all(row.input_ids[:length] in prompts for length in row.prompt_lengths)
            assert begins, f"row {row.number} does not begin with its inference prompt"


def inference_prompts(example: Example, renderer: Renderer) -> list[Ids]:
    """The ids before each answer of `example`, by the calls that inference makes."""
    if isinstance(example, Pair):
        return renderer.prompt_ids([example.prompt])
    where, messages = f"row {example.number}", example.messages
    places = [place for place, m in enumerate(messages) if m["role"] == "assistant"]
    return [renderer.chat_prompt_ids(messages[:at], where, example.tools) for at in places]
