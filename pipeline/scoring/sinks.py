"""Which sink takes the rows of an output."""

from __future__ import annotations

from pipeline.errors import SentimentError
from pipeline.scoring.csv_output import CsvEncoder
from pipeline.scoring.growing_file import GrowingFile, Stream, is_stream, mode_of
from pipeline.scoring.json_lines_output import JsonLinesEncoder
from pipeline.scoring.output_format import OutputColumns, OutputFormat, real_path
from pipeline.scoring.sink import Sink
from pipeline.scoring.table import InputFacts
from pipeline.scoring.text_sink import Encoder, FileSink, StreamSink


def sink_for(target: str, form: OutputFormat, columns: OutputColumns, facts: InputFacts) -> Sink:
    """Return what takes the rows.

    Args:
        target: path, or ``-`` for standard output.
        form: the output's format.
        columns: its columns.
        facts: of the input: CSV keeps its delimiter and line ends, Parquet its types.
    """
    path = real_path(target)
    mode = mode_of(path)
    if form.name == "parquet":
        from pipeline.scoring.parquet_output import ParquetParts

        return ParquetParts(path, columns, facts.schema, mode)
    if form.name == "jsonl":
        _refuse_equal_names(columns, target)
        encoder: Encoder = JsonLinesEncoder(columns)
    else:
        delimiter = "\t" if ".tsv" in path.suffixes else facts.delimiter
        encoder = CsvEncoder(columns, delimiter, facts.line_end)
    if is_stream(target):
        return StreamSink(Stream(target, form.compression), encoder)
    return FileSink(GrowingFile(path, form.compression, mode), encoder)


def _refuse_equal_names(columns: OutputColumns, target: str) -> None:
    names = columns.names()
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SentimentError(
            f"{target}: JSON lines cannot hold two columns called {twice!r}; rename one, choose with --columns, or "
            "write CSV"
        )
