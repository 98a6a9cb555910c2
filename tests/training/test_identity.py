import pytest

from nybble.recipe import load_recipe
from nybble.recipe.references import map_references
from nybble.runs.errors import InputError
from nybble.sources import absolute
from nybble.training.identity import check_identity, identity_of


def identity(*overrides: str):
    return identity_of(load_recipe("price-demo", list(overrides)))


def test_every_field_that_differs_is_told_as_it_was_and_is() -> None:
    then, now = identity("lora.r=8", "train.seed=1"), identity("lora.r=16", "train.seed=2")
    with pytest.raises(InputError) as caught:
        check_identity("run", then, now)
    assert "lora.r (8 then, 16 now), train.seed (1 then, 2 now)" in caught.value.message


def test_how_often_is_saved_may_change() -> None:
    check_identity("run", identity("train.save_steps=3"), identity("train.save_strategy=no"))


def test_a_path_is_the_same_as_the_one_that_a_run_writes_down(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    begun = load_recipe("price-demo", ["model.base=./mine", "model.adapter=./learnt"])
    resumed = map_references(begun, absolute)
    check_identity("run", identity_of(begun), identity_of(resumed))
    assert resumed.model.base == str(tmp_path / "mine")
