"""Reads a data set of the Hugging Face hub through ``datasets``, at a pinned revision, and never waits for long."""

from __future__ import annotations

import logging
import os
import re
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self

from pipeline.columns import ColumnChoice, LabelReader, choose_columns, telling_names
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.review_tables import arrow_records, rows_of
from pipeline.reviews import REVIEWS_PER_BATCH, SPLITS, ReviewRows

IMDB = "stanfordnlp/imdb"
IMDB_CONFIGURATION = "plain_text"
IMDB_REVISION = "e6281661ce1c48d982bc483cf8a173c1bbeb5d31"
DEFAULT_ENDPOINT = "https://huggingface.co"
PROBE_SECONDS = 10
REMEDY = "point at a local copy with --source FOLDER_OR_FILE (make: SOURCE=...); for IMDb aclImdb_v1.tar.gz will do"
COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True)
class HubDataset:
    """A data set on the hub: id, configuration (None: its default) and revision."""

    identifier: str
    configuration: str | None
    revision: str

    @classmethod
    def parse(cls, identifier: str, revision: str | None) -> Self:
        """Return the data set of an id; IMDb is pinned unless a revision is given."""
        if identifier == IMDB:
            return cls(identifier, IMDB_CONFIGURATION, revision or IMDB_REVISION)
        return cls(identifier, None, revision or "main")

    def __str__(self) -> str:
        """Return ``ID@REVISION``."""
        return f"{self.identifier}@{self.revision}"


def hub_endpoint() -> str:
    """Return the address of the hub: ``HF_ENDPOINT``, or the public one."""
    return os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT


def is_offline() -> bool:
    """Tell whether the user keeps the hub's client from the network (``HF_HUB_OFFLINE``)."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def is_reachable(endpoint: str) -> bool:
    """Tell within ``PROBE_SECONDS`` whether a server answers at an address; any answer will do.

    The hub's client tries a dead network for half a minute and more, which is why we ask first. A certificate that
    this Python does not know may be known to the client, which then has the last word.
    """
    try:
        urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=PROBE_SECONDS).close()
    except (urllib.error.HTTPError, HTTPException):
        return True
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)
    except (OSError, ValueError):
        return False
    return True


def import_datasets(console: Console) -> Any:
    """Import ``datasets`` without its telemetry, and quieter than it comes."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # read when huggingface_hub is imported
    import datasets
    from huggingface_hub.utils import logging as hub_logging

    hub_logging.set_verbosity(logging.ERROR)
    datasets.logging.set_verbosity_error()
    if console.quiet or not sys.stderr.isatty():
        datasets.disable_progress_bars()
    return datasets


def read_hub(dataset: HubDataset, columns: ColumnChoice, console: Console) -> tuple[dict[str, ReviewRows], str]:
    """Download a data set (or take it from the client's cache) and read its reviews.

    Returns:
        The reviews of each split that is one of ``SPLITS``, and the revision they are of.

    Raises:
        SentimentError: no network and nothing cached; no such data set; its columns or labels are not as needed.
    """
    splits = load_splits(dataset, console)
    others = sorted(set(splits).difference(SPLITS))
    if others:
        console.say(f"{dataset}: left out {', '.join(others)}; the splits read are {', '.join(SPLITS)}")
    labels = LabelReader(columns.positive)
    rows: dict[str, ReviewRows] = {}
    for split in SPLITS:
        if split not in splits:
            continue
        table = splits[split].data.table
        labelled = split != "unsupervised"
        try:
            text, label = choose_columns(table.column_names, columns, labelled=labelled)
            names = telling_names(getattr(splits[split].features.get(label), "names", None) or (), columns.positive)
            records = arrow_records(table.to_batches(REVIEWS_PER_BATCH), text, label, names)
            rows[split] = rows_of(records, labels if labelled else None)
        except SentimentError as error:
            raise SentimentError(f"{dataset}, {split}: {error}") from error
    if "train" not in rows:
        raise SentimentError(f"{dataset}: no train split; it has {', '.join(sorted(splits)) or 'none'}")
    return rows, checked_revision(dataset, splits["train"].cache_files)


def checked_revision(dataset: HubDataset, cache_files: Sequence[Mapping[str, str]]) -> str:
    """Return the commit that was loaded, which names the cache's folder; the revision asked for if none does.

    Without a network the client falls back to whichever revision its cache holds, and does not say so.

    Raises:
        SentimentError: it is not the commit asked for.
    """
    loaded = Path(cache_files[0]["filename"]).parent.name if cache_files else ""
    if not COMMIT.fullmatch(loaded):
        return dataset.revision
    if COMMIT.fullmatch(dataset.revision) and loaded != dataset.revision:
        raise SentimentError(f"{dataset}: no network, and the cache holds another revision ({loaded}); {REMEDY}")
    return loaded


def errors_of_client(datasets: Any) -> tuple[type[Exception], ...]:
    """Return the exceptions by which the hub's client fails.

    Some come straight from the HTTP library below it, which differs between its versions; the client's own HTTP error
    is derived from that library's.
    """
    from huggingface_hub.errors import HfHubHTTPError

    of_library = [kind for kind in HfHubHTTPError.__mro__ if issubclass(kind, Exception) and kind is not Exception]
    return (OSError, ValueError, datasets.exceptions.DatasetsError, *of_library)


def load_splits(dataset: HubDataset, console: Console) -> dict[str, Any]:
    """Return the ``datasets.Dataset`` of each split.

    Raises:
        SentimentError: neither the hub nor its client's cache can give the data set.
    """
    endpoint = hub_endpoint()
    dead = not is_offline() and not is_reachable(endpoint)
    if dead:
        os.environ["HF_HUB_OFFLINE"] = "1"  # what the client has in its cache will do
    datasets = import_datasets(console)
    console.say(f"data: {dataset} from {'the cache' if is_offline() else endpoint}")
    try:
        return dict(datasets.load_dataset(dataset.identifier, dataset.configuration, revision=dataset.revision))
    except errors_of_client(datasets) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        if dead:
            reason = f"no network ({endpoint} does not answer) and nothing in the cache"
        raise SentimentError(f"{dataset}: cannot be had from the hub: {reason}; {REMEDY}") from error
