from types import SimpleNamespace

import pytest

from nybble.data.examples import Conversation
from nybble.generation.sampling import Sampling
from nybble.pipeline.asking import Asking
from nybble.pipeline.chat import Talk, check_chat
from nybble.pipeline.questions import prompts
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError


class Parrot:
    """In place of a model: says how manieth answer it is; keeps what it was asked."""

    tuned = True

    def __init__(self, renderer):
        self.renderer = renderer
        self.asked = []

    def answers(self, asked, sampling, on_text, tuned):
        self.asked.append((asked[0], sampling.seed, tuned))
        text = f"answer {len(self.asked)}"
        if on_text is not None:
            on_text(text[:3])
            on_text(text[3:])
        return [text]


@pytest.fixture
def talk(stage):
    def make(part=None, conversations=True, **settings):
        part = part or DataPart(train="rows.jsonl")
        asking = Asking(part, conversations)
        shown = []
        made = Talk(Parrot(stage.renderer), asking, Sampling(**settings), shown.append)
        return made, made.speaker.asked, shown

    return make


def rendered(stage, *messages):
    turns = [{"role": role, "content": content} for role, content in messages]
    turns.append({"role": "assistant", "content": "(not yet said)"})
    return prompts([Conversation(1, tuple(turns), {})], stage.renderer, ())[0]


pytestmark = pytest.mark.slow


def test_each_turn_is_rendered_with_all_that_was_said(talk, stage) -> None:
    made, asked, shown = talk()
    made.say("Hi")
    made.say("And?")
    assert asked[0][0] == rendered(stage, ("user", "Hi"))
    assert asked[1][0] == rendered(
        stage, ("user", "Hi"), ("assistant", "answer 1"), ("user", "And?")
    )
    assert "".join(shown) == "answer 1answer 2"


def test_reset_and_system_begin_anew(talk, stage) -> None:
    made, asked, _ = talk()
    made.say("Hi")
    made.obey("/reset")
    made.say("Hi")
    made.obey("/system Be nice.")
    made.say("Hi")
    made.obey("/reset")
    made.say("Hi")
    made.obey("/system")
    made.say("Hi")
    plain = rendered(stage, ("user", "Hi"))
    nice = rendered(stage, ("system", "Be nice."), ("user", "Hi"))
    assert [ids for ids, _, _ in asked] == [plain, plain, nice, nice, plain]


def test_base_and_tuned_switch_the_adapter_and_forget_nothing(talk) -> None:
    made, asked, _ = talk()
    made.say("Hi")
    made.obey("/base")
    made.say("Hi")
    made.obey("/tuned")
    made.say("Hi")
    assert [tuned for _, _, tuned in asked] == [True, False, True]
    assert len(made.history) == 6


def test_there_may_be_no_adapter_to_switch(talk) -> None:
    made, _, _ = talk()
    made.speaker.tuned = False
    with pytest.raises(InputError, match="no adapter"):
        made.obey("/base")


def test_of_prompts_and_completions_each_line_is_a_prompt_of_its_own(talk, stage) -> None:
    part = DataPart(train="rows.jsonl", prompt="{title}\nPrice: $", completion="price")
    made, asked, _ = talk(part, conversations=False)
    for line in ("lamp", "sofa"):
        made.say(line)
    expected = stage.renderer.prompt_ids(["lamp\nPrice: $", "sofa\nPrice: $"])
    assert [ids for ids, _, _ in asked] == expected
    with pytest.raises(InputError, match="--system"):
        made.obey("/system Be nice.")


def test_asking_again_draws_anew_but_a_session_is_repeatable(talk) -> None:
    made, asked, _ = talk(temperature=1.0, seed=5)
    made.say("Hi")
    made.say("Hi")
    assert [seed for _, seed, _ in asked] == [5, 6]


def test_beams_are_shown_at_the_end(talk) -> None:
    made, _, shown = talk(beams=2)
    assert made.say("Hi") == "answer 1"
    assert shown == ["answer 1"]


def test_an_interrupt_ends_the_answer_and_keeps_what_was_said(talk, stage) -> None:
    made, asked, _ = talk()

    def interrupted(piece: str) -> None:
        raise KeyboardInterrupt

    made.show = interrupted
    assert made.say("Hi") == "ans"
    made.show = lambda piece: None
    made.say("Go on")
    assert asked[1][0] == rendered(stage, ("user", "Hi"), ("assistant", "ans"), ("user", "Go on"))


def test_an_unknown_command_names_the_known_ones(talk) -> None:
    made, asked, _ = talk()
    with pytest.raises(InputError, match="no command /rest") as caught:
        made.obey("/rest")
    assert "/reset" in caught.value.fix and not asked


def test_a_model_alone_without_a_chat_template_holds_no_conversation() -> None:
    def subject(**more):
        return SimpleNamespace(name="plain", **more)

    with pytest.raises(InputError, match="plain has no chat template"):
        check_chat(subject(is_run=False, conversations=False))
    check_chat(subject(is_run=True, conversations=False))
    check_chat(subject(is_run=False, conversations=True))
