"""What is wrong is told in two lines, by every verb that can be given it."""

import json

import pytest

# `nybble run` imports torch before it reads rows; `nybble data prepare` reads the same without.
PREPARE = ("data", "prepare")
VERBS = [("run",), ("train",), ("fetch",), PREPARE]


@pytest.mark.parametrize("verb", VERBS)
def test_no_such_recipe(refused, verb):
    told = refused(*verb, "price-dem")
    assert "'price-dem'" in told.message
    assert "Did you mean price-demo?" in told.fix


@pytest.mark.parametrize("verb", VERBS)
def test_no_such_recipe_file(refused, verb):
    assert "nowhere.yaml" in refused(*verb, "nowhere.yaml").message


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("text", ["- a\n- b", "words", "", "a: b: c", "name: 2020-99-99"])
def test_a_recipe_that_is_not_one(refused, work, verb, text):
    (work / "mine.yaml").write_text(text)
    assert refused(*verb, "mine.yaml").message.startswith("mine.yaml: ")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("lora.rank=3", "lora.rank"),
        ("train.warmup_ratio=0.1", "train.warmup_ratio"),
        ("lora.r=0", "lora.r = 0"),
        ("train.learning_rate=fast", "train.learning_rate = 'fast'"),
        ("train.seed", "'train.seed'"),
        ("a\nb=1", "a b"),
    ],
)
def test_an_override_that_is_wrong(refused, verb, override, named):
    assert named in refused(*verb, "price-demo", override).message


@pytest.mark.parametrize("verb", [("run",), ("train",), PREPARE])
def test_an_output_that_exists(refused, work, verb):
    (work / "taken").mkdir()
    (work / "taken" / "thesis.txt").write_text("years of work")
    told = refused(*verb, "price-demo", "--output", "taken")
    assert "taken exists already" in told.message


@pytest.mark.parametrize("verb", [("run",), ("train",)])
def test_replace_takes_only_the_folder_of_a_run(refused, work, verb):
    (work / "taken").mkdir()
    (work / "taken" / "thesis.txt").write_text("years of work")
    told = refused(*verb, "price-demo", "--output", "taken", "--replace")
    assert "not the folder of a run" in told.message


@pytest.mark.parametrize("verb", [("run",), ("train",), PREPARE])
def test_an_output_below_a_file(refused, work, verb):
    (work / "notes").write_text("a file")
    told = refused(*verb, "price-demo", "--output", "notes/run")
    assert "notes is a file" in told.message


@pytest.mark.parametrize("verb", ["resume", "evaluate"])
def test_a_folder_that_is_no_run(refused, work, verb):
    (work / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        assert f"{folder} is not the folder of a run" in refused(verb, folder).message


def test_an_evaluation_changes_only_how_it_evaluates(refused, work, recipe):
    recipe()
    told = refused("evaluate", ".", "train.seed=3")
    assert "'train.seed=3' would change what was trained" in told.message


def test_a_missing_file_of_rows(refused):
    assert "products.jsonl" in refused(*PREPARE, "price-local").message


def test_an_empty_file_of_rows(refused, recipe):
    assert "rows.jsonl holds no rows" in refused(*PREPARE, recipe("")).message


def test_a_row_without_a_column_that_is_needed(refused, recipe):
    rows = [{"prompt": "a", "completion": "b"}] * 10 + [{"prompt": "a"}]
    told = refused(*PREPARE, recipe("".join(json.dumps(row) + "\n" for row in rows)))
    assert "rows.jsonl: row 11 has no 'completion'" in told.message


def test_a_line_that_is_not_json(refused, recipe):
    told = refused(*PREPARE, recipe('{"prompt": "a", "completion": "b"}\n{"prompt": \n'))
    assert "rows.jsonl: line 2" in told.message


def test_a_conversation_with_a_broken_message(refused, recipe):
    good = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    bad = {"messages": [{"role": "user"}]}
    told = refused(*PREPARE, recipe(f"{json.dumps(good)}\n{json.dumps(bad)}\n"))
    assert "rows.jsonl: row 2: message 1" in told.message


def test_more_rows_split_off_than_there_are(refused, recipe):
    told = refused(*PREPARE, recipe(), "data.test=30")
    assert "take 35 rows, but there are only 30" in told.message


def test_a_model_folder_that_does_not_exist(refused, recipe):
    assert "nowhere does not exist" in refused(*PREPARE, recipe(model="./nowhere")).message


def test_a_model_without_weights(refused, recipe, model):
    folder = model("model.safetensors")
    assert f"{folder} has no weights" in refused(*PREPARE, recipe(model=folder)).message


def test_a_model_whose_weights_are_cut_off(refused, recipe, model):
    folder = model("model.safetensors", model_safetensors=bytes([90, 0, 0, 0, 0, 0, 0, 0]) + b"{")
    told = refused(*PREPARE, recipe(model=folder))
    assert "model.safetensors is cut off" in told.message


def test_a_model_without_a_tokenizer(refused, recipe, model):
    folder = model("tokenizer.json")
    assert f"{folder} has no tokenizer" in refused(*PREPARE, recipe(model=folder)).message


@pytest.mark.slow
def test_a_tokenizer_that_cannot_be_read(refused, recipe, model):
    folder = model("tokenizer.json", **{"tokenizer.json": b'{"added_tokens": []}'})
    assert "tokenizer" in refused(*PREPARE, recipe(model=folder)).message


@pytest.mark.slow
def test_rows_that_are_all_too_long(refused, recipe):
    told = refused(*PREPARE, recipe(), "data.max_length=8")
    assert "no row is left to train on" in told.message


@pytest.mark.slow
def test_run_and_train_refuse_the_same_before_anything_is_written(refused, recipe, model):
    without = model("model.safetensors")
    for verb in ("run", "train"):
        assert "products.jsonl" in refused(verb, "price-local").message
        assert "holds no rows" in refused(verb, recipe("")).message
        assert "row 1 has no" in refused(verb, recipe('{"a": 1}\n'), "data.prompt=b").message
        assert "line 1" in refused(verb, recipe("{")).message
        assert "has no weights" in refused(verb, recipe(model=without)).message
        told = refused(verb, recipe(), "data.max_length=8")
        assert "no row is left" in told.message
