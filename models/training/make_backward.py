# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the backward mapping from nothing: pairs, on-policy rounds, surrogates, direct network.

    python -m models.training.make_backward           with .venv and .venv-recipes; about 45 minutes
    python -m models.training.make_backward --initial 5000 --rounds 8 --per-round 600
    python -m models.training.make_backward --force   render all pairs again

Rendering needs bpy and training needs torch, so each step runs in the environment that has it.
Where the committed table of pairs is present, nothing is rendered and only the final training runs.
A killed run goes on where it stopped: steps whose results are there are skipped or resumed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from facegen_addon.errors import UserError
from facegen_addon.terminal.process import run_process
from models.training import pairs

ROOT = Path(__file__).resolve().parents[2]
ROUND_EPOCHS = "6"


class StepFailed(Exception):
    """A step ended with another status than 0; it has said why itself."""


def make(options: argparse.Namespace) -> None:
    """Run every step in order."""
    render = [str(options.render_python), "-m", "models.training.render_pairs"]
    train = [str(options.train_python), "-m", "models.training.train_backward"]
    model = ["--model", options.model]
    workers = [*model, "--workers", str(options.workers), "--threads", str(options.threads)]
    if options.force:
        shutil.rmtree(pairs.batch_folder(options.model, ""), ignore_errors=True)
    if options.force or not pairs.table_path(options.model).exists():
        _step([*render, "initial", "--count", str(options.initial), *workers])
        for number in range(1, options.rounds + 1):
            _round(number, render, train, workers, model, str(options.per_round))
        _step([*train, "rounds", *model])
        _step([*render, "pack", *model])
    # From the table as committed, so that everybody's training starts from the same bytes.
    _step([*train, "surrogates", "--from-table", "--epochs", str(options.epochs), *model])
    latents, epochs = str(options.latents), str(options.direct_epochs)
    _step([*train, "distil", "--from-table", "--count", latents, "--epochs", epochs, *model])


def _round(
    number: int,
    render: list[str],
    train: list[str],
    workers: list[str],
    model: list[str],
    count: str,
) -> None:
    """One on-policy round: fit to what there is, propose heads, render them."""
    if not pairs.proposal_path(model[1], number).exists():
        warm = [] if number == 1 else ["--warm", "--epochs", ROUND_EPOCHS]
        _step([*train, "surrogates", *warm, *model])
        _step([*train, "propose", str(number), "--count", count, *model])
    _step([*render, "round", str(number), *workers])


def _step(command: list[str]) -> None:
    print("$", " ".join(command[1:]), file=sys.stderr, flush=True)
    status = subprocess.run(command, check=False).returncode
    if status:
        module, name = command[2:4]
        raise StepFailed(f"step {module} {name} ended with status {status}")


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    pairs.add_model_option(parser)
    parser.add_argument("--initial", type=pairs.positive, default=1600, help="first pairs")
    parser.add_argument("--rounds", type=pairs.positive, default=5)
    parser.add_argument("--per-round", type=pairs.positive, default=500)
    for name, default, what in (
        ("--epochs", 20, "of the last surrogates"),
        ("--latents", 14_000, "inverted for the direct network"),
        ("--direct-epochs", 60, "of the direct network"),
    ):
        parser.add_argument(name, type=pairs.positive, default=default, help=what)
    parser.add_argument("--workers", type=pairs.positive, default=2)
    parser.add_argument("--threads", type=pairs.positive, default=1)
    parser.add_argument("--force", action="store_true", help="render all pairs again")
    parser.add_argument("--render-python", type=Path, default=ROOT / ".venv/bin/python")
    parser.add_argument("--train-python", type=Path, default=ROOT / ".venv-recipes/bin/python")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Make everything; 2 where a step failed."""
    options = make_parser().parse_args(arguments)
    for python in (options.render_python, options.train_python):
        if not python.exists():
            print(f"make_backward: {python} is missing: run `make models`", file=sys.stderr)
            return 2
    try:
        options.model = pairs.model_name(options.model)
        make(options)
    except (StepFailed, UserError) as error:
        print(f"make_backward: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_process(main, "make_backward")
