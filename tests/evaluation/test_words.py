import pytest

from nybble.evaluation.words import WORDS, listed, rounded, words_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (14.234, "14.2"),
        (-95.26, "-95.3"),
        (9.999, "10.0"),
        (1234.4, "1,234"),
        (0.003214, "0.00321"),
        (1.5e20, "1.50e+20"),
        (-2e-9, "-2.00e-09"),
    ],
)
def test_numbers_are_said_with_three_digits(value: float, expected: str) -> None:
    assert rounded(value) == expected


def test_lists_are_said_as_people_say_them() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_every_metric_has_a_sentence_for_one_model_and_for_several() -> None:
    for words in (*WORDS.values(), words_of("pass@10"), words_of("my_own")):
        assert words.of_one(0.5).split()[0] in ("is", "has", "gets", "says", "guesses")
        assert words.of_several(0.5).split()[0] in ("are", "have", "get", "say", "guess")


def test_shares_are_in_percent_and_their_differences_in_points() -> None:
    assert words_of("accuracy").value(0.812) == "81.2%"
    assert words_of("pass@1").difference(-0.123) == "-12.3 points"
    assert words_of("mae").difference(-0.123) == "-0.123"


@pytest.mark.parametrize(("metric", "said"), [("on_topic", "an on_topic"), ("style", "a style")])
def test_a_metric_of_ones_own_has_its_article(metric: str, said: str) -> None:
    assert words_of(metric).phrase.startswith(f"has {said} of")
