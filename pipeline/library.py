"""The project as a library: a trained model takes texts and answers in arrays, as scikit-learn has them.

>>> from pipeline import load_model
>>> load_model().predict(["A joy from start to end.", "A waste of an evening."]).tolist()
['positive', 'negative']

Neither torch nor scikit-learn nor pandas is imported where the compiled kernels are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.inference import BUNDLED_FOLDER, SentimentModel, find_model, sigmoid
from pipeline.scoring.rows import Row
from pipeline.scoring.windows import LONGEST_TEXT, text_to_score
from pipeline.text_input import texts_from

MODELS_FOLDER = Path("data") / "models"


class LoadedModel:
    """A trained model, ready to score texts; made by :func:`load_model`.

    Texts are scored as ``sentiment score`` scores them, very long ones are cut likewise. A blank text gets the model's
    answer to an empty review, where a CSV's blank cell gets none; a missing one (None, NaN) is an error.

    Attributes:
        name: of the model.
        classes_: ``negative`` and ``positive``, in the order of the columns of :meth:`predict_proba`.
    """

    def __init__(self, model: SentimentModel) -> None:
        self.name = model.name
        self.classes_ = np.array(["negative", "positive"])
        self._model = model

    def __repr__(self) -> str:
        """Return the model's name."""
        return f"{type(self).__name__}({self.name!r})"

    def predict_proba(self, texts: Iterable[str]) -> NDArray[np.float64]:
        """Return the calibrated probabilities, float64, (N, 2), each row's sum 1.

        Args:
            texts: N texts: a list, generator, pandas Series, NumPy array.

        Raises:
            TypeError: it is a single text, or holds what is no text.
            ValueError: a text is missing.
        """
        return two_columns(sigmoid(self._logits(texts), self._model.temperature))

    def predict(self, texts: Iterable[str]) -> NDArray[np.str_]:
        """Return ``negative`` or ``positive`` for each text, (N,); raises what :meth:`predict_proba` raises."""
        return self.classes_[(self.predict_proba(texts)[:, 1] >= 0.5).astype(np.intp)]

    def decision_function(self, texts: Iterable[str]) -> NDArray[np.float64]:
        """Return the logarithm of the odds that a text is positive, float64, (N,); above 0 is predicted positive."""
        return self._logits(texts).astype(np.float64) / self._model.temperature

    def _logits(self, texts: Iterable[str]) -> NDArray[np.float32]:
        return self._model.logits(cut_to_score(texts_from(texts)))


def two_columns(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities of the negative and the positive class, (N, 2), of those of the positive one, (N,)."""
    return np.stack([1.0 - probabilities, probabilities], axis=1)


def cut_to_score(texts: Sequence[str]) -> list[str]:
    """Return the texts with very long ones cut as in a CSV."""
    return [text if len(text) <= LONGEST_TEXT else text_to_score(Row(0, 0, [text]), 0) or "" for text in texts]


def load_model(model: str | Path | None = None) -> LoadedModel:
    """Load a trained model.

    Args:
        model: a model folder, or the name of a model in ``data/models`` of the current folder or in the package; None
            for the one that the package carries. (``sentiment score`` prefers the last model trained in its data
            folder. A library is called from anywhere, and is not to answer otherwise from another place.)

    Raises:
        SentimentError: there is no such model, or it is damaged; one line with the way out.
    """
    folder = find_model(BUNDLED_FOLDER, None) if model is None else find_model(MODELS_FOLDER, str(model))
    return LoadedModel(SentimentModel.load(folder))
