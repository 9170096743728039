# SPDX-License-Identifier: GPL-3.0-or-later
"""`dataset make | merge | verify | calibrate | census`, and what these were called before."""

import importlib
import sys
from collections.abc import Sequence

from facegen_addon.errors import UserError

_COMMANDS = {
    "make": ("batch.dataset.generate", "make a data set, or a machine's part of it, from a recipe"),
    "merge": ("batch.dataset.merge", "close what machines made: index, table, card, contact sheet"),
    "verify": ("batch.dataset.verify", "check hashes, labels and tables, and make samples again"),
    "calibrate": (
        "batch.dataset.calibrate",
        "try which processes and threads are the fastest on this machine",
    ),
    "census": ("batch.dataset.census", "who is in it, and what a second opinion reads"),
}

OLD_SPELLINGS = {"generate --recipe NAME": "make", "merge": "merge", "verify": "verify"}
"""What a command was called before -> its name behind `dataset`."""

_HELP = """usage: dataset COMMAND ...

A labelled data set: images with parameters, camera, landmarks, segmentation, depth and more.

commands:
{commands}

examples:
  dataset make --recipe photos --count 2000 --output out/photos
      on all cores of this machine; stopped, it goes on with --resume
  dataset make --recipe photos --count 20000 --shard 0/3 --resume --output /share/photos
      the first of three machines; the others have --shard 1/3 and --shard 2/3
  dataset merge /share/photos
      close what the three have made
  dataset verify out/photos --render 4
      what a buyer would check, 4 samples rendered again

`dataset COMMAND --help` lists options. `generate --recipe`, `merge` and `verify`, as these were
called before, go on working."""


def main(arguments: Sequence[str]) -> int:
    """Run `dataset` with its command line arguments; the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_HELP.format(commands=table_of({name: row[1] for name, row in _COMMANDS.items()})))
        return 0
    name, *rest = arguments
    if name not in _COMMANDS:
        names = ", ".join(f"dataset {known}" for known in _COMMANDS)
        raise UserError(f"unknown command 'dataset {name}'; choose from {names}")
    return _run(name, rest, f"dataset {name}")


def run_by_old_spelling(spelling: str, arguments: Sequence[str]) -> int:
    """Run what `spelling` was the name of, after a line that says the new one; the exit status.

    The line goes to stderr: what a script reads stays as it was.
    """
    name = OLD_SPELLINGS[spelling]
    new = "dataset make --recipe NAME" if name == "make" else f"dataset {name}"
    print(f"hint: `{spelling}` is spelled `{new}` now; both work", file=sys.stderr)
    return _run(name, arguments, spelling)


def table_of(summaries: dict[str, str]) -> str:
    """Lines of help: each command's name and what it does."""
    return "\n".join(f"  {name:<14}{summary}" for name, summary in summaries.items())


def _run(name: str, arguments: Sequence[str], spelling: str) -> int:
    """Run a command, whose errors and help call it by the spelling that was used."""
    status: int = importlib.import_module(_COMMANDS[name][0]).main(arguments, spelling)
    return status
