# SPDX-License-Identifier: GPL-3.0-or-later
"""`dataset merge`: close a run that machines have made, with index, table, card and sheet."""

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from batch.command_line import OneLineParser
from batch.dataset.closing import INDEX_FILE, Progress, close_run
from batch.dataset.command import make_command
from batch.dataset.run_folder import RECIPE_FILE, RUN_FILE, RunFolder
from batch.dataset.sidecar import Sidecar
from batch.dataset.table import require_pyarrow
from batch.output import check_output, output_folder
from facegen_addon.atomic_file import replacing
from facegen_addon.errors import NotReached, UserError
from facegen_addon.terminal.copies import program, with_program
from facegen_addon.terminal.interruption import interruptible
from facegen_addon.terminal.progress import ProgressBar

_NAMED = 8  # missing shards named in one line at most
_EXAMPLES = """examples:
  {program} dataset merge /share/photos
      close a run whose machines all wrote into one folder
  {program} dataset merge node1/photos node2/photos --output photos
      bring the shards of two machines together in a new folder, and close the run there
  {program} dataset merge node1/photos node2/photos --output photos --replace
      the same again, in place of the first

Exit status: 0 all samples are there, 3 the run is closed but samples had to be given up, 2 shards
are missing, damaged or of another run; nothing is written then."""


def main(arguments: Sequence[str], spelling: str = "dataset merge") -> int:
    """Close a run; the exit status. UserError for wrong input, NotReached if samples failed."""
    values = _parser(spelling).parse_args(arguments)
    require_pyarrow()
    runs = [RunFolder.open(folder) for folder in values.folders]
    _check_folders(runs, values.output)
    holders = find_shards(runs)
    bar = ProgressBar()
    try:
        with interruptible(), _target(runs, holders, values, bar.update) as target:
            closing = close_run(target, bar.update)
    finally:
        bar.close()
    place = values.output or runs[0].path
    print(
        f"{closing.samples} samples in {len(holders)} shards, {closing.bytes / 1e6:,.0f} MB:"
        f" {place}/README.md",
        file=sys.stderr,
    )
    if closing.failed:
        raise NotReached(
            f"{closing.failed} of {closing.samples + closing.failed} samples had to be given up;"
            f" {place}/{INDEX_FILE} has their seeds and why"
        )
    return 0


def _parser(spelling: str) -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=spelling,
        description="Close a run of `dataset make`: check that every shard is there once and"
        " whole, then write index.json, table.parquet, croissant.json, README.md and"
        " contact_sheet.png.",
        epilog=with_program(_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("folders", type=Path, nargs="+", metavar="FOLDER", help="where machines made their shards")
    add(
        "--output",
        type=Path,
        metavar="WHOLE",
        help="new folder that gets all shards (as hard links where it can); default: the one"
        " FOLDER itself",
    )
    add("--replace", action="store_true", help="replace an earlier merge in --output")
    return parser


def _check_folders(runs: Sequence[RunFolder], output: Path | None) -> None:
    """UserError unless all folders are different ones of the same run, with a place for it."""
    first = runs[0]
    for run in runs[1:]:
        if run.digest != first.digest:
            raise UserError(
                f"{run.path} holds another run ({run.digest[:12]}...) than {first.path}"
                f" ({first.digest[:12]}...): merge the folders of one run only"
            )
    places = [run.path.resolve() for run in runs]
    if len(set(places)) < len(places):
        raise UserError("the same folder is named twice: name each once")
    if output is None and len(runs) > 1:
        raise UserError(f"{len(runs)} folders need --output: name a new folder for all shards")
    if output is not None and output.resolve() in places:
        raise UserError(f"--output {output} is one of the folders to merge: name a new one")


def find_shards(runs: Sequence[RunFolder]) -> list[RunFolder]:
    """The folder in which each shard of the run is complete.

    UserError if one is nowhere, naming what makes it, or in several places.
    """
    count = runs[0].shard_count
    holders = [[run for run in runs if run.sidecar(n).exists()] for n in range(count)]
    for number, found in enumerate(holders):
        if len(found) > 1:
            raise UserError(
                f"{found[0].tar(number)} is there again as {found[1].tar(number)}: remove one of"
                " the two and the .json beside it"
            )
    missing = [number for number, found in enumerate(holders) if not found]
    if missing:
        raise UserError(_missing(runs[0], missing))
    known = {run.tar(number).name for run in runs for number in range(count)}
    for run in runs:
        for path in sorted(run.path.glob("data-*.tar")):
            if path.name not in known:
                raise UserError(f"{path} is no shard of this run, which has {count}: remove it")
    return [found[0] for found in holders]


def _missing(run: RunFolder, missing: Sequence[int]) -> str:
    """Which shards are missing, and the command that makes them."""
    names = ", ".join(map(str, missing[:_NAMED])) + (", ..." if len(missing) > _NAMED else "")
    which = f"shard {names} is" if len(missing) == 1 else f"shards {names} are"
    each = "" if len(missing) == 1 else f", and so on for {names}"
    place = f"{missing[0]}/{run.shard_count}"
    recipe, output = str(run.path / RECIPE_FILE), str(run.path)
    command = f"{program()} " + make_command(run, recipe, output, "--resume", "--shard", place)
    return f"{which} missing, {len(missing)} of {run.shard_count}: make it by `{command}`{each}"


@contextlib.contextmanager
def _target(
    runs: Sequence[RunFolder],
    holders: Sequence[RunFolder],
    values: argparse.Namespace,
    progress: Progress,
) -> Iterator[RunFolder]:
    """The folder that is to be closed: the only one, or a new one with all shards."""
    if values.output is None:
        yield runs[0]
        return
    check_output(values.output, values.replace, marker=INDEX_FILE)
    with output_folder(values.output) as folder:
        for name in (RUN_FILE, RECIPE_FILE):
            _bring(runs[0].path / name, folder / name)
        for number, holder in enumerate(holders):
            progress("bring shards together", number, len(holders))
            Sidecar.read(holder, number).check_file(holder)
            for path in (holder.tar(number), holder.sidecar(number)):
                _bring(path, folder / path.name)
        progress("bring shards together", len(holders), len(holders))
        yield RunFolder.open(folder)


def _bring(source: Path, target: Path) -> None:
    """Have a file in another folder too: by a hard link, or else copied, and on the disk."""
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        with replacing(target, durable=True) as partial:
            shutil.copyfile(source, partial)
