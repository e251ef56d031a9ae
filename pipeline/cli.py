"""The command line: one command for each stage. Errors become one line and an exit code.

Nothing heavy is imported here: each command imports its stage when it runs, so that ``--help`` answers at once.
Exit codes: 0 done, 1 the data or the environment is at fault, 2 the command line is, 3 a regression gate failed, 130
stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from pipeline import __version__
from pipeline.argument_types import (
    folder_name,
    number_from_zero,
    positive_number,
    positive_real,
    positive_share,
    temperature,
)
from pipeline.console import Console, print_message
from pipeline.errors import RegressionError, SentimentError, UsageError
from pipeline.evaluation.compare_command import add_compare_command, add_gate_options, gate_of, run_compare
from pipeline.scoring.command import run_score
from pipeline.scoring.flags import add_score_command

INTERRUPTED = 130
DEFAULT_SOURCE = "stanfordnlp/imdb"
DEFAULT_VECTORS = "glove.6B.100d"
DEFAULT_ENCODER = "default"

Command = Callable[[argparse.Namespace, Console], None]


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error and the way out, and exit with 2."""
        print_message(f"{self.prog}: {message}; see `{self.prog} --help`")
        self.exit(UsageError.exit_code)


def run_data(arguments: argparse.Namespace, console: Console) -> None:
    """Build the corpus."""
    from pipeline.corpus import build_corpus

    build_corpus(
        arguments.source,
        arguments.data_dir / "corpus",
        console,
        name=arguments.name,
        text_column=arguments.text_column,
        label_column=arguments.label_column,
        label_positive=arguments.label_positive,
        seed=arguments.seed,
    )


def run_tokens(arguments: argparse.Namespace, console: Console) -> None:
    """Tokenise the corpus."""
    from pipeline.tokens import build_tokens

    data = arguments.data_dir
    build_tokens(data / "corpus", data / "tokens", console, processes=arguments.processes)


def run_vocab(arguments: argparse.Namespace, console: Console) -> None:
    """Build the vocabulary and its vectors."""
    from pipeline.vocabulary import build_vocabulary

    data = arguments.data_dir
    build_vocabulary(
        data / "tokens",
        data / "vocabulary",
        console,
        vectors=arguments.vectors,
        size=arguments.size,
        seed=arguments.seed,
        backend=arguments.backend,
        cache_folder=arguments.downloads_dir or data / "downloads",
        dimension=arguments.dimension,
    )


def run_pretrain(arguments: argparse.Namespace, console: Console) -> None:
    """Pretrain a language model on the reviews' text."""
    from pipeline.pretrain import pretrain_encoder
    from pipeline.pretraining_settings import PretrainingSettings

    data = arguments.data_dir
    given = {
        name: getattr(arguments, name)
        for name in ("epochs", "hidden_size", "embedding_size", "learning_rate")
        if getattr(arguments, name) is not None
    }
    pretrain_encoder(
        PretrainingSettings(**given, bidirectional=not arguments.one_direction),
        data / "corpus",
        data / "tokens",
        data / "vocabulary",
        data / "encoders" / arguments.name,
        console,
        seed=arguments.seed,
        checkpoint_seconds=arguments.checkpoint_seconds,
    )


def run_teach(arguments: argparse.Namespace, console: Console) -> None:
    """Have models label unlabelled reviews."""
    from pipeline.inference import find_model
    from pipeline.teacher import teach

    data = arguments.data_dir
    teach(
        [find_model(data / "models", model) for model in arguments.models],
        data / "corpus",
        data / "tokens",
        data / "teachers" / arguments.name,
        console,
        nb_svm=arguments.nb_svm,
        pieces=arguments.pieces,
        seed=arguments.seed,
    )


def run_generate(arguments: argparse.Namespace, console: Console) -> None:
    """Write texts with a pretrained language model."""
    from pipeline.generate import SamplingSettings, generate_texts

    settings = SamplingSettings(arguments.tokens, arguments.temperature, arguments.top_p, arguments.seed)
    folder = arguments.data_dir / "encoders" / arguments.encoder
    for index, text in enumerate(generate_texts(folder, arguments.prompt, settings, arguments.count, console)):
        print(text if index == 0 else f"\n{text}", flush=True)


def run_train(arguments: argparse.Namespace, console: Console) -> None:
    """Train a recipe."""
    from pipeline.config import load_recipe

    recipe = load_recipe(arguments.recipe)
    from pipeline.train import train_model

    data = arguments.data_dir
    train_model(
        recipe,
        data / "corpus",
        data / "tokens",
        data / "vocabulary",
        data / "models",
        console,
        seed=arguments.seed,
        checkpoint_seconds=arguments.checkpoint_seconds,
    )


def run_evaluate(arguments: argparse.Namespace, console: Console) -> None:
    """Evaluate a model and write its report."""
    from pipeline.evaluation.evaluate import evaluate_model
    from pipeline.inference import find_model

    data = arguments.data_dir
    evaluate_model(
        find_model(data / "models", arguments.model),
        data / "corpus",
        arguments.reports_dir,
        console,
        labelled_file=arguments.labelled_file,
        text_column=arguments.text_column,
        label_column=arguments.label_column,
        label_positive=arguments.label_positive,
        baselines=arguments.baselines,
        with_robustness=arguments.robustness,
        previous=arguments.previous,
        gate=gate_of(arguments, shown=False),
        cache_folder=data / "baselines",
    )


def run_probe(arguments: argparse.Namespace, console: Console) -> None:
    """Score a model on the probes."""
    from pipeline.inference import SentimentModel, find_model
    from pipeline.probes import probe_model

    model_folder = find_model(arguments.data_dir / "models", arguments.model, or_bundled=True)
    model = SentimentModel.load(model_folder)
    if model.notice:
        console.say(f"probe: {model.notice}")
    probe_model(model, arguments.reports_dir, console, show=arguments.show)


def run_ladder(arguments: argparse.Namespace, console: Console) -> None:
    """Make the accuracy ladder."""
    from pipeline.ladder import LadderSettings, build_ladder

    settings = LadderSettings(arguments.texts, arguments.rounds, arguments.fit_reviews)
    build_ladder(
        arguments.reports_dir,
        arguments.data_dir,
        console,
        settings=settings,
        models=arguments.models,
        readme=arguments.readme,
    )


def run_bundle(arguments: argparse.Namespace, console: Console) -> None:
    """Write the compact copy of a model."""
    from pipeline.bundle import bundle_model, place_in_package
    from pipeline.inference import find_model

    data = arguments.data_dir
    model_folder = find_model(data / "models", arguments.model)
    bundle_model(
        model_folder,
        arguments.output or place_in_package(model_folder.name),
        data / "corpus",
        arguments.reports_dir / model_folder.name,
        console,
        level=arguments.level,
    )


def run_sample(arguments: argparse.Namespace, console: Console) -> None:
    """Write the demo's CSV."""
    from pipeline.sample import write_sample_reviews

    write_sample_reviews(arguments.output)
    console.say(f"sample: generated reviews, not real ones, in {arguments.output}")


def add_common_options(parser: argparse.ArgumentParser, suppress: bool) -> None:
    """Add the options that every command takes; below a command they override nothing unless given."""

    def default(value: object) -> object:
        return argparse.SUPPRESS if suppress else value

    group = parser.add_argument_group("common options")
    group.add_argument(
        "--data-dir",
        type=Path,
        default=default(Path("data")),
        metavar="DIR",
        help="where the stages leave what they make, models too (data)",
    )
    group.add_argument(
        "--reports-dir",
        type=Path,
        default=default(Path("reports")),
        metavar="DIR",
        help="where reports are written (reports)",
    )
    group.add_argument("--quiet", action="store_true", default=default(False), help="say nothing but errors")
    group.add_argument("--debug", action="store_true", default=default(False), help="show the traceback of an error")


def add_column_options(parser: argparse.ArgumentParser, labels: bool) -> None:
    """Add the options that name columns of a table."""
    parser.add_argument("--text-column", metavar="NAME", help="column of the review (found by its name)")
    if labels:
        parser.add_argument("--label-column", metavar="NAME", help="column of the label (found by its name)")
        parser.add_argument("--label-positive", metavar="VALUE", help="label value that means positive")


def readable(text: str) -> str:
    """Return an argument with a replacement character for bytes that are no text."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def add_data_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment data``."""
    parser.add_argument(
        "--source",
        default=DEFAULT_SOURCE,
        help="hub id, folder of its layout, aclImdb/, aclImdb_v1.tar.gz, CSV or Parquet with text and label, or "
        f"`sample` (default: {DEFAULT_SOURCE})",
    )
    parser.add_argument("--name", help="name of the corpus (from the source)")
    add_column_options(parser, labels=True)
    parser.add_argument("--seed", type=number_from_zero, default=1, help="of the split, where the source has none (1)")


def add_tokens_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment tokens``."""
    parser.add_argument("--processes", type=positive_number, help="worker processes (one for each core)")


def add_vocab_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment vocab``."""
    parser.add_argument(
        "--vectors",
        default=DEFAULT_VECTORS,
        help=f"glove.6B.50d/100d/200d/300d (downloaded), a .txt or .zip in GloVe format, or none ({DEFAULT_VECTORS})",
    )
    parser.add_argument("--size", type=positive_number, default=25_000, help="words, besides <pad> and <unk> (25000)")
    parser.add_argument("--dimension", type=positive_number, help="of the vectors (the table's; 100 for none)")
    parser.add_argument("--seed", type=number_from_zero, default=1, help="of words without a vector (1)")
    parser.add_argument(
        "--backend", choices=["default", "torchtext"], default="default", help="who counts and looks up"
    )
    parser.add_argument(
        "--downloads-dir", type=Path, metavar="DIR", help="where downloads are kept (downloads/ in --data-dir)"
    )


def add_pretrain_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment pretrain``."""
    parser.add_argument(
        "--name", type=folder_name, default=DEFAULT_ENCODER, help=f"of the encoder, in encoders/ ({DEFAULT_ENCODER})"
    )
    parser.add_argument("--epochs", type=positive_number, help="passes over the text (6)")
    parser.add_argument(
        "--hidden-size", type=positive_number, help="units of each direction; fast if 16 divides it (512)"
    )
    parser.add_argument("--embedding-size", type=positive_number, help="size of a word vector (128)")
    parser.add_argument("--learning-rate", type=positive_real, help="Adam's, at its highest (0.003)")
    parser.add_argument("--one-direction", action="store_true", help="no model that reads from the end")
    parser.add_argument("--seed", type=number_from_zero, default=1, help="of all that is random (1)")
    parser.add_argument(
        "--checkpoint-seconds", type=float, default=180.0, metavar="S", help="longest time between checkpoints (180)"
    )


def add_teach_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment teach``."""
    parser.add_argument("models", nargs="+", metavar="MODEL", help="model folders or names: the teachers")
    parser.add_argument("--name", type=folder_name, default="default", help="of the labels, for recipes (default)")
    parser.add_argument("--nb-svm", action="store_true", help="NB-SVM is a further teacher of the whole reviews")
    parser.add_argument(
        "--pieces", type=number_from_zero, default=0, help="pieces of reviews to add, each with its review's label (0)"
    )
    parser.add_argument("--seed", type=number_from_zero, default=1, help="of the pieces (1)")


def add_generate_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment generate``."""
    parser.add_argument("--prompt", type=readable, default="", help="what the text begins with (nothing)")
    parser.add_argument(
        "--encoder", type=folder_name, default=DEFAULT_ENCODER, metavar="NAME", help=f"of pretrain ({DEFAULT_ENCODER})"
    )
    parser.add_argument("--tokens", type=positive_number, default=100, help="after the prompt, at most (100)")
    parser.add_argument("--temperature", type=temperature, default=0.8, help="0: the likeliest word each time (0.8)")
    parser.add_argument(
        "--top-p", type=positive_share, default=0.95, help="draw from the likeliest words that sum to this (0.95)"
    )
    parser.add_argument("--seed", type=number_from_zero, default=1, help="of the draws (1)")
    parser.add_argument("--count", type=positive_number, default=1, help="of texts (1)")


def add_train_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment train``."""
    parser.add_argument("--recipe", default="default", help="recipe of the package, or a .toml file (default)")
    parser.add_argument("--seed", type=number_from_zero, default=1, help="of weights, batches and dropout (1)")
    parser.add_argument(
        "--checkpoint-seconds", type=float, default=120.0, metavar="S", help="longest time between checkpoints (120)"
    )


def add_evaluate_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment evaluate``."""
    parser.add_argument(
        "labelled_file", nargs="?", type=Path, help="a labelled CSV or Parquet file (default: the test split)"
    )
    parser.add_argument("--model", help="model folder or name (default: the last one trained here)")
    add_column_options(parser, labels=True)
    parser.add_argument(
        "--no-baselines", dest="baselines", action="store_false", help="leave the linear models out of the report"
    )
    parser.add_argument(
        "--no-robustness",
        dest="robustness",
        action="store_false",
        help="leave out how the model does on changed texts (typos, cuts, denial ...)",
    )
    parser.add_argument(
        "--previous",
        metavar="REPORT",
        help="report to hold the model against (default: the one that stood in its place)",
    )
    add_gate_options(parser, "the model, beside the previous report,", "; its report goes into NAME-worse/ then")


def add_probe_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment probe``."""
    parser.add_argument("--model", help="model folder or name (default: the last one trained here)")
    parser.add_argument("--show", action="store_true", help="write the wrong texts to standard output, tab-separated")


def add_ladder_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment ladder``."""
    parser.add_argument("models", nargs="*", metavar="MODEL", help="names of evaluated models (default: all)")
    parser.add_argument(
        "--readme", type=Path, metavar="FILE", help="put the table between the ladder markers of this Markdown file too"
    )
    parser.add_argument("--texts", type=positive_number, default=2000, help="test reviews of a round of timing (2000)")
    parser.add_argument("--rounds", type=positive_number, default=5, help="rounds of timing (5)")
    parser.add_argument(
        "--fit-reviews", type=positive_number, metavar="N", help="fit the linear models on so many only, to try it out"
    )


def add_bundle_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment bundle``."""
    parser.add_argument("--model", required=True, help="model folder or name")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="model folder to write (one of its name, in the package)"
    )
    parser.add_argument(
        "--float16",
        dest="level",
        action="store_const",
        const="float16",
        default="int8 embeddings",
        help="keep the embeddings in float16 where that fits (else they are in eight bits)",
    )


def add_sample_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment sample``."""
    parser.add_argument("output", type=Path, help="CSV file to write")


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Command]] = {
    "data": ("download or read a corpus, and audit it", add_data_command, run_data),
    "tokens": ("tokenise the corpus with spaCy", add_tokens_command, run_tokens),
    "vocab": ("build the vocabulary and its GloVe vectors", add_vocab_command, run_vocab),
    "pretrain": ("pretrain a language model, for recipes that start from one", add_pretrain_command, run_pretrain),
    "teach": ("have trained models label unlabelled reviews, for recipes with a teacher", add_teach_command, run_teach),
    "generate": ("let a pretrained language model write reviews", add_generate_command, run_generate),
    "train": ("train a GRU by a recipe", add_train_command, run_train),
    "evaluate": ("measure a model and write the report", add_evaluate_command, run_evaluate),
    "compare": ("compare two models on the same reviews, with a regression gate", add_compare_command, run_compare),
    "score": ("append predictions to a table of reviews: CSV, JSON lines or Parquet", add_score_command, run_score),
    "probe": ("score a model on our own negations, contrasts, short texts", add_probe_command, run_probe),
    "ladder": ("compare all evaluated models: accuracy, cost, speed", add_ladder_command, run_ladder),
    "bundle": ("write a compact copy of a model, for the package to carry", add_bundle_command, run_bundle),
    "sample": ("write the generated CSV that the demo scores", add_sample_command, run_sample),
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = OneLineParser(prog="sentiment", description="Sentiment classification of reviews with a GRU.")
    parser.add_argument("--version", action="version", version=f"gru-sentiment {__version__}")
    add_common_options(parser, suppress=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (summary, add_options, _) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        add_options(command)
        add_common_options(command, suppress=True)
    return parser


def parsed(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed arguments; an unknown flag is an error of its command, with the flag that was meant."""
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        command = next(
            action.choices[arguments.command]
            for action in parser._actions
            if isinstance(action, argparse._SubParsersAction)
        )
        flag = unknown[0].split("=")[0]
        meant = get_close_matches(flag.replace("_", "-"), command._option_string_actions, n=1)
        command.error(f"no option or file wanted: {flag}" + (f"; did you mean {meant[0]}?" if meant else ""))
    return arguments


def one_line(error: BaseException) -> str:
    """Return an error's message without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


def hold_closed_streams() -> None:
    """Open the null device in the place of each closed standard stream.

    Else the next file that is opened would get its number, and with it whatever a library says there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    hold_closed_streams()
    arguments = parsed(build_parser(), argv)
    console = Console(quiet=arguments.quiet)
    try:
        COMMANDS[arguments.command][2](arguments, console)
    except KeyboardInterrupt:
        print_message(f"sentiment {arguments.command}: interrupted; the same command goes on or starts over")
        return INTERRUPTED
    except BrokenPipeError:
        if sys.stdout is not None:  # nobody reads on; keep the exit quiet
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SentimentError.exit_code
    except SentimentError as error:
        if arguments.debug and not isinstance(error, RegressionError):
            raise
        print_message(f"sentiment {arguments.command}: {one_line(error)}")
        return error.exit_code
    except Exception as error:
        if arguments.debug:
            raise
        kind = type(error).__name__
        print_message(f"sentiment {arguments.command}: unexpected {kind}: {one_line(error)} (--debug shows where)")
        return SentimentError.exit_code
    return 0
