"""How time, CPU time and memory of scoring grow with the rows of a file and with the length of its reviews."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.chunk_tokenizer import ChunkTokenizer
from pipeline.errors import SentimentError
from tests.bench.material import Material, quoted, repeated, write_cells
from tests.bench.options import Options
from tests.bench.processes import MEBIBYTE, SECONDS_BETWEEN_SAMPLES, CommandRun
from tests.bench.results import Goal, Section
from tests.bench.scoring import add_memory, checked_run, score_arguments

LENGTHS = (50, 100, 200, 400, 800, 1600, 3200)
TOKENS_OF_A_LENGTH = 2_400_000
NOTES = (
    "`sentiment score` as a whole command. Rows are all reviews of the corpus in one random order, from the first one "
    "again where more rows are asked for, each row with an id of its own: on rows that repeat, the memory of chunks is "
    "warmer than on a stream of new reviews.",
    "Memory: sum over the process tree every 0.2 s with shared pages counted once (Pss of /proc/PID/smaps_rollup); the "
    "largest process is its peak as the kernel notes it (VmHWM). Without --full the largest file is scored once.",
    "Review length: reviews of exactly so many tokens or a few more, cut from a stream of the test reviews' words, the "
    "same number of tokens in every file; CPU time less the median of a ten-row file.",
)


def schedule(rows: Sequence[int], full: bool, repeats: int) -> list[int]:
    """Return the order of the runs: up and down again with the largest once, or up several times."""
    rising = sorted(rows)
    return rising * repeats if full else [*rising, *reversed(rising[:-1])]


def all_cells(material: Material, quick: bool) -> list[str]:
    """Return every review of the corpus as a CSV cell, in one random order."""
    splits = ("test",) if quick else ("test", "train", "unsupervised")
    cells = [quoted(text) for split in splits for text in material.texts(split)]
    order = np.random.default_rng(1).permutation(len(cells))
    return [cells[place] for place in order]


def counted_chunks(texts: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield the white-space chunks of texts with the number of their tokens, from the first text again for ever."""
    tokenizer = ChunkTokenizer(str)
    counts: dict[str, int] = {}
    for text in itertools.cycle(texts):
        chunks = text.split()
        new = [chunk for chunk in dict.fromkeys(chunks) if chunk not in counts]
        counts.update(zip(new, map(len, tokenizer(new)), strict=True))
        yield from ((chunk, counts[chunk]) for chunk in chunks)


def texts_of_length(chunks: Iterator[tuple[str, int]], tokens: int, total: int) -> Iterator[str]:
    """Yield texts of ``tokens`` tokens or a few more, together about ``total``."""
    for _ in range(max(total // tokens, 1)):
        text, count = [], 0
        while count < tokens:
            chunk, of_chunk = next(chunks)
            text.append(chunk)
            count += of_chunk
        yield " ".join(text)


def measure_rows(section: Section, material: Material, options: Options) -> None:
    """Score files of growing numbers of rows."""
    cells = all_cells(material, options.quick)
    output = material.work / "grown-scored.csv"
    runs: dict[int, list[CommandRun]] = {}
    order = schedule(options.rows, options.full, options.repeats_of_slow)
    for place, rows in enumerate(order):
        name, path = f"{rows:,} rows", material.work / f"rows-{rows}.csv"
        if name in section.failures:
            continue
        with section.attempt(name):
            if not path.is_file():
                write_cells(path, repeated(cells, rows))
            run = checked_run(
                score_arguments(path, output, material.model_folder),
                output,
                rows,
                seconds_between=SECONDS_BETWEEN_SAMPLES,
            )
            runs.setdefault(rows, []).append(run)
            material.console.say(
                f"growth: {name}: {run.seconds:.1f} s, {rows / run.seconds:,.0f} rows/s, "
                f"{1e6 * run.cpu_seconds / rows:.0f} CPU us a row, {(run.tree_bytes or 0) / MEBIBYTE:.0f} MiB"
            )
        if rows not in order[place + 1 :]:
            path.unlink(missing_ok=True)
            output.unlink(missing_ok=True)
    for rows, of_rows in sorted(runs.items()):
        name = f"{rows:,} rows"
        section.add(f"{name}, seconds", "s", [run.seconds for run in of_rows])
        section.add(f"{name}, CPU microseconds a row", "us", [1e6 * run.cpu_seconds / rows for run in of_rows])
        add_memory(section, name, of_rows)
    medians = {rows: float(np.median([run.cpu_seconds for run in of_rows])) for rows, of_rows in sorted(runs.items())}
    for (fewer, less), (more, greater) in itertools.pairwise(medians.items()):
        name = f"from {fewer:,} to {more:,} rows, CPU microseconds a further row"
        section.add(name, "us", [1e6 * (greater - less) / (more - fewer)])


def find_rows(section: Section, options: Options) -> None:
    """Compare the largest file with the one before it."""
    rising = sorted(options.rows)
    largest = f"{rising[-1]:,} rows"
    memory = "peak memory of the process tree"
    section.find(f"peak memory, {largest}", f"{largest}, {memory}", goal=Goal("<=", 1024.0))
    if len(rising) > 1:
        before = f"{rising[-2]:,} rows"
        section.find(f"peak memory: {largest} / {before}", f"{largest}, {memory}", f"{before}, {memory}")
        cpu = "CPU microseconds a row"
        section.find(f"CPU time a row: {largest} / {before}", f"{largest}, {cpu}", f"{before}, {cpu}", Goal("<=", 1.05))
    if len(rising) > 2:
        further = "CPU microseconds a further row"
        names = [f"from {fewer:,} to {more:,} rows, {further}" for fewer, more in itertools.pairwise(rising)]
        section.find(f"CPU time a further row: beyond {before} / before", names[-1], names[-2])


def measure_lengths(section: Section, material: Material, options: Options) -> None:
    """Score files of the same number of tokens in reviews of growing length."""
    lengths, total = (LENGTHS[:2], 5_000) if options.quick else (LENGTHS, TOKENS_OF_A_LENGTH)
    output = material.work / "lengths-scored.csv"
    few = material.write_reviews("few", material.texts("test")[:10])
    start_up = []
    for _ in range(options.repeats):
        start_up.append(checked_run(score_arguments(few, output, material.model_folder), output, 10).cpu_seconds)
    section.add("ten rows, CPU seconds", "s", start_up)
    runs: dict[int, list[CommandRun]] = {length: [] for length in lengths}
    texts = material.texts("test")
    order = lengths if options.quick else (*lengths, *reversed(lengths))
    for length in order:
        with section.attempt(f"{length} tokens"):
            path = material.work / f"tokens-{length}.csv"
            if not path.is_file():
                write_cells(path, map(quoted, texts_of_length(counted_chunks(texts), length, total)))
            arguments = score_arguments(path, output, material.model_folder)
            run = checked_run(arguments, output, max(total // length, 1), seconds_between=SECONDS_BETWEEN_SAMPLES)
            runs[length].append(run)
            material.console.say(f"growth: {length} tokens a review: {run.seconds:.1f} s, {run.cpu_seconds:.1f} CPU s")
    base = float(np.median(start_up))
    cpu = "CPU seconds a million tokens beyond start-up"
    for length, of_length in runs.items():
        name = f"{length} tokens a review"
        section.add(f"{name}, seconds", "s", [run.seconds for run in of_length])
        section.add(f"{name}, {cpu}", "s", [1e6 * max(run.cpu_seconds - base, 0.0) / total for run in of_length])
        add_memory(section, name, of_length)
    shortest, longest = f"{lengths[0]} tokens a review, {cpu}", f"{lengths[-1]} tokens a review, {cpu}"
    section.find(f"CPU time a token: reviews of {lengths[-1]} tokens / of {lengths[0]}", longest, shortest)


def measure(material: Material, options: Options) -> Section:
    """Measure growth with rows, then with length."""
    section = Section("growth", "Growth of scoring with rows and with review length")
    section.notes.extend(NOTES)
    if not material.texts("test"):
        raise SentimentError("the corpus has no test split")
    measure_rows(section, material, options)
    find_rows(section, options)
    with section.attempt("review lengths"):
        measure_lengths(section, material, options)
    return section
