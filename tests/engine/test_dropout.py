import pytest
import torch

from nybble.engine.dropout import Place, PlacedDropout

pytestmark = pytest.mark.slow


def dropout(p: float, number: int = 0, **place) -> PlacedDropout:
    return PlacedDropout(p, number, Place(**place)).train()


def test_a_share_p_is_dropped_and_the_mean_is_kept() -> None:
    layer = dropout(0.1, row_numbers=torch.arange(64))
    x = torch.ones(64, 50, 96)
    y = layer(x)
    assert (y == 0).double().mean() == pytest.approx(0.1, abs=0.003)
    assert y.mean() == pytest.approx(1.0, abs=0.004)


def test_draws_follow_the_row_not_the_batch() -> None:
    x = torch.ones(1, 20, 32)
    layer = dropout(0.5, row_numbers=torch.tensor([3, 8, 5]))
    together = layer(x.expand(3, -1, -1))
    for place, row in enumerate((3, 8, 5)):
        layer.place.row_numbers = torch.tensor([row])
        assert torch.equal(layer(x)[0], together[place])


def test_padding_to_another_width_changes_nothing() -> None:
    layer = dropout(0.5, row_numbers=torch.tensor([1]))
    wide = layer(torch.ones(1, 30, 16))
    assert torch.equal(layer(torch.ones(1, 12, 16))[0], wide[0, :12])


@pytest.mark.parametrize("change", ["seed", "step", "module", "row"])
def test_another_seed_step_module_or_row_draws_anew(change: str) -> None:
    base = {"seed": 1, "step": 2, "row_numbers": torch.tensor([3])}
    x = torch.ones(1, 40, 64)
    first = dropout(0.5, 4, **base)(x)
    if change == "module":
        second = dropout(0.5, 5, **base)(x)
    else:
        changed = {"row": {"row_numbers": torch.tensor([4])}}.get(change, {change: 9})
        second = dropout(0.5, 4, **(base | changed))(x)
    agreement = (first == second).double().mean()
    assert agreement == pytest.approx(0.5, abs=0.05)


def test_neighbours_are_independent() -> None:
    kept = dropout(0.5, row_numbers=torch.arange(32)).kept(torch.ones(32, 64, 64)).double() - 0.5
    for pair in (kept[1:] * kept[:-1], kept[:, 1:] * kept[:, :-1], kept[..., 1:] * kept[..., :-1]):
        assert abs(4 * pair.mean()) < 0.02


def test_nothing_is_dropped_in_evaluation() -> None:
    x = torch.rand(2, 3, 4)
    assert torch.equal(dropout(0.5).eval()(x), x)
