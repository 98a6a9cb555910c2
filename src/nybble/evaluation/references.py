"""References that need no language model: what a fine-tuned one has to beat to be worth its cost.

The constant knows nothing of the row. The ridges know which words and word pairs are in it, and are
what an hour of ordinary machine learning gives; the nearest row is what a search in the training
rows gives.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nybble.runs.errors import InputError

Floats = npt.NDArray[np.float64]
Fit = Callable[[float], tuple[float, Any]]

# scikit-learn's own pattern drops tokens of one character: `5` would say nothing in `sleeps 5`.
# The word pairs keep the two halves of `1.5` together.
TOKEN_PATTERN = r"\w+"
# Exponents k of alpha = 10^(k / 2): 0.01 to 100, and as far as the search may go beyond.
GRID = range(-4, 5)
WIDEST_GRID = range(-8, 9)
NEAREST_AT_ONCE = 256


@dataclass(frozen=True)
class RidgeResult:
    """A ridge: the `alpha` that validation rows chose, its error there, and [test] guesses."""

    name: str
    alpha: float
    validation_mae: float
    predictions: Floats


def constant_reference(train_truth: Floats) -> float:
    """The median: of all constants, the one with the least absolute error."""
    if not len(train_truth):
        raise InputError(
            "There are no training rows to take the median of.",
            "Give data.train at least one row with a true value.",
        )
    return float(np.median(train_truth))


def ridge_references(
    train_texts: Sequence[str],
    train_truth: Floats,
    validation_texts: Sequence[str],
    validation_truth: Floats,
    test_texts: Sequence[str],
) -> dict[str, RidgeResult]:
    """Ridge regressions on TF-IDF of words and word pairs: `ridge`, and `ridge (log)` of log1p.

    The second is left out when a truth is -1 or less. Alpha is the one with the least absolute
    error on the validation rows, which are not trained on; the guesses are in the truth's own unit
    and within the range of the training truth. Takes seconds for 20,000 texts. Raises
    InputError when one of the three has no rows, or the training texts have no words.
    """
    if not (len(train_texts) and len(validation_texts) and len(test_texts)):
        raise InputError(
            "A ridge needs training rows, validation rows to choose its alpha on, and test rows.",
            "Set data.validation and data.test above 0.",
        )
    x_train, vectorize = _vectorized(train_texts)
    x_validation, x_test = vectorize(validation_texts), vectorize(test_texts)

    def best(name: str, log: bool) -> RidgeResult:
        def fit(alpha: float) -> tuple[float, Floats]:
            predict = _fitted(x_train, train_truth, alpha, log)
            mae = float(np.mean(np.abs(predict(x_validation) - validation_truth)))
            return mae, predict(x_test)

        alpha, mae, predictions = _search(fit)
        return RidgeResult(name, alpha, mae, predictions)

    results = {"ridge": best("ridge", log=False)}
    if min(train_truth.min(), validation_truth.min()) > -1.0:
        results["ridge (log)"] = best("ridge (log)", log=True)
    return results


def ridge_classifier(
    train_texts: Sequence[str],
    train_labels: Sequence[str],
    validation_texts: Sequence[str],
    validation_labels: Sequence[str],
    test_texts: Sequence[str],
) -> list[str]:
    """Labels [test] by a ridge on TF-IDF for each label, the largest of which is taken.

    Alpha is the one with the fewest errors on the validation rows. Raises InputError when the
    training texts have no words; rows of one label alone give that label.
    """
    if len(set(train_labels)) == 1:
        return [train_labels[0]] * len(test_texts)
    x_train, vectorize = _vectorized(train_texts)
    x_validation, x_test = vectorize(validation_texts), vectorize(test_texts)
    truth = np.array(validation_labels)

    def fit(alpha: float) -> tuple[float, Any]:
        from sklearn.linear_model import RidgeClassifier

        model = RidgeClassifier(alpha=alpha, solver="sparse_cg").fit(x_train, train_labels)
        return float(np.mean(model.predict(x_validation) != truth)), model.predict(x_test)

    guesses = _search(fit)[2]
    return [str(guess) for guess in guesses]


def nearest_answers(
    train_texts: Sequence[str], train_answers: Sequence[str], test_texts: Sequence[str]
) -> list[str]:
    """Answers [test], each that of the training row whose text is the likest by TF-IDF."""
    # A word that only one row has tells that row from all others.
    x_train, vectorize = _vectorized(train_texts, rows_of_a_term=(1,))
    found: list[str] = []
    for start in range(0, len(test_texts), NEAREST_AT_ONCE):
        likeness = vectorize(test_texts[start : start + NEAREST_AT_ONCE]) @ x_train.T
        found += [train_answers[int(place)] for place in np.asarray(likeness.argmax(axis=1)).flat]
    return found


def _vectorized(
    train_texts: Sequence[str], rows_of_a_term: Sequence[int] = (2, 1)
) -> tuple[Any, Callable[[Sequence[str]], Any]]:
    """The sparse [train, terms] matrix, and what turns other texts into rows by the same terms."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    # On few texts no term may occur twice; then those that occur once have to do.
    for min_df in rows_of_a_term:
        terms = TfidfVectorizer(
            ngram_range=(1, 2), sublinear_tf=True, min_df=min_df, token_pattern=TOKEN_PATTERN
        )
        try:
            return terms.fit_transform(train_texts), terms.transform
        except ValueError:
            continue
    raise InputError(
        "No training text has a word in it.", "Check the column or template in data.prompt."
    )


def _fitted(x_train: Any, truth: Floats, alpha: float, log: bool) -> Callable[[Any], Floats]:
    """A ridge on [train, terms], as what turns [rows, terms] into [rows] guesses."""
    from sklearn.linear_model import Ridge

    target = np.log1p(truth) if log else truth
    # sparse_cg also fits the intercept without making the matrix dense.
    model = Ridge(alpha=alpha, solver="sparse_cg").fit(x_train, target)

    def predict(x: Any) -> Floats:
        # Clipped where it was fitted: far out, expm1 overflows.
        guess: Floats = np.clip(model.predict(x), target.min(), target.max())
        return np.expm1(guess) if log else guess

    return predict


def _search(fit: Fit) -> tuple[float, float, Any]:
    """The alpha of least error, with its error and guesses; a best at the edge moves the edge."""
    tried = {k: fit(10.0 ** (k / 2)) for k in GRID}
    while True:
        best = min(tried, key=lambda k: (tried[k][0], abs(k)))
        beyond = {min(tried): best - 1, max(tried): best + 1}.get(best)
        if beyond is None or beyond not in WIDEST_GRID:
            return (10.0 ** (best / 2), *tried[best])
        tried[beyond] = fit(10.0 ** (beyond / 2))
