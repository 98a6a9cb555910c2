"""What recomputed layers keep comes back, the last first."""

import pytest

pytestmark = pytest.mark.slow


def test_entries_of_one_kind_and_of_all_come_back_in_turn() -> None:
    import torch

    from nybble.engine.shelf import DeviceShelf

    wide, narrow = torch.full((3, 4, 5), torch.nan), torch.full((2, 4, 2), torch.nan)
    shelf = DeviceShelf([wide, narrow])
    entries = [
        (torch.randn(4, 5), torch.randn(4, 2)),
        (torch.randn(4, 5),),
        (torch.randn(4, 5), torch.randn(4, 2)),
    ]
    for entry in entries:
        shelf.put(*entry)
    for entry in reversed(entries):
        taken = shelf.take()
        assert len(taken) == len(entry)
        assert all(torch.equal(a, b) for a, b in zip(taken, entry, strict=True))


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_layers_whose_attention_is_kept_do_not_multiply_for_it_again(
    stand_in, compute, random_rows, monkeypatch, kept: int
) -> None:
    from nybble.engine.group import Group

    counted: list[int] = []
    plain = Group.forward

    def forward(self, x):
        counted.append(self.outputs)
        return plain(self, x)

    monkeypatch.setattr(Group, "forward", forward)
    model = stand_in("llama")
    compute(model, random_rows, recompute_layers=3, attention_layers=kept)
    joined = 64 + 2 * 32
    gate_up = 2 * 128
    assert counted.count(joined) == 3 + 3 - kept
    assert counted.count(gate_up) == 3 + 3
