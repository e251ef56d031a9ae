"""How long a user waits before anything happens: help, a ten-row CSV, and what importing torch alone takes."""

from __future__ import annotations

import sys

from tests.bench.material import Material
from tests.bench.options import Options
from tests.bench.processes import run_command, sentiment
from tests.bench.results import Goal, Section
from tests.bench.scoring import checked_run, score_arguments

HELP = "sentiment --help"
TEN_ROWS = "a ten-row CSV"
PYTHON = "python -c pass"
TORCH = "python -c 'import torch'"
ROWS = 10


def measure(material: Material, options: Options) -> Section:
    """Measure each command in turn."""
    section = Section("startup", "Start-up")
    section.notes.append("Whole commands in processes of their own, in turn, one run of each to warm up.")
    output = material.work / "few-scored.csv"
    reviews = material.write_reviews("few", material.texts("test")[:ROWS])
    commands = {
        HELP: sentiment("--help"),
        PYTHON: [sys.executable, "-c", "pass"],
        TORCH: [sys.executable, "-c", "import torch"],
    }
    with section.attempt(TEN_ROWS):
        commands[TEN_ROWS] = score_arguments(reviews, output, material.model_folder)
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for repeat in range(1 + (options.repeats if options.quick else max(options.repeats, 5))):
        for name, arguments in commands.items():
            with section.attempt(name):
                scores = name == TEN_ROWS
                run = checked_run(arguments, output, ROWS) if scores else run_command(arguments)
                if repeat:
                    seconds[name].append(run.seconds)
    for name, values in seconds.items():
        section.add(f"{name}, seconds", "s", values)
    material.console.say(
        "startup: " + ", ".join(f"{name} {min(values):.2f} s" for name, values in seconds.items() if values)
    )
    section.find(HELP, f"{HELP}, seconds", goal=Goal("<=", 0.3))
    section.find(f"scoring {TEN_ROWS}", f"{TEN_ROWS}, seconds", goal=Goal("<=", 2.5))
    return section
