from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says nothing about whether it is right.
settings.register_profile("nybble", deadline=None)
# `make check` asks for this one: enough to notice, not to search.
settings.register_profile("fast", deadline=None, max_examples=20)
# `make exhaustive` asks for this one.
settings.register_profile("exhaustive", deadline=None, max_examples=1000)
settings.load_profile("nybble")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Tests neither find nor leave prepared rows in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NYBBLE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs the tokenizers and chat templates of ../shared")
    return folder


SMALL = ["data.limit=700", "data.validation=50", "data.test=60", "evaluate.size=60"]


@pytest.fixture(scope="session")
def small_recipe():
    """The demo's recipe on 700 rows."""
    from nybble.recipe import load_recipe

    return load_recipe("price-demo", SMALL)


@pytest.fixture(scope="session")
def stage(small_recipe):
    """Rows and tokenizer of the small demo; no weights."""
    from nybble.pipeline.stage import make_stage

    return make_stage(small_recipe)


@pytest.fixture(scope="session")
def plan(stage):
    """A plan for a CPU, whatever the machine has, in fp32."""
    from nybble.planner.device import Device

    return stage.plan(Device("cpu", "test", (0, 0), 8_000_000_000))


@pytest.fixture
def mini_model(stage, plan):
    """The bundled model in NF4, with adapters that do something: B is not zero."""
    import torch

    from nybble.model.adapters import trainable_parameters
    from nybble.pipeline.train import load_model

    model = load_model(stage, plan, None)
    generator = torch.Generator().manual_seed(7)
    for name, parameter in trainable_parameters(model).items():
        if "lora_B" in name:
            parameter.data.normal_(0.0, 0.02, generator=generator)
    return model
