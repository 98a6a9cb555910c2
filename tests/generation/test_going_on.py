"""Generation that was interrupted, and models told apart by what they would say."""

import os
import shutil

import pytest
import torch

from nybble.generation import greedy, prefill
from nybble.generation.cache import ModelCache, PredictionCache
from nybble.generation.identity import local_identity
from nybble.generation.sampling import Sampling

pytestmark = pytest.mark.slow
PROMPTS = [[n, 5, n + 1] for n in range(2, 12)]
SAMPLED = Sampling(temperature=1.0, max_new_tokens=4)


def ask(model, tokenizer, sampling, cache, each=1, die_after=10**9) -> list[list[str]]:
    texts: list[list[str]] = [[] for _ in PROMPTS]
    told = 0

    def keep(place: int, text: str) -> None:
        nonlocal told
        texts[place].append(text)
        told += 1
        if told == die_after:
            raise KeyboardInterrupt

    greedy.generate_answers(model, tokenizer, PROMPTS, sampling, 30, keep, each, cache=cache)
    return texts


@pytest.fixture
def computed(monkeypatch) -> list[int]:
    """How many prompts each batch computes."""
    rows: list[int] = []
    forward = prefill.forward

    def watched(model, ids, *more):
        rows.append(len(ids))
        return forward(model, ids, *more)

    monkeypatch.setattr(prefill, "forward", watched)
    return rows


@pytest.mark.parametrize(("sampling", "each"), [(Sampling(max_new_tokens=4), 1), (SAMPLED, 3)])
def test_an_interrupted_evaluation_goes_on_where_it_was(
    tiny, numbers, tmp_path, computed, sampling, each
) -> None:
    model, path = tiny("llama"), tmp_path / "answers.jsonl"
    expected = ask(model, numbers, sampling, None, each)
    with pytest.raises(KeyboardInterrupt):
        ask(model, numbers, sampling, ModelCache(PredictionCache(path), "m"), each, die_after=8)
    computed.clear()
    cache = ModelCache(PredictionCache(path), "m")
    assert ask(model, numbers, sampling, cache, each) == expected
    assert sum(computed) == 10 - 8 // each
    computed.clear()
    assert ask(model, numbers, sampling, cache, each) == expected
    assert computed == []
    other = ModelCache(cache.cache, "another")
    assert ask(model, numbers, sampling, other, each) == expected
    assert sum(computed) == 10


def test_another_stop_token_or_length_is_another_question(
    tiny, numbers, tmp_path, computed, monkeypatch
) -> None:
    model, cache = tiny("llama"), ModelCache(PredictionCache(tmp_path / "a.jsonl"), "m")
    long = ask(model, numbers, Sampling(max_new_tokens=4), cache)
    assert ask(model, numbers, Sampling(max_new_tokens=2), cache) != long
    monkeypatch.setattr(model.generation_config, "eos_token_id", int(long[0][0].split()[0]))
    assert ask(model, numbers, Sampling(max_new_tokens=4), cache)[0] == [""]
    assert sum(computed) == 30


def test_a_model_is_known_by_its_base_and_the_values_of_its_adapter(tiny, tmp_path) -> None:
    model, folder = tiny("qwen2"), tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    known = local_identity(model, folder, "nf4", "float32")
    assert local_identity(model, folder, "nf4", "float32") == known
    others = [
        local_identity(model, folder, "none", "float32"),
        local_identity(model, folder, "nf4", "bfloat16"),
        local_identity(model, folder, "nf4", "float32", adapted=False),
    ]
    frozen = tiny("qwen2").get_base_model().requires_grad_(False)
    assert others[2] == local_identity(frozen, folder, "nf4", "float32")
    name, factor = next((n, p) for n, p in model.named_parameters() if "lora_B" in n)
    before = factor.detach().clone()
    with torch.no_grad():
        factor.flatten()[-1] += 1e-6
    others.append(local_identity(model, folder, "nf4", "float32"))
    with torch.no_grad():
        factor.copy_(before)
    assert local_identity(model, folder, "nf4", "float32") == known, name
    config = model.peft_config["default"]
    config.lora_alpha += 1
    others.append(local_identity(model, folder, "nf4", "float32"))
    config.lora_alpha -= 1
    (folder / "config.json").write_text("{ }")
    others.append(local_identity(model, folder, "nf4", "float32"))
    (folder / "config.json").write_text("{}")
    os.utime(folder / "model.safetensors", ns=(1, 1))
    others.append(local_identity(model, folder, "nf4", "float32"))
    assert len({known, *others}) == 1 + len(others)


def test_weights_on_the_hub_are_known_by_their_checksum_wherever_they_lie(tiny, tmp_path) -> None:
    """The Hub's cache links each file to a blob that is named by its content."""

    def identity(blob: str) -> str:
        folder = tmp_path / "snapshot"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (tmp_path / blob).write_bytes(b"weights")
        (folder / "model.safetensors").symlink_to(tmp_path / blob)
        return local_identity(tiny("qwen2"), folder, "nf4", "float32")

    assert identity("5e884898da") == identity("5e884898da") != identity("c775e7b757")
