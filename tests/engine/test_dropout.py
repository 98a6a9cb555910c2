"""Draws are a function of seed, step, module, row and position: law 2."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nybble.data.batches import make_step, padded
from nybble.data.packing import Layout
from nybble.data.render import TokenRow
from nybble.engine.dropout import (
    Place,
    PlacedDropout,
    draws,
    place_dropouts,
    signed,
    threshold,
    token_keys,
)

pytestmark = pytest.mark.slow


def keys(rows: int, tokens: int, seed: int = 1, step: int = 2, first_row: int = 0) -> Tensor:
    """Keys [rows, tokens] of whole rows, side by side."""
    row, position = np.indices((rows, tokens))
    return torch.from_numpy(token_keys(seed, step, row + first_row, position))


def test_a_share_p_is_dropped_and_the_mean_is_kept() -> None:
    layer = PlacedDropout(0.1, 4, Place(keys=keys(64, 50))).train()
    y = layer(torch.ones(64, 50, 96))
    # Of 307,200 draws: four standard deviations.
    assert (y == 0).double().mean() == pytest.approx(0.1, abs=0.0022)
    assert y.double().mean() == pytest.approx(1.0, abs=0.0025)
    assert y.unique().tolist() == pytest.approx([0.0, 1 / 0.9])


@pytest.mark.parametrize("p", [0.0, 1e-7, 0.05, 0.5, 0.999])
def test_the_threshold_is_p_to_24_bits(p: float) -> None:
    assert threshold(p) / 2**24 == pytest.approx(p, abs=2**-25)


def test_nothing_is_dropped_with_p_0_or_in_evaluation() -> None:
    x = torch.rand(2, 3, 4)
    assert torch.equal(PlacedDropout(0.5, 0, Place()).eval()(x), x)
    assert torch.equal(PlacedDropout(0.0, 0, Place()).train()(x), x)
    assert draws(keys(4, 5), 3, 64, 0.0).all()


@given(
    st.lists(st.integers(2, 20), min_size=1, max_size=8),
    st.integers(1, 60),
    st.sampled_from([(), (32,), (16, 64)]),
    st.integers(0, 2**31),
)
def test_draws_follow_row_and_position_and_not_the_packing(
    lengths: list[int], capacity: int, sizes: tuple[int, ...], step: int
) -> None:
    rows = [TokenRow(0, [5] * n, [False] * (n - 1) + [True], (1,)) for n in lengths]
    numbers = range(100, 100 + len(rows))
    seen: dict[tuple[int, int], int] = {}
    for pack in make_step(rows, numbers, Layout(capacity, sizes)).packs:
        found = token_keys(9, step, pack.row_numbers, pack.positions)
        places = zip(pack.row_numbers.tolist(), pack.positions.tolist(), strict=True)
        seen |= dict(zip(places, found.tolist(), strict=True))
        table = padded(pack)
        wide = token_keys(9, step, table.row_numbers, table.positions)
        assert wide[table.attention_mask == 1].tolist() == found.tolist()
    assert len(seen) == sum(n - 1 for n in lengths)
    for (row, position), key in seen.items():
        assert token_keys(9, step, np.array([row]), np.array([position])) == key


@pytest.mark.parametrize("change", ["seed", "step", "module", "row", "position"])
def test_another_seed_step_module_row_or_position_draws_anew(change: str) -> None:
    base = draws(keys(1, 40), 4, 128, 0.5)
    other = {
        "seed": lambda: draws(keys(1, 40, seed=2), 4, 128, 0.5),
        "step": lambda: draws(keys(1, 40, step=3), 4, 128, 0.5),
        "module": lambda: draws(keys(1, 40), 5, 128, 0.5),
        "row": lambda: draws(keys(1, 40, first_row=1), 4, 128, 0.5),
        "position": lambda: draws(keys(1, 41)[:, 1:], 4, 128, 0.5),
    }[change]()
    # Of 5,120 draws: five standard deviations.
    assert (base == other).double().mean() == pytest.approx(0.5, abs=0.035)


def test_neighbours_are_independent() -> None:
    kept = draws(keys(32, 64), 3, 64, 0.5).double() - 0.5
    pairs = (kept[1:] * kept[:-1], kept[:, 1:] * kept[:, :-1], kept[..., 1:] * kept[..., :-1])
    modules = [draws(keys(32, 64), n, 64, 0.5).double() - 0.5 for n in (4, 5)]
    for pair in (*pairs, kept * modules[0], modules[0] * modules[1]):
        assert abs(4 * pair.mean()) < 5 / pair.numel() ** 0.5


def test_no_column_and_no_token_is_favoured() -> None:
    kept = draws(keys(64, 64), 3, 256, 0.5).double()
    columns, tokens = kept.mean((0, 1)), kept.mean(2)
    assert columns.sub(0.5).abs().max() < 5 * 0.5 / 4096**0.5
    assert tokens.std() == pytest.approx(0.5 / 256**0.5, rel=0.05)


def test_keys_of_rows_far_apart_do_not_meet() -> None:
    """Of 40,000 keys of 32 bits, so many would meet by chance less than once: 0.19."""
    found = torch.cat([keys(100, 200), keys(100, 200, first_row=2**31)]).flatten()
    assert found.unique().numel() >= found.numel() - 3


def test_golden_values() -> None:
    """A resumed run draws what it would have drawn: a change here is a change of the format."""
    found = token_keys(42, 7, np.array([0, 0, 1, 123_456]), np.array([0, 1, 0, 4_095]))
    assert found.tolist() == GOLDEN_KEYS
    kept = draws(torch.from_numpy(found), 5, 16, 0.5)
    assert ["".join("01"[k] for k in row) for row in kept.tolist()] == GOLDEN_DRAWS


GOLDEN_KEYS = [-198859602, -1441239961, -1196173024, 1165396023]
GOLDEN_DRAWS = ["0011010100100111", "1110011110010001", "1011110011010001", "0000010000000001"]


@pytest.mark.parametrize(("word", "integer"), [(0, 0), (2**31 - 1, 2**31 - 1), (2**31, -(2**31)),
                                              (2**32 - 1, -1), (2**32 + 5, 5)])  # fmt: skip
def test_signed_words(word: int, integer: int) -> None:
    assert signed(word) == integer


def mixed(key: int, module: int, column: int) -> int:
    """The draw by its definition, in Python's integers."""

    def mix(x: int) -> int:
        x = (x ^ (x >> 16)) * 0x7FEB352D % 2**32
        x = (x ^ (x >> 15)) * 0x846CA68B % 2**32
        return x ^ (x >> 16)

    token = mix((key ^ (module * 0x7FEB352D + 1)) % 2**32)
    return mix((token + column * 0x9E3779B9) % 2**32) >> 8


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 5000), st.floats(0.0, 0.99))
def test_a_draw_is_a_hash_of_where_it_stands(key: int, module: int, p: float) -> None:
    kept = draws(torch.tensor([key], dtype=torch.int32), module, 40, p)[0]
    assert kept.tolist() == [mixed(key, module, c) >= round(p * 2**24) for c in range(40)]


def test_dropouts_of_a_model_are_placed_and_numbered() -> None:
    model = nn.ModuleList(nn.Module() for _ in range(3))
    for module, inner in zip(model, (nn.Dropout(0.1), nn.Identity(), nn.Dropout(0.3)), strict=True):
        module.lora_dropout = nn.ModuleDict({"default": inner})
    model.eval()
    place = place_dropouts(model, 77)
    first, second, third = (m.lora_dropout["default"] for m in model)
    assert isinstance(first, PlacedDropout) and isinstance(third, PlacedDropout)
    assert isinstance(second, nn.Identity)
    assert (first.p, third.p) == (0.1, 0.3)
    assert (first.module_number, third.module_number) == (0, 2)
    assert first.place is third.place is place and place.seed == 77
    assert not first.training
