"""A scikit-learn estimator around the project's stages: texts and labels in, a fitted classifier of texts out.

>>> from sklearn.model_selection import cross_val_score
>>> from pipeline import SentimentClassifier
>>> cross_val_score(SentimentClassifier(), texts, labels)
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from pipeline.fitting import FitSettings, FittedModel, fit_model
from pipeline.library import LoadedModel
from pipeline.text_input import texts_from


class SentimentClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Trains a GRU on texts with two kinds of labels.

    Fitting runs the stages of ``make train`` in a temporary folder: near duplicates found, a part held out for every
    choice (near duplicates on one side), tokens, vocabulary, training, calibration. Blank texts are left out of it. The
    same texts, labels and parameters give the same model. A fitted estimator holds its model's files in memory and can
    be pickled; ``clone`` gives one without them.

    Args:
        recipe: a recipe of the package that starts from no pretrained model (``default``, ``tutorial``, ``demo``), or
            the path of a ``.toml`` file.
        vectors: a table of word vectors in GloVe's format; ``bundled`` for those of the model that the package carries,
            the better start of few texts, and no fair one where IMDb itself is to be measured; None for random ones.
        vocabulary_size: words at most.
        epochs: passes over the texts, at most; None takes the recipe's.
        batch_size: texts in a step; None takes the recipe's, less of few texts, so that an epoch has some 50 steps.
        random_state: a number, a ``numpy.random.RandomState``, or None for another model each time.
        verbose: tells on standard error what the stages do.

    Attributes:
        classes_: the two labels, sorted; the second is the one that the network calls positive.
        model_: the fitted model's files.
    """

    def __init__(
        self,
        recipe: str = "default",
        *,
        vectors: str | Path | None = None,
        vocabulary_size: int = 25_000,
        epochs: int | None = None,
        batch_size: int | None = None,
        random_state: int | np.random.RandomState | None = 1,
        verbose: bool = False,
    ) -> None:
        self.recipe = recipe
        self.vectors = vectors
        self.vocabulary_size = vocabulary_size
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Iterable[str], y: ArrayLike) -> Self:  # noqa: N803  # scikit-learn's name
        """Train on texts.

        Args:
            X: N texts, as :meth:`pipeline.library.LoadedModel.predict_proba` takes them.
            y: N labels of two kinds: strings, numbers or bools.

        Raises:
            TypeError: X is a single text, or holds what is no text.
            ValueError: a text or label is missing, there are not two classes, too few texts to hold some out, or a
                parameter is out of range.
            SentimentError: the disk refuses, or the word vectors cannot be read.
        """
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        labels = column_or_1d(y, warn=True)
        classes, positive = two_classes(labels)
        texts = texts_from(X)
        check_consistent_length(texts, labels)
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(2**31 - 1)
        settings = FitSettings(
            recipe=str(self.recipe),
            vectors=self.vectors,
            vocabulary_size=self.vocabulary_size,
            epochs=self.epochs,
            batch_size=self.batch_size,
            seed=int(seed),
            verbose=bool(self.verbose),
        )
        self.model_ = fit_model(texts, positive, settings)
        self.classes_ = classes
        return self

    def predict_proba(self, X: Iterable[str]) -> NDArray[np.float64]:  # noqa: N803
        """Return the calibrated probabilities, float64, (N, 2), in the order of ``classes_``."""
        return self._fitted().predict_proba(X)

    def predict(self, X: Iterable[str]) -> NDArray[Any]:  # noqa: N803
        """Return the more probable label of each text, (N,)."""
        is_second = self.predict_proba(X)[:, 1] >= 0.5
        return self.classes_[is_second.astype(np.intp)]

    def decision_function(self, X: Iterable[str]) -> NDArray[np.float64]:  # noqa: N803
        """Return the logarithm of the odds of the second class, float64, (N,)."""
        return self._fitted().decision_function(X)

    def save(self, folder: str | Path) -> Path:
        """Write the fitted model as a model folder, which ``load_model`` and ``sentiment score --model`` read.

        Their ``positive`` is the second of ``classes_``.

        Raises:
            SentimentError: the folder cannot be written.
        """
        check_is_fitted(self)
        return self.model_.save(Path(folder))

    def _fitted(self) -> LoadedModel:
        check_is_fitted(self)
        fitted: FittedModel = self.model_
        return fitted.loaded

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: one-dimensional texts in, two classes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_class = False
        return tags


def two_classes(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the two labels, sorted, and which of the labels are the second one, (N,).

    Raises:
        ValueError: there are not two, or one is missing.
    """
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("Input y contains NaN or infinity; every text needs a label")
    if labels.dtype.kind == "O" and any(label is None or label != label for label in labels):
        raise ValueError("Input y contains NaN or None; every text needs a label")
    check_classification_targets(labels)
    classes, numbers = np.unique(labels, return_inverse=True)
    if len(classes) > 2:
        kind = type_of_target(labels, input_name="y")
        raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
    if len(classes) < 2:
        raise ValueError(f"Classifier can't train when only one class is present: got {classes.tolist()}, give two")
    return classes, numbers == 1
