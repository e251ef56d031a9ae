"""Optional stage before training: trained models give soft labels to unlabelled reviews, for others to learn from.

The teachers are models trained here and, if wanted, NB-SVM, which errs on other reviews than recurrent networks do.
Their scores are blended by what they are worth on the validation part, to label the unsupervised split.

Beside them stand short pieces of training and unsupervised reviews, from one sentence on. A piece has the label of the
review that it is from, the true one where there is one: what a student learns of it is how often such words stand in
praise. (A teacher asked about the piece alone would pass on its own prejudice about short texts, which it never saw.)
No near duplicate of a test or validation review is among them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arrow_files import read_arrow
from pipeline.artifacts import StageOutput, read_json, read_manifest, require_unchanged
from pipeline.baselines import nb_svm_scores
from pipeline.console import Console
from pipeline.errors import SentimentError, UsageError
from pipeline.inference import CONFIG_NAME, VOCABULARY_NAME, SentimentModel, settings_of
from pipeline.lineage import check_lineage
from pipeline.pretraining_data import SPLITS
from pipeline.review_spans import UNSUPERVISED, Spans, TokenisedReviews, drawn_pieces, readable_rows, whole_reviews
from pipeline.splits import fingerprint_of_rows
from pipeline.teacher_blend import Scores, fit_blend
from pipeline.vocabulary import Vocabulary

LABELS_NAME = "labels.arrow"
SCHEMA = pa.schema(
    [
        ("split", pa.int32()),
        ("row", pa.int32()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("probability", pa.float32()),
    ]
)


def validation_of(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.int8], Scores]:
    """Return a model's validation rows, labels and logits, as training left them."""
    table = read_arrow(folder / "validation.arrow", ["row", "label", "logit"], "train")
    return table["row"].to_numpy(), table["label"].to_numpy(), table["logit"].to_numpy().astype(np.float64)


def validations_of(teachers: Sequence[Path]) -> tuple[NDArray[np.int64], NDArray[np.int8], Scores]:
    """Return the rows and labels of the validation part, and all teachers' logits of it, (N, M).

    Raises:
        SentimentError: two teachers have different validation parts.
    """
    rows, labels, first = validation_of(teachers[0])
    columns = [first]
    for teacher in teachers[1:]:
        others, _, logits = validation_of(teacher)
        if not np.array_equal(rows, others):
            raise SentimentError(f"{teacher}: held out other reviews than {teachers[0]}; train both on one corpus")
        columns.append(logits)
    return rows, labels, np.stack(columns, axis=1)


def require_trained_on(teachers: Sequence[Path], corpus_fingerprint: str) -> None:
    """Refuse teachers of another corpus, whose rows are other reviews.

    Raises:
        SentimentError: naming the first.
        UsageError: one is named twice.
    """
    if len({teacher.resolve() for teacher in teachers}) < len(teachers):
        raise UsageError("a teacher is named twice")
    for teacher in teachers:
        config = read_json(teacher / CONFIG_NAME, "train it again")
        if config.get("corpus", {}).get("fingerprint") != corpus_fingerprint:
            raise SentimentError(f"{teacher}: trained on another corpus than today's; train it again")


def model_scores(folder: Path, reviews: TokenisedReviews, spans: Spans) -> Scores:
    """Return a model's uncalibrated logits of spans, float64, (N,)."""
    model = SentimentModel.load(folder)
    unknown_words = settings_of(model.config).unknown_words
    ids_of_forms = Vocabulary.load(folder / VOCABULARY_NAME).token_ids(reviews.forms, unknown_words)
    return model.logits_of(reviews.spans(ids_of_forms, spans)).astype(np.float64)


def linear_scores(
    corpus_folder: Path, labels: NDArray[np.int8], validation_rows: NDArray[np.int64], unsupervised: NDArray[np.int64]
) -> tuple[Scores, Scores]:
    """Return NB-SVM's decision values of the validation part and of unsupervised rows.

    Args:
        corpus_folder: what ``sentiment data`` wrote.
        labels: of the whole training split; NB-SVM is fitted on what is not held out.
        validation_rows: of the training split.
        unsupervised: rows of the unsupervised split.
    """
    train = read_arrow(corpus_folder / "train.arrow", ["text"], "data").column("text")
    fitted_rows = np.setdiff1d(np.arange(len(train)), validation_rows)
    unlabelled = read_arrow(corpus_folder / "unsupervised.arrow", ["text"], "data").column("text")
    asked = [*train.take(validation_rows).to_pylist(), *unlabelled.take(unsupervised).to_pylist()]
    scores = nb_svm_scores(train.take(fitted_rows).to_pylist(), labels[fitted_rows], asked)
    return scores[: len(validation_rows)], scores[len(validation_rows) :]


def labels_table(whole: Spans, of_whole: Scores, pieces: Spans, labels: NDArray[np.int8]) -> pa.Table:
    """Return reviews and pieces with their probabilities, as kept in ``labels.arrow``.

    Args:
        whole: unsupervised reviews.
        of_whole: their probabilities, (N,).
        pieces: of reviews of all splits.
        labels: true ones of the training split.
    """
    of_unsupervised = dict(zip(whole.rows.tolist(), of_whole.tolist(), strict=True))
    of_pieces = [
        of_unsupervised[row] if split == UNSUPERVISED else float(labels[row])
        for split, row in zip(pieces.splits.tolist(), pieces.rows.tolist(), strict=True)
    ]
    columns = [
        np.concatenate([getattr(part, name) for part in (whole, pieces)])
        for name in ("splits", "rows", "starts", "ends")
    ]
    probabilities = np.concatenate([of_whole, of_pieces]).astype(np.float32)
    return pa.table([pa.array(column) for column in (*columns, probabilities)], schema=SCHEMA)


def teach(
    teachers: Sequence[Path],
    corpus_folder: Path,
    tokens_folder: Path,
    folder: Path,
    console: Console,
    *,
    nb_svm: bool,
    pieces: int,
    seed: int,
) -> dict[str, Any]:
    """Label reviews by the blend of several teachers; return the manifest.

    Args:
        teachers: model folders, all with the same validation part.
        corpus_folder: what ``sentiment data`` wrote.
        tokens_folder: what ``sentiment tokens`` wrote.
        folder: receives ``labels.arrow``.
        console: told about progress.
        nb_svm: whether NB-SVM is a further teacher, of the whole reviews.
        pieces: how many pieces of reviews stand beside the whole ones.
        seed: of the pieces.

    Raises:
        SentimentError: a stage or a model is missing or damaged, or the models have different validation parts.
    """
    started = time.perf_counter()
    corpus, tokens = read_manifest(corpus_folder, "data"), read_manifest(tokens_folder, "tokens")
    check_lineage(corpus, tokens)
    require_trained_on(teachers, corpus["fingerprint"])
    validation_rows, validation_labels, on_validation = validations_of(teachers)
    with StageOutput(folder, "teach") as output:
        readable = readable_rows(corpus_folder, validation_rows)
        reviews = TokenisedReviews(tokens_folder, [split for split in SPLITS if len(readable[split])])
        whole, drawn = whole_reviews(reviews, readable), drawn_pieces(reviews, readable, pieces, seed)
        if not len(whole) and not len(drawn):
            raise SentimentError(f"{corpus_folder}: no unlabelled reviews; ask for pieces of the others with --pieces")
        console.say(f"teach: {len(whole):,} reviews and {len(drawn):,} pieces, {len(teachers) + nb_svm} teachers")
        blend = fit_blend(on_validation, validation_labels)
        of_whole = np.stack([model_scores(teacher, reviews, whole) for teacher in teachers], axis=1)  # (N, M)
        labels = read_arrow(corpus_folder / "train.arrow", ["label"], "data")["label"].to_numpy()
        if nb_svm and len(whole):
            linear = linear_scores(corpus_folder, labels, validation_rows, readable["unsupervised"])
            on_validation, of_whole = np.c_[on_validation, linear[0]], np.c_[of_whole, linear[1]]
            blend = fit_blend(on_validation, validation_labels)
        probabilities = 1 / (1 + np.exp(-np.clip(blend.logits(of_whole), -50, 50)))
        table = labels_table(whole, probabilities, drawn, labels)
        with pa.ipc.new_file(str(output.path(LABELS_NAME)), SCHEMA) as writer:
            writer.write_table(table)
        correct = (blend.logits(on_validation) >= 0) == validation_labels
        details = {
            "teachers": [teacher.name for teacher in teachers] + ["NB-SVM"] * (nb_svm and len(whole) > 0),
            "weights": blend.weights.tolist(),
            "intercept": blend.intercept,
            "validation_accuracy": {
                "blend": float(correct.mean()),
                "each": ((on_validation >= 0) == validation_labels[:, None]).mean(axis=0).tolist(),
            },
            "validation_fingerprint": fingerprint_of_rows(validation_rows),
            "reviews": len(whole),
            "pieces": len(drawn),
            "seconds": round(time.perf_counter() - started, 1),
        }
        require_unchanged(corpus_folder, "data", corpus)
        require_unchanged(tokens_folder, "tokens", tokens)
        inputs = {"corpus": corpus["fingerprint"], "tokens": tokens["fingerprint"]}
        manifest = output.commit(inputs, {"pieces": pieces, "seed": seed}, details)
    console.say(f"teach: the blend's accuracy on validation reviews is {correct.mean():.4f}; labels in {folder}")
    return manifest
