import datetime

import pytest

from nybble.data.chat_template import ChatTemplate, TemplateRefusal

USER = {"role": "user", "content": "Hi"}
SYSTEM = {"role": "system", "content": "Be kind."}
ANSWER = {"role": "assistant", "content": "Ho"}
DAY = datetime.date(2026, 1, 2)

REFUSES_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}"
)


def test_an_exchange_shows_what_stands_behind_an_answer(character_tokenizer):
    template = ChatTemplate(character_tokenizer())
    assert template.exchange() == (
        "<bos>[user]A question<eos>[assistant]An answer<eos>[user]A question<eos>"
    )
    assert template.after_answer() == "<eos>[user]"


def test_without_a_template_nothing_is_known_of_it(character_tokenizer):
    template = ChatTemplate(character_tokenizer(None))
    assert template.exchange() == template.after_answer() == ""


def test_a_system_turn_that_a_template_does_not_take_heads_the_users(character_tokenizer):
    template = ChatTemplate(character_tokenizer(REFUSES_SYSTEM))
    assert template.text([SYSTEM, USER, ANSWER], False) == "[user]Be kind.\n\nHi[assistant]Ho"
    assert template.text([USER, ANSWER], False) == "[user]Hi[assistant]Ho"
    with pytest.raises(TemplateRefusal, match="no system"):
        template.text([USER, SYSTEM], False)


def test_a_system_turn_that_a_template_takes_stays_one(character_tokenizer):
    template = ChatTemplate(character_tokenizer())
    assert "[system]Be kind.<eos>[user]Hi<eos>" in template.text([SYSTEM, USER], False)


def test_a_message_that_a_template_trips_over_is_refused(character_tokenizer):
    template = ChatTemplate(character_tokenizer("{% for m in messages %}{{ m.content + 1 }}"
                                                "{% endfor %}"))  # fmt: skip
    with pytest.raises(TemplateRefusal, match="can only concatenate str"):
        template.text([USER], False)


# With a real tokenizer, which renders as users will.


@pytest.fixture
def dated(mini_tokenizer, monkeypatch):
    def with_template(text):
        monkeypatch.setattr(mini_tokenizer, "chat_template", text)
        return mini_tokenizer

    return with_template


@pytest.mark.slow
def test_every_way_to_ask_for_the_day_is_told_the_day_of_the_run(dated):
    template = (
        "{%- macro today() %}{{ strftime_now('%Y-%m-%d') }}{% endmacro -%}\n"
        '{% if strftime_now is defined %}{{ strftime_now("%d %b %Y") }}{% endif %} {{ today() }}'
    )
    assert ChatTemplate(dated(template), DAY).text([USER], False) == "02 Jan 2026 2026-01-02"
    assert ChatTemplate(dated(template), DAY).dated


@pytest.mark.slow
@pytest.mark.parametrize("beginning", ["", "\n", "  ", "\n\n  {# a note #}\n", "{{- '' }}\n"])
def test_a_pinned_template_is_otherwise_the_same(dated, beginning):
    template = beginning + "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    unpinned = ChatTemplate(dated(template), DAY).text([USER], False)
    asks = template + "{% if false %}{{ strftime_now('%Y') }}{% endif %}"
    assert ChatTemplate(dated(asks), DAY).text([USER], False) == unpinned


@pytest.mark.slow
def test_a_date_in_a_format_that_cannot_be_known_is_refused(dated):
    template = "{% set form = '%' ~ 'Y' %}{{ strftime_now(form) }}"
    with pytest.raises(TemplateRefusal, match="a date in a format that it computes"):
        ChatTemplate(dated(template), DAY).text([USER], False)


@pytest.mark.slow
def test_real_templates_write_the_day_that_they_are_told(shared, mini_tokenizer, monkeypatch):
    folder = shared / "chat_templates"

    def text(name, day):
        template = (folder / f"{name}.jinja").read_text()
        monkeypatch.setattr(mini_tokenizer, "chat_template", template)
        return ChatTemplate(mini_tokenizer, day).text([USER], True)

    dated = "meta-llama-Llama-3.2-3B-Instruct"
    assert "Today Date: 02 Jan 2026\n" in text(dated, DAY)
    assert "Today Date: 03 Jan 2026\n" in text(dated, DAY + datetime.timedelta(1))
    # A template that names a day of its own keeps it, as servers do.
    assert "Today Date: 26 Jul 2024\n" in text("meta-llama-Llama-3.1-8B-Instruct", DAY)
