"""What the rows of a conversation have to be, found slowly and without any of our code.

Only transformers' own `apply_chat_template` and the tokenizer's character offsets are used. The
definition, for every answer that is to be learned:

    prompt   what `apply_chat_template(..., add_generation_prompt=True)` makes of what comes before
    said     the characters that it adds for the answer, up to the turn's end; or the content as it
             stands, without a tag that the prompt opened, where the template leaves some of it out
    row      all of the conversation, if every prompt is the beginning of it in ids; else each
             prompt with its answer, tokenised at once if the prompt is the beginning, else apart
    scored   tokens that begin in the characters of an answer or are the turn's end behind it
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One template on a tokenizer: `stop` ends its turns, `told` are its other arguments."""

    name: str
    tokenizer: object
    stop: str
    told: dict


@dataclass(frozen=True)
class Row:
    ids: list
    scored: list
    kind: str  # whole, turn, or joined: prompt and answer tokenised apart


def render(case, messages, to_answer, tools):
    return case.tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=to_answer, tools=tools or None, **case.told
    )


def tokenized(case, messages, to_answer, tools):
    return case.tokenizer.apply_chat_template(
        messages, add_generation_prompt=to_answer, tools=tools or None, return_dict=False,
        **case.told,
    )  # fmt: skip


def plain(case, text):
    encoded = case.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return encoded.input_ids, [begin for begin, _ in encoded.offset_mapping]


def expected_rows(case, messages, tools, score):
    """The rows; None where the template refuses the conversation at any answer."""
    answers = [i for i, m in enumerate(messages) if m["role"] == "assistant"]
    learned = answers[-1:] if score == "last" else answers
    try:
        turns = [said_after(case, messages, place, tools) for place in learned]
    except Exception:
        return None
    whole = row_of(case, turns, score)
    if whole:
        return [Row(*whole, "whole")]
    if score == "all":
        turns = turns[-1:]
    rows = []
    for turn in turns:
        alone = row_of(case, [turn], score)
        rows.append(Row(*alone, "turn") if alone else joined(case, turn, score))
    return rows


def said_after(case, messages, place, tools):
    """The messages before an answer, the prompt that they make, and what is said after it."""
    before, message = messages[:place], messages[place]
    prompt = render(case, before, True, tools)
    through = render(case, messages[: place + 1], False, tools)
    content, calls = message.get("content"), message.get("tool_calls")
    end = through.find(case.stop, len(prompt))
    if through[: len(prompt)] == prompt and end >= 0:
        said = through[len(prompt) : end]
        if calls or squeezed(content) in squeezed(said):
            return before, prompt, said
    if calls and "[TOOL_CALLS]" in through:
        return before, prompt, through[through.rfind("[TOOL_CALLS]") : through.rfind(case.stop)]
    if calls:
        # The header is what a thought that the prompt opens stands behind: up to a line's end.
        start = len(render(case, before, False, tools))
        header = re.match(r"<\|im_start\|>assistant\n", through[start:])
        said = through[start + header.end() :]
        return before, prompt, said[: said.index(case.stop)]
    for opening in ("<think>\n", "<think>"):
        if prompt.endswith("<think>\n") and content.startswith(opening):
            content = content[len(opening) :]
            break
    return before, prompt, content


def squeezed(text):
    return re.sub(r"\s", "", text or "")


def row_of(case, turns, score):
    """Ids and marks of the text up to the last stop; None where some prompt does not begin it."""
    _, last_prompt, last_said = turns[-1]
    text = last_prompt + last_said + case.stop
    ids, begins = plain(case, text)
    spans = []
    for _, prompt, said in turns:
        through = prompt + said + case.stop
        if text[: len(through)] != through:
            return None
        for part in (prompt, through):
            part_ids, _ = plain(case, part)
            if ids[: len(part_ids)] != part_ids:
                return None
        spans.append((len(plain(case, prompt)[0]), len(prompt), len(through)))
    scored = [
        score == "all"
        or any(at >= first and start <= begin < end for first, start, end in spans)
        for at, begin in enumerate(begins)
    ]  # fmt: skip
    return ids, scored


def joined(case, turn, score):
    _, prompt, said = turn
    before, after = plain(case, prompt)[0], plain(case, said)[0]
    stop = case.tokenizer.convert_tokens_to_ids(case.stop)
    marks = [score == "all"] * len(before) + [True] * (len(after) + 1)
    return Row([*before, *after, stop], marks, "joined")
