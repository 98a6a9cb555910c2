import shutil
from pathlib import Path

import pytest

from nybble.generation.sampling import Sampling
from nybble.pipeline.inference import find_subject, load_speaker
from nybble.runs.errors import InputError

BASE_NAME = "bundled:mini"


def refused(*arguments, **more) -> InputError:
    with pytest.raises(InputError) as caught:
        find_subject(*arguments, **more)
    return caught.value


def test_a_folder_that_is_not_there_is_no_repository_on_the_hub(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    error = refused("runs/nowhere")
    assert "no run or model runs/nowhere" in error.message
    assert "hub:runs/nowhere" in error.fix
    assert "'nowhere' is no file or folder here" in refused("nowhere").message


def test_an_adapter_is_named_with_its_run_or_its_base(tmp_path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    assert f"--adapter {adapter}" in refused(str(adapter)).fix
    (tmp_path / "recipe.yaml").write_text("name: mine")
    assert refused(str(adapter)).fix == f"Name the run that it belongs to: {tmp_path}."


def test_a_run_without_an_adapter_has_only_its_base(tmp_path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        f"name: mine\nmodel: {{base: '{BASE_NAME}'}}\ndata: {{train: rows.jsonl}}\n"
    )
    error = refused(str(tmp_path))
    assert "is not trained yet" in error.message and "--base" in error.fix
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "audit.json").write_text('{"format": "messages"}')
    found = find_subject(str(tmp_path), base=True)
    assert found.is_run and found.conversations and found.trained_folder is None


def test_base_and_adapter_exclude_each_other() -> None:
    assert "exclude each other" in refused(BASE_NAME, "somewhere", True).message


def test_an_adapter_that_does_not_exist() -> None:
    assert "nowhere does not exist" in refused(BASE_NAME, "./nowhere").message


def test_a_model_alone_converses_when_it_has_a_chat_template(tmp_path) -> None:
    found = find_subject(BASE_NAME)
    assert found.conversations and not found.is_run
    plain = tmp_path / "plain"
    shutil.copytree(found.model_folder, plain)
    (plain / "chat_template.jinja").unlink()
    assert not find_subject(str(plain)).conversations


@pytest.mark.slow
def test_the_runs_own_adapter_speaks_and_can_be_switched_off(finished: Path, stage) -> None:
    speaker = load_speaker(find_subject(str(finished)))
    base = load_speaker(find_subject(str(finished), base=True))
    assert speaker.tuned and not base.tuned
    texts = [example.prompt for example in stage.prepared.splits.test[:8]]
    prompts = speaker.renderer.prompt_ids(texts)
    sampling = Sampling(max_new_tokens=6)
    tuned = speaker.answers(prompts, sampling)
    untuned = speaker.answers(prompts, sampling, tuned=False)
    assert tuned != untuned == base.answers(prompts, sampling)
    assert speaker.answers(prompts, sampling) == tuned


@pytest.mark.slow
def test_an_adapter_can_be_put_on_a_model_alone(finished: Path) -> None:
    run = load_speaker(find_subject(str(finished)))
    named = load_speaker(find_subject(BASE_NAME, str(finished / "adapter")))
    prompts = run.renderer.prompt_ids(["lamp\nPrice: $", "camera\nPrice: $"])
    assert named.answers(prompts, Sampling()) == run.answers(prompts, Sampling())


@pytest.mark.slow
def test_an_adapter_of_another_model_is_refused(finished: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    other = tmp_path / "adapter"
    shutil.copytree(finished / "adapter", other)
    path = other / "adapter_model.safetensors"
    wider = {name: tensor.repeat(2, 2) for name, tensor in load_file(path).items()}
    save_file(wider, path)
    with pytest.raises(InputError, match="does not fit the model"):
        load_speaker(find_subject(BASE_NAME, str(other)))


@pytest.mark.slow
def test_a_prompt_longer_than_the_model_takes_is_refused(finished: Path) -> None:
    speaker = load_speaker(find_subject(str(finished)))
    with pytest.raises(InputError, match=r"has 1,020 tokens.*more than the model's 1,024"):
        speaker.answers([[5] * 1020], Sampling(max_new_tokens=5))
    speaker.answers([[5] * 1020], Sampling(max_new_tokens=4))
    with pytest.raises(InputError, match="Prompt 2 is empty"):
        speaker.answers([[5], []], Sampling(max_new_tokens=5))
