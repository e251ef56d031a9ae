"""The audit of a corpus: duplicates inside and across splits, lengths, label balance of train, encoding oddities.

Test labels are no business of the audit: it looks at those of train alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.duplicates import HTML_BREAK, LEAST_JACCARD, SHINGLE_WORDS
from pipeline.reviews import NEGATIVE, POSITIVE

Groups = Mapping[str, NDArray[np.int64]]
Tables = Mapping[str, pa.Table]

_MISREAD_CONTINUATION = r"[\x{80}-\x{BF}€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
ODDITIES = {
    "control_characters": r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F\x{80}-\x{9F}]",
    "replacement_characters": r"\x{FFFD}",
    "html_breaks": HTML_BREAK,
    "html_entities": r"&(#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});",
    "mojibake": rf"Ã{_MISREAD_CONTINUATION}|Â[\x{{80}}-\x{{BF}}]|â(\x{{80}}|€)|ï»¿|ðŸ",
}
"""What is odd about a text, as RE2 patterns; mojibake is UTF-8 that was once read as Windows-1252 or Latin-1."""


def audit_corpus(tables: Tables, groups: Groups) -> dict[str, Any]:
    """Return all findings of the audit.

    Args:
        tables: for each split a table with ``text`` and ``label``.
        groups: for each split the number of each row's group of near duplicates, int64 (rows,).
    """
    return {
        "exact_duplicates": exact_duplicates(tables),
        "near_duplicates": near_duplicates(tables, groups),
        "train_labels": label_balance(tables["train"]),
        "words": {split: lengths_in_words(table) for split, table in tables.items()},
        "encoding": {split: count_oddities(table) for split, table in tables.items()},
    }


def exact_duplicates(tables: Tables) -> dict[str, Any]:
    """Count equal texts.

    Returns:
        ``within``: for each split its rows, its distinct texts and the rows that repeat an earlier one;
        ``across``: for each two splits (``train|test``) the distinct texts that stand in both and their rows in each.
    """
    rows_of_text = {split: Counter(digests(table)) for split, table in tables.items()}
    within = {
        split: {"rows": counts.total(), "distinct_texts": len(counts), "repeated_rows": counts.total() - len(counts)}
        for split, counts in rows_of_text.items()
    }
    across = {}
    for first, second in combinations(rows_of_text, 2):
        both = rows_of_text[first].keys() & rows_of_text[second].keys()
        across[f"{first}|{second}"] = {
            "distinct_texts": len(both),
            "rows": {split: sum(rows_of_text[split][text] for text in both) for split in (first, second)},
        }
    return {"within": within, "across": across}


def digests(table: pa.Table) -> list[bytes]:
    """Return a 128-bit digest of each text."""
    return [
        hashlib.blake2b(text.encode(), digest_size=16).digest()
        for chunk in table.column("text").chunks
        for text in chunk.to_pylist()
    ]


def near_duplicates(tables: Tables, groups: Groups) -> dict[str, Any]:
    """Count groups of near duplicates: over all, and those that reach from one split into another.

    Returns:
        ``groups``, ``rows_in_groups`` and ``largest_group`` over all splits, for groups of two rows or more;
        ``across``: for each two splits the groups with rows in both, and those rows in each;
        ``train_groups_with_both_labels``: groups whose rows in train disagree about the label.
    """
    sizes = np.bincount(np.concatenate(list(groups.values())))
    shared = sizes[sizes > 1]
    across = {}
    for first, second in combinations(groups, 2):
        both = np.intersect1d(groups[first], groups[second])
        across[f"{first}|{second}"] = {
            "groups": len(both),
            "rows": {split: int(np.isin(groups[split], both).sum()) for split in (first, second)},
        }
    labels = tables["train"].column("label").to_numpy()
    positive, negative = (np.unique(groups["train"][labels == label]) for label in (POSITIVE, NEGATIVE))
    return {
        "definition": f"{SHINGLE_WORDS}-word shingles, Jaccard >= {LEAST_JACCARD}, transitive; exact ones included",
        "groups": len(shared),
        "rows_in_groups": int(shared.sum()),
        "largest_group": int(shared.max(initial=0)),
        "across": across,
        "train_groups_with_both_labels": len(np.intersect1d(positive, negative)),
    }


def label_balance(train: pa.Table) -> dict[str, int]:
    """Count the positive and the negative reviews of the train split."""
    labels = train.column("label").to_numpy()
    return {"positive": int((labels == POSITIVE).sum()), "negative": int((labels == NEGATIVE).sum())}


def lengths_in_words(table: pa.Table) -> dict[str, float | int]:
    """Return mean, median, 95th percentile and maximum of the lengths in white-space separated words."""
    lengths = np.concatenate([word_counts(chunk) for chunk in table.column("text").chunks])
    return {
        "mean": round(float(lengths.mean()), 2),
        "median": float(np.median(lengths)),
        "percentile_95": round(float(np.percentile(lengths, 95)), 2),
        "longest": int(lengths.max()),
    }


def word_counts(texts: pa.Array) -> NDArray[np.int64]:
    """Count the white-space separated words of each text, HTML line breaks taken as white space; int64 (texts,)."""
    spaced = pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, HTML_BREAK, " "))
    counts = pc.list_value_length(pc.utf8_split_whitespace(spaced)).to_numpy(zero_copy_only=False)
    # The split of an empty text is one empty piece.
    return np.where(pc.binary_length(spaced).to_numpy(zero_copy_only=False) > 0, counts, 0).astype(np.int64)


def count_oddities(table: pa.Table) -> dict[str, int]:
    """Count the reviews that have each of ``ODDITIES``."""
    texts = table.column("text")
    return {name: pc.sum(pc.match_substring_regex(texts, pattern)).as_py() for name, pattern in ODDITIES.items()}


def summary_lines(audit: Mapping[str, Any]) -> list[str]:
    """Return what a person should know of the audit, a few lines."""
    exact, near = audit["exact_duplicates"], audit["near_duplicates"]
    distinct = ", ".join(f"{counts['distinct_texts']:,} in {split}" for split, counts in exact["within"].items())
    lines = [f"distinct texts: {distinct}"]
    for pair, counts in exact["across"].items():
        first, second = pair.split("|")
        close = near["across"][pair]["rows"][second]
        lines.append(
            f"{first} and {second}: {counts['distinct_texts']:,} texts stand in both; "
            f"{close:,} rows of {second} have a near duplicate in {first}"
        )
    lines.append(f"near duplicates: {near['rows_in_groups']:,} rows in {near['groups']:,} groups")
    labels, words = audit["train_labels"], audit["words"]["train"]
    lines.append(
        f"train: {labels['positive']:,} positive, {labels['negative']:,} negative; "
        f"words: median {words['median']:.0f}, 95% under {words['percentile_95']:.0f}, longest {words['longest']:,}"
    )
    for name in ODDITIES:
        found = sum(counts[name] for counts in audit["encoding"].values())
        if found:
            lines.append(f"{name.replace('_', ' ')}: in {found:,} reviews")
    return lines
