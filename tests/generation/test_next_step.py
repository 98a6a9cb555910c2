"""Captured decode steps, with a stand-in for the GPU's capture: it computes anew at each replay."""

import inspect
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nybble.generation import next_step
from nybble.generation.choice import uniforms
from nybble.generation.decoding import decode
from nybble.generation.ending import Ending
from nybble.generation.sampling import Sampling

FAMILIES = ["llama", "qwen2", "qwen3", "mistral"]


class Captures:
    """As `captured`: nothing that a capture runs is done, and replays write to one tensor."""

    def __init__(self) -> None:
        self.count = self.replays = 0

    def __call__(self, compute: Callable) -> tuple[Callable, torch.Tensor]:
        self.count += 1
        result = compute()
        for layer in inspect.getclosurevars(compute).nonlocals["cache"].layers:
            layer.cumulative_length.sub_(1)

        def run() -> None:
            self.replays += 1
            result.copy_(compute())

        return run, result


@pytest.fixture
def captures(monkeypatch) -> Captures:
    made = Captures()
    monkeypatch.setattr(next_step, "captured", made)
    monkeypatch.setattr(next_step, "_lies_on_one_gpu", lambda model: True)
    return made


def decoded(model, numbers, prompts, sampling, stops) -> list[list[int]]:
    draws = uniforms(sampling, range(len(prompts)), 2) if sampling.samples else None
    with torch.no_grad():
        return decode(model, prompts, 2, sampling, draws, Ending(numbers, frozenset(stops)))


@settings(max_examples=25)
@given(
    family=st.sampled_from(FAMILIES),
    prompts=st.lists(st.lists(st.integers(2, 59), min_size=1, max_size=14), min_size=1, max_size=6),
    sampling=st.builds(
        Sampling, max_new_tokens=st.integers(1, 14), temperature=st.sampled_from([0.0, 1.0])
    ),
    stops=st.sets(st.integers(0, 60), max_size=8),
)
def test_replayed_steps_say_what_eager_ones_do(tiny, numbers, family, prompts, sampling, stops):
    eager = decoded(tiny(family), numbers, prompts, sampling, stops)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(next_step, "captured", Captures())
        patch.setattr(next_step, "_lies_on_one_gpu", lambda model: True)
        assert decoded(tiny(family), numbers, prompts, sampling, stops) == eager


def test_a_batch_is_captured_once_and_replayed_to_its_end(tiny, numbers, captures) -> None:
    """The prompt, then one eager step, then replays: eleven steps follow the first token."""
    decoded(tiny("llama"), numbers, [[3, 4, 5], [6]], Sampling(max_new_tokens=12), [])
    assert (captures.count, captures.replays) == (1, 10)


def test_so_few_steps_that_a_capture_gains_nothing_are_eager(tiny, numbers, captures) -> None:
    least = next_step.WORTH_CAPTURING + 2  # the first token, an eager step, and those replayed
    decoded(tiny("llama"), numbers, [[3, 4, 5]], Sampling(max_new_tokens=least - 1), [])
    assert captures.count == 0
    decoded(tiny("llama"), numbers, [[3, 4, 5]], Sampling(max_new_tokens=least), [])
    assert (captures.count, captures.replays) == (1, next_step.WORTH_CAPTURING)


def test_rows_that_are_left_are_captured_anew(tiny, numbers, captures) -> None:
    """Stops are taken from what the rows say, so that half of them leave on the way."""
    prompts, sampling = [[n, n + 1] for n in range(2, 10)], Sampling(max_new_tokens=20)
    said = decoded(tiny("llama"), numbers, prompts, sampling, [])
    captures.count = 0
    decoded(tiny("llama"), numbers, prompts, sampling, {ids[5] for ids in said[:10]})
    assert captures.count > 1


def test_where_a_graph_has_no_room_steps_are_eager(tiny, numbers, captures, monkeypatch) -> None:
    sampling = Sampling(max_new_tokens=12)
    expected = decoded(tiny("llama"), numbers, [[3, 4, 5]], sampling, [])
    tried = []

    def full(compute: Callable) -> None:
        tried.append(1)
        raise torch.OutOfMemoryError

    monkeypatch.setattr(next_step, "captured", full)
    assert decoded(tiny("llama"), numbers, [[3, 4, 5]], sampling, []) == expected
    assert len(tried) == 1


@pytest.mark.parametrize(
    ("devices", "linear", "captured"),
    [
        (["cuda:0", "cuda:0"], "Linear4bit", True),
        (["cuda:0", "cpu"], "Linear4bit", False),
        (["cuda:0", "cuda:1"], "Linear4bit", False),
        (["cuda"], "Linear8bitLt", False),
        (["cpu"], "Linear", False),
    ],
)
def test_only_what_lies_on_one_gpu_and_never_waits_is_captured(devices, linear, captured) -> None:
    model = SimpleNamespace(
        parameters=lambda: [SimpleNamespace(device=torch.device(device)) for device in devices],
        modules=lambda: [type(linear, (), {})()],
    )
    assert next_step.NextStep(model).may_capture == captured
