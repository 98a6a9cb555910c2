import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from nybble.generation.choice import Chooser, distribution, drawn, penalised, uniforms
from nybble.generation.sampling import Sampling

pytestmark = pytest.mark.slow


def scores(seed: int, rows: int = 3, vocabulary: int = 40) -> torch.Tensor:
    return torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed)) * 3


@given(
    seed=st.integers(0, 10_000),
    temperature=st.sampled_from([0.3, 0.7, 1.0, 2.0]),
    top_k=st.sampled_from([0, 1, 5, 39, 40, 100]),
    top_p=st.sampled_from([1.0, 0.95, 0.5, 0.01]),
)
def test_the_distribution_is_that_of_transformers(seed, temperature, top_k, top_p) -> None:
    warpers = [TemperatureLogitsWarper(temperature)]
    warpers += [TopKLogitsWarper(top_k)] if top_k else []
    warpers += [TopPLogitsWarper(top_p)] if top_p < 1 else []
    given_ = scores(seed)
    expected = LogitsProcessorList(warpers)(None, given_.clone()).softmax(-1)
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
    torch.testing.assert_close(distribution(given_, sampling).float(), expected)


def test_a_tiny_temperature_is_greedy_and_does_not_overflow() -> None:
    found = distribution(scores(0), Sampling(temperature=1e-300))
    assert torch.equal(found.argmax(1), scores(0).argmax(1))
    assert found.max(1).values.tolist() == [1.0, 1.0, 1.0]


@given(seed=st.integers(0, 10_000), penalty=st.sampled_from([0.5, 1.1, 3.0]))
def test_the_penalty_is_that_of_transformers(seed, penalty) -> None:
    ids = torch.randint(40, (3, 6), generator=torch.Generator().manual_seed(seed))
    expected = RepetitionPenaltyLogitsProcessor(penalty)(ids, scores(seed))
    found = penalised(scores(seed), ids, torch.ones_like(ids, dtype=torch.bool), penalty)
    assert torch.equal(found, expected)


def test_padding_is_not_penalised_unless_the_token_is_there_too() -> None:
    ids = torch.tensor([[7, 7, 1], [7, 1, 7]])
    real = torch.tensor([[False, False, True], [False, True, True]])
    before = scores(1, rows=2)
    after = penalised(before, ids, real, 2.0)
    changed = [
        set(torch.nonzero(a != b).flatten().tolist()) for a, b in zip(before, after, strict=True)
    ]
    assert changed == [{1}, {1, 7}]


@given(seed=st.integers(0, 10_000), number=st.floats(0, 1, exclude_max=True))
def test_a_token_is_drawn_where_the_number_falls_by_a_plain_loop(seed, number) -> None:
    shares = distribution(scores(seed), Sampling(temperature=1.0, top_k=9))
    tokens = drawn(shares, torch.full((3,), number).double()).tolist()
    for row, token in zip(shares.tolist(), tokens, strict=True):
        assert row[token] > 0
        before = sum(row[:token])
        assert before - 1e-12 <= number <= before + row[token] + 1e-12


def test_draws_follow_the_distribution() -> None:
    shares = distribution(scores(4, rows=1, vocabulary=6), Sampling(temperature=1.0))
    n = 20_000
    numbers = uniforms(Sampling(temperature=1.0, max_new_tokens=1), range(n), 1)[:, 0]
    counts = drawn(shares.expand(n, -1), numbers).bincount(minlength=6).double()
    chi_squared = float(((counts - n * shares[0]) ** 2 / (n * shares[0])).sum())
    assert chi_squared < 20.5  # the 99.9% point of chi-squared with 5 degrees of freedom


def test_numbers_depend_on_seed_place_and_answer_and_on_nothing_else() -> None:
    sampling = Sampling(temperature=1.0, max_new_tokens=4)
    both = uniforms(sampling, [3, 8], 2)
    assert torch.equal(both[2:], uniforms(sampling, [8], 2))
    assert len({tuple(row) for row in both.tolist()}) == 4
    other = Sampling(temperature=1.0, max_new_tokens=4, seed=7)
    assert not torch.equal(both, uniforms(other, [3, 8], 2))


def test_rows_of_beams_share_their_prompts_mask() -> None:
    mask = torch.tensor([[0, 1], [1, 1]])
    chooser = Chooser(Sampling(repetition_penalty=2.0, beams=2), mask, None)
    ids = torch.tensor([[7, 1, 2], [7, 1, 3], [7, 1, 2], [7, 1, 3]])
    before = scores(2, rows=4)
    changed = [
        set(torch.nonzero(a != b).flatten().tolist())
        for a, b in zip(before, chooser(ids, before.clone()), strict=True)
    ]
    assert changed == [{1, 2}, {1, 3}, {1, 2, 7}, {1, 3, 7}]
