"""The blocks that inputs are scored in on many machines: one output shard for each, made again whole after a failure.

A CSV or JSON lines file, packed or not, is one block: a line break in a quoted field ends no row, so that nobody can
begin to read in the middle of a CSV file. A Parquet file is cut between its row groups. Many files, or Parquet, are
therefore what keeps many workers busy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import UsageError
from pipeline.scoring.growing_file import is_stream
from pipeline.scoring.inputs import fingerprint
from pipeline.scoring.output_format import FORMATS
from pipeline.scoring.urls import is_url

ROWS_OF_BLOCK = 50_000
"""A Parquet file is cut into blocks of at least so many rows: half a minute of one core, which is what a dead worker
costs, and what the last worker may keep the others waiting."""
_FILES_AT_A_TIME = 32  # asked for their size and their row groups
_EXTENSIONS = {"csv": ".csv", "jsonl": ".jsonl", "parquet": ".parquet"}
_PACKED = (".gz", ".zst")
_LONGEST_STEM = 80


@dataclass(frozen=True)
class Block:
    """One input file, or a part of a Parquet file.

    Attributes:
        number: from 0, in the order of the inputs.
        path: the file or URL.
        source: what tells whether the file has changed; JSON can hold it.
        row_groups: the first and the one behind the last, where it is not the whole file.
        rows: where they are known beforehand.
        weight: bytes of the input, as near as they are known.
        shard: the name of its output.
    """

    number: int
    path: str
    source: Mapping[str, Any]
    row_groups: tuple[int, int] | None = None
    rows: int | None = None
    weight: int = 0
    shard: str = ""

    def identity(self) -> dict[str, Any]:
        """Return what must be the same for a shard to be this block's; as JSON gives it back."""
        return {**self.source, "row_groups": None if self.row_groups is None else list(self.row_groups)}

    def shown(self) -> str:
        """Return the block for messages."""
        if self.row_groups is None:
            return self.path
        return f"{self.path} (row groups {self.row_groups[0]} to {self.row_groups[1] - 1})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Block:
        """Return what :meth:`to_dict` made a dict of."""
        groups = values["row_groups"]
        return cls(**{**values, "row_groups": None if groups is None else (groups[0], groups[1])})


def plan_blocks(paths: Sequence[str], shard_format: str | None = None, rows: int = ROWS_OF_BLOCK) -> list[Block]:
    """Return the blocks of inputs, in their order.

    Args:
        paths: files and URLs, globs expanded.
        shard_format: ``csv``, ``jsonl`` or ``parquet``; that of each input where None.
        rows: of a part of a Parquet file, at least.

    Raises:
        UsageError: an input is a stream.
        SentimentError: an input is not there.
    """
    for path in paths:
        if path == "-" or (not is_url(path) and is_stream(path)):
            raise UsageError(f"{path}: a stream can be read by one process only; name files for --engine ray")
    with ThreadPoolExecutor(_FILES_AT_A_TIME) as threads:
        of_files = threads.map(lambda path: list(_blocks_of(path, rows)), paths)
        blocks = [block for of_file in of_files for block in of_file]
    return [
        replace(block, number=number, shard=shard_name(number, block.path, shard_format))
        for number, block in enumerate(blocks)
    ]


def shard_name(number: int, path: str, shard_format: str | None) -> str:
    """Return ``part-00012-STEM.EXTENSION``: the extension is the input's, or that of the format asked for.

    A packed input gives a packed shard, but for Parquet.
    """
    name = PurePosixPath(urlsplit(path).path if is_url(path) else path).name
    packed = next((suffix for suffix in _PACKED if name.lower().endswith(suffix)), "")
    bare = PurePosixPath(name[: len(name) - len(packed)] if packed else name)
    known = bare.suffix.lower() if bare.suffix.lower() in FORMATS else ".csv"
    extension = known if shard_format in (None, FORMATS[known]) else _EXTENSIONS[str(shard_format)]
    packed = "" if FORMATS[extension] == "parquet" else packed
    stem = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in bare.stem)
    return f"part-{number:05d}-{stem[:_LONGEST_STEM] or 'input'}{extension}{packed}"


def _blocks_of(path: str, rows: int) -> Iterator[Block]:
    source = fingerprint([path])[0]
    size = int(source.get("bytes") or 0)
    groups = _rows_of_groups(path) if path.lower().endswith(".parquet") else []
    ranges = list(group_ranges(groups, rows))
    if len(ranges) < 2:
        yield Block(0, path, source, None, sum(groups) if groups else None, size)
        return
    for first, behind in ranges:
        held = sum(groups[first:behind])
        yield Block(0, path, source, (first, behind), held, size * held // max(sum(groups), 1))


def group_ranges(groups: Sequence[int], rows: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of consecutive row groups that hold at least so many rows, the last one maybe fewer.

    Args:
        groups: the rows of each.
        rows: of a range.
    """
    first = held = 0
    for group, count in enumerate(groups):
        held += count
        if held >= rows:
            yield first, group + 1
            first, held = group + 1, 0
    if first < len(groups):
        yield first, len(groups)


def _rows_of_groups(path: str) -> list[int]:
    """Return the rows of each row group; none where the file cannot be read, which scoring it tells better."""
    import fsspec
    import pyarrow
    import pyarrow.parquet

    try:
        with fsspec.open(path, "rb") as stream:
            footer = pyarrow.parquet.ParquetFile(stream).metadata
            return [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
    except (pyarrow.ArrowException, OSError, ValueError):
        return []
