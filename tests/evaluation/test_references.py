import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error

from nybble.evaluation import references
from nybble.evaluation.references import RidgeResult, constant_reference, ridge_references
from nybble.mini.catalogue import catalogue
from nybble.runs.errors import InputError

Floats = npt.NDArray[np.float64]
ROWS = list(catalogue(1300, seed=5))
TEXTS = [row["text"] for row in ROWS]
PRICES = np.array([float(row["price"]) for row in ROWS])
TRAIN, VALIDATION, TEST = slice(0, 1000), slice(1000, 1150), slice(1150, 1300)


def ridges(truth: Floats = PRICES) -> dict[str, RidgeResult]:
    return ridge_references(
        TEXTS[TRAIN], truth[TRAIN], TEXTS[VALIDATION], truth[VALIDATION], TEXTS[TEST]
    )


def test_no_constant_errs_less_than_the_constant_reference() -> None:
    guess = constant_reference(PRICES)
    best = np.mean(np.abs(PRICES - guess))
    assert all(best <= np.mean(np.abs(PRICES - other)) for other in range(1, 1000))
    with pytest.raises(InputError):
        constant_reference(np.array([]))


@pytest.mark.parametrize("name", ["ridge", "ridge (log)"])
def test_a_ridge_is_what_scikit_learn_fits_on_the_training_rows_alone(name: str) -> None:
    found = ridges()[name]
    terms = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, min_df=2, token_pattern=references.TOKEN_PATTERN
    )
    x = terms.fit_transform(TEXTS[TRAIN]).toarray()
    log = name == "ridge (log)"
    target = np.log1p(PRICES[TRAIN]) if log else PRICES[TRAIN]
    model = Ridge(alpha=found.alpha, solver="cholesky").fit(x, target)

    def predicted(texts: list[str]) -> Floats:
        guess = model.predict(terms.transform(texts).toarray())
        guess = np.expm1(guess) if log else guess
        return np.clip(guess, PRICES[TRAIN].min(), PRICES[TRAIN].max())

    assert found.name == name
    assert found.predictions.shape == (150,)
    assert found.predictions == pytest.approx(predicted(TEXTS[TEST]), rel=0.01, abs=0.5)
    oracle = mean_absolute_error(PRICES[VALIDATION], predicted(TEXTS[VALIDATION]))
    assert found.validation_mae == pytest.approx(oracle, rel=0.01)


def test_ridges_beat_the_constant_and_prices_are_better_told_in_logs() -> None:
    found = ridges()
    truth = PRICES[TEST]
    error = {name: np.mean(np.abs(r.predictions - truth)) for name, r in found.items()}
    constant = np.mean(np.abs(constant_reference(PRICES[TRAIN]) - truth))
    assert error["ridge (log)"] < error["ridge"] < 0.9 * constant


def test_numbers_of_one_digit_and_decimals_are_terms() -> None:
    texts = [f"tent that sleeps {k}" for k in range(1, 9)] * 4
    truth = np.array([10.0 * k for k in range(1, 9)] * 4)
    found = ridge_references(texts, truth, texts, truth, ["tent that sleeps 8"])
    assert found["ridge"].predictions[0] == pytest.approx(80, abs=2)
    texts = ["weighs 1.5", "weighs 2.5", "weighs 5.1", "weighs 5.2"] * 4
    truth = np.array([10.0, 20.0, 30.0, 40.0] * 4)
    found = ridge_references(texts, truth, texts, truth, ["weighs 1.5", "weighs 5.1"])
    assert found["ridge"].predictions == pytest.approx([10, 30], abs=1)


def test_predictions_stay_within_the_range_of_the_training_truth() -> None:
    texts, truth = ["cheap", "cheap", "dear", "dear"], np.array([1.0, 1.0, 9.0, 9.0])
    extremes = ["dear dear dear", "cheap cheap", "dear", "cheap"]
    for result in ridge_references(texts, truth, texts, truth, extremes).values():
        assert result.predictions.min() >= 1.0 - 1e-12
        assert result.predictions.max() <= 9.0 + 1e-12


def test_logs_are_left_out_where_they_do_not_exist() -> None:
    assert list(ridges()) == ["ridge", "ridge (log)"]
    for row in (5, 1100):
        truth = PRICES.copy()
        truth[row] = -1.0
        assert list(ridges(truth)) == ["ridge"]


@pytest.mark.parametrize("best", [-8, -6, -4, -1, 0, 3, 4, 7, 8])
def test_the_search_finds_the_best_alpha_also_beyond_its_grid(best: int) -> None:
    tried: list[float] = []

    def fit(alpha: float) -> tuple[float, Floats]:
        tried.append(alpha)
        return abs(2 * np.log10(alpha) - best) + 1.0, np.array([alpha])

    alpha, mae, predictions = references._search(fit)
    assert alpha == pytest.approx(10 ** (best / 2))
    assert mae == pytest.approx(1.0)
    assert predictions.tolist() == [alpha]
    assert len(tried) == len(set(tried))


def test_the_search_ends_where_more_shrinking_always_helps_or_nothing_does() -> None:
    assert references._search(lambda alpha: (1 / alpha, np.empty(0)))[0] == pytest.approx(1e4)
    assert references._search(lambda alpha: (alpha, np.empty(0)))[0] == pytest.approx(1e-4)
    assert references._search(lambda alpha: (3.0, np.empty(0)))[0] == 1.0


def test_tiny_data_falls_back_to_terms_that_occur_once() -> None:
    found = ridge_references(
        ["red lamp", "blue rug"], np.array([5.0, 50.0]), ["red"], np.array([5.0]), ["red", "rug"]
    )
    low, high = found["ridge"].predictions
    assert low < high


def test_data_without_rows_or_words_is_refused() -> None:
    one, none = np.array([1.0]), np.array([])
    for texts in (([], ["a"], ["a"]), (["a"], [], ["a"]), (["a"], ["a"], [])):
        train, validation, test = texts
        with pytest.raises(InputError, match="rows"):
            ridge_references(
                train, one if train else none, validation, one if validation else none, test
            )
    with pytest.raises(InputError, match="word"):
        ridge_references(["!?", "..."], np.array([1.0, 2.0]), ["a"], one, ["b"])


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = (
        "import sys, nybble.evaluation; "
        "print([m for m in ('torch', 'sklearn', 'scipy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_ridge_classifier_learns_which_words_mean_which_label() -> None:
    rng = np.random.default_rng(0)
    labels = [str(label) for label in rng.choice(["lamp", "tent", "chair"], 120)]
    texts = [f"a {label} for sale number {i}" for i, label in enumerate(labels)]
    guesses = references.ridge_classifier(
        texts[:60], labels[:60], texts[60:90], labels[60:90], texts[90:]
    )
    assert guesses == labels[90:]
    alone = references.ridge_classifier(texts[:9], ["lamp"] * 9, texts[:3], labels[:3], texts[:2])
    assert alone == ["lamp", "lamp"]


def test_the_nearest_row_answers_for_the_row_that_is_likest(monkeypatch) -> None:
    monkeypatch.setattr(references, "NEAREST_AT_ONCE", 2)
    train = ["a red brass lamp", "a green tent", "an old oak chair"]
    asked = ["tent in green", "brass lamp", "chair of oak"]
    found = references.nearest_answers(train, ["one", "two", "three"], asked)
    assert found == ["two", "one", "three"]
