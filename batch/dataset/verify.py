# SPDX-License-Identifier: GPL-3.0-or-later
"""`dataset verify`: everything that a buyer of a data set would check, with a line for each."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch.command_line import OneLineParser, check_range
from batch.dataset.checks import (
    RenderAgain,
    ShotSource,
    check_closing,
    check_renders,
    check_run,
    check_seeds,
    check_shards,
    some_samples,
)
from batch.dataset.closing import Gathered, Progress
from batch.dataset.inspection import Check
from batch.dataset.run_folder import RunFolder
from batch.dataset.sample import image_suffix
from batch.dataset.shard_state import read_sidecar
from batch.dataset.table import require_pyarrow
from facegen_addon.errors import NotReached, UserError
from facegen_addon.terminal.copies import with_program
from facegen_addon.terminal.interruption import interruptible
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.silence import blender_silent, load_blender
from facegen_addon.terminal.temporary import own_temporary_files

if TYPE_CHECKING:
    from batch.dataset.plan import Plan

_SHOWN = 5  # problems of one check that are printed
_MOST = 1_000_000
_EXAMPLES = """examples:
  {program} dataset verify out/photos
      all hashes, records and tables; the labels of every tenth sample; 8 samples drawn again
  {program} dataset verify out/photos --labels 1 --seeds 100
      the labels of every sample; 100 samples drawn again from the seed alone
  {program} dataset verify out/photos --render 4
      also render 4 samples again and compare images and labels byte for byte
  {program} dataset verify out/flame --model /share/generic_model.pkl
      a run of a FLAME file, which has to be at hand to draw its samples again

Exit status: 0 everything is as it has to be, 3 something is not, 2 there is no run to look at."""


@dataclass(frozen=True)
class VerifyOptions:
    """labels: share of the samples whose labels are checked; seeds, render: samples drawn and
    rendered again; model, recipe: files, where the run's own names do not lead to them."""

    folder: Path
    labels: float
    seeds: int
    render: int
    model: str | None
    recipe: Path | None


@dataclass(frozen=True)
class Remaking:
    """Means to make samples again: the run's plan, and a context in which they are rendered."""

    open_plan: Callable[[], ShotSource]
    open_renderer: Callable[[RunFolder, Any], AbstractContextManager[RenderAgain]]


def main(arguments: Sequence[str], spelling: str = "dataset verify") -> int:
    """Look at a run; the exit status. UserError if there is none, NotReached if it has faults."""
    options = parse_options(arguments, spelling)
    require_pyarrow()
    run = RunFolder.open(options.folder)
    remaking = Remaking(lambda: _open_plan(options), _open_renderer)
    bar = ProgressBar()
    names, failed = [], []
    try:
        with interruptible():
            for check in verify(run, options, remaking, bar.update):
                bar.close()
                print(_lines(check), flush=True)
                names.append(check.name)
                failed += [check.name] if check.problems else []
    finally:
        bar.close()
    if failed:
        raise NotReached(
            f"{len(failed)} of {len(names)} checks of {options.folder} failed: {', '.join(failed)}"
        )
    return 0


def verify(
    run: RunFolder, options: VerifyOptions, remaking: Remaking, progress: Progress
) -> Iterator[Check]:
    """One check after the other; what needs whole shards is left out where they are not."""
    yield check_run(run)
    with own_temporary_files() as scratch:
        found = check_shards(run, options.labels, scratch, progress)
        yield from found.checks
        if found.gathered is None:
            return
        yield from check_closing(found.gathered)
        yield from _remade(found.gathered, options, remaking, progress)


def _remade(
    gathered: Gathered, options: VerifyOptions, remaking: Remaking, progress: Progress
) -> Iterator[Check]:
    if not options.seeds and not options.render:
        return
    run, plan = gathered.run, remaking.open_plan()
    if options.seeds:
        some = some_samples(run, gathered.shards, options.seeds)
        yield check_seeds(plan, [sample.without_pictures() for sample in some], progress)
    if options.render:
        samples = list(some_samples(run, gathered.shards, options.render))
        with remaking.open_renderer(run, plan) as render:
            check = check_renders(render, samples, progress)
        yield check


def _lines(check: Check) -> str:
    """The printed lines of a check."""
    if not check.problems:
        return f"✓ {check.name:<12}{check.figures}"
    count = f"{len(check.problems)} problem{'s' if len(check.problems) > 1 else ''}"
    lines = [f"✗ {check.name:<12}{count}", *(f"    {text}" for text in check.problems[:_SHOWN])]
    more = len(check.problems) - _SHOWN
    return "\n".join([*lines, *([f"    and {more} more"] if more > 0 else [])])


def _open_plan(options: VerifyOptions) -> ShotSource:
    from batch.dataset.plan import Plan

    return Plan.open(options.folder, options.model, options.recipe)


@contextmanager
def _open_renderer(run: RunFolder, plan: "Plan") -> Iterator[RenderAgain]:
    """Renders with Blender, by the CPU where the run was made by it."""
    load_blender()
    from batch.dataset.farm import render_settings
    from batch.dataset.messages import Job
    from batch.dataset.render_worker import finished
    from facegen_addon.scene.render.sample_renderer import SampleRenderer, SampleSettings

    device = "CPU" if (read_sidecar(run, 0) or {}).get("device") == "CPU" else "auto"
    settings = SampleSettings(**render_settings(plan.recipe, device, threads=0))
    dense, pictures = plan.recipe.labels.dense, plan.recipe.picture_hashes()
    with (
        blender_silent() as chatter,
        SampleRenderer(plan.model, settings, dense=dense, pictures=pictures) as renderer,
    ):

        def render(index: int, attempt: int) -> dict[str, bytes]:
            shot = plan.shot(index, attempt)
            done = finished(Job(index, attempt, shot, False), renderer.render(shot))
            chatter.forget()
            suffix = image_suffix(plan.recipe.image.format)
            return {suffix: done.image_file, **dict(done.labels)}

        yield render


def parse_options(arguments: Sequence[str], spelling: str = "dataset verify") -> VerifyOptions:
    """Read and check the options of the command, which is called `spelling`.

    UserError names a wrong value and the remedy.
    """
    values = _parser(spelling).parse_args(arguments)
    if not 0.0 <= values.labels <= 1.0:
        raise UserError(f"--labels {values.labels:g} is no share; give a number from 0 to 1")
    check_range("--seeds", values.seeds, 0, _MOST)
    check_range("--render", values.render, 0, _MOST)
    return VerifyOptions(**vars(values))


def _parser(spelling: str) -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=spelling,
        description="Check a data set of `dataset make`: hashes, records, parameters, latents,"
        " labels, table, croissant.json, and that samples come from their seed.",
        epilog=with_program(_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="a run that was closed")
    add(
        "--labels",
        type=float,
        default=0.1,
        metavar="SHARE",
        help="share of the samples whose labels and images are checked; default: %(default)s",
    )
    add(
        "--seeds",
        type=int,
        default=8,
        metavar="N",
        help="samples whose parameters are drawn again from the seed; default: %(default)s",
    )
    add(
        "--render",
        type=int,
        default=0,
        metavar="N",
        help="samples that are rendered again; default: %(default)s",
    )
    add("--model", help="the head model's file, if it was one; default: by the run's name of it")
    add("--recipe", type=Path, help="the recipe's file, if it names folders; default: the run's")
    return parser
