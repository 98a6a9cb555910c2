import math

import pytest

from nybble.generation.sampling import Sampling, option
from nybble.runs.errors import InputError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("top_p", 0.0),
        ("top_p", 1.01),
        ("top_p", math.nan),
        ("top_k", -1),
        ("repetition_penalty", 0.0),
        ("repetition_penalty", math.inf),
        ("min_new_tokens", -1),
        ("min_new_tokens", 257),
        ("max_new_tokens", 0),
        ("beams", 0),
        ("seed", -1),
        ("stop", ("",)),
    ],
)
def test_what_is_out_of_range_is_refused_by_the_options_name(name, value) -> None:
    with pytest.raises(InputError) as caught:
        Sampling(**{name: value})
    assert caught.value.message.startswith(f"{option(name)} = ")


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 1e-9},
        {"temperature": 5.0, "top_p": 1e-3, "top_k": 1},
        {"repetition_penalty": 0.5},
        {"min_new_tokens": 3, "max_new_tokens": 3},
        {"beams": 4, "stop": ("\n",)},
    ],
)
def test_the_ends_of_the_ranges_are_taken(settings) -> None:
    Sampling(**settings)


@pytest.mark.parametrize("setting", [{"top_p": 0.9}, {"top_k": 5}])
def test_what_has_no_effect_without_a_temperature_is_refused(setting) -> None:
    with pytest.raises(InputError, match="has no effect at --temperature = 0"):
        Sampling(**setting)
    Sampling(temperature=0.7, **setting)


def test_beams_draw_nothing() -> None:
    with pytest.raises(InputError, match=r"--beams = 2 with --temperature = 0\.5"):
        Sampling(temperature=0.5, beams=2)


def test_the_defaults_are_greedy() -> None:
    assert not Sampling().samples
    assert Sampling(temperature=0.1).samples
