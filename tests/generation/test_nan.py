"""A model whose numbers overflowed, or whose training diverged, says nothing: it is refused."""

import copy

import pytest

from nybble.generation.greedy import generate_answers
from nybble.generation.likelihood import log_likelihoods
from nybble.generation.prefill import next_logits
from nybble.generation.sampling import Sampling
from nybble.runs.errors import NybbleError

PROMPTS = [[3, 4, 5], [6, 7]]


@pytest.fixture
def broken(tiny):
    model = copy.deepcopy(tiny("llama"))
    model.get_base_model().model.norm.weight.data[0] = float("nan")
    return model


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_it_is_not_asked(broken, numbers, temperature) -> None:
    said: list[str] = []
    with pytest.raises(NybbleError, match="NaN"):
        generate_answers(
            broken, numbers, PROMPTS, Sampling(temperature=temperature, max_new_tokens=3), 100,
            lambda place, text: said.append(text),
        )  # fmt: skip
    assert said == []


def test_it_chooses_no_label_and_no_number(broken) -> None:
    with pytest.raises(NybbleError, match="NaN"):
        log_likelihoods(broken, PROMPTS, [[8], [9]], 100)
    with pytest.raises(NybbleError, match="NaN"):
        next_logits(broken, PROMPTS, 0)
