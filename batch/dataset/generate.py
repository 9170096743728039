# SPDX-License-Identifier: GPL-3.0-or-later
"""`dataset make`: a labelled data set, or the shards of it that this machine makes."""

import contextlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from batch.dataset.batch_encoder import BatchEncoder
from batch.dataset.calibrate import layout_for
from batch.dataset.closing import close_run
from batch.dataset.farm import Farm, render_pool, render_settings
from batch.dataset.layout import Layout
from batch.dataset.messages import SetUp
from batch.dataset.options import DatasetOptions, parse_options
from batch.dataset.picture_check import check_pictures, check_same_files
from batch.dataset.plan import Plan
from batch.dataset.recipe import Recipe, describe, population_unsaid
from batch.dataset.recipe_fit import check_model
from batch.dataset.run_folder import RUN_FILE, WORK_FOLDER, RunFolder, digest_of
from batch.dataset.shard_state import failures, is_done
from batch.dataset.status import EventLog, Status
from batch.dataset.table import require_pyarrow
from batch.dataset.versions import versions
from facegen_addon.encoders.encoder import DEFAULT_ENCODER, Encoder
from facegen_addon.errors import NotReached, UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.latent.checked import LATENT_SIZE
from facegen_addon.latent.people import BALANCED
from facegen_addon.mapping.backward import is_trained
from facegen_addon.terminal.interruption import exit_status, interruptible
from facegen_addon.terminal.progress import QUIET, ProgressBar

_LOGS = "logs-"


def main(arguments: Sequence[str], spelling: str = "dataset make") -> int:
    """Make a data set by the command called `spelling`; the exit status.

    UserError for a wrong value, NotReached if samples had to be given up. Whatever ends it,
    finished samples stay, and the same command with --resume goes on.
    """
    options = parse_options(arguments, spelling)
    log = EventLog(options.log_json)
    status = 1
    try:
        with interruptible():
            status = _generate(options, log)
    except UserError:
        status = 2
        raise
    except NotReached:
        status = 3
        raise
    except KeyboardInterrupt as stop:
        status = exit_status(stop)
        again = "" if options.resume else " with --resume"
        print(f"facegen: stopped; the same command{again} goes on", file=sys.stderr)
    finally:
        log.write("end", status=status)
    return status


def _generate(options: DatasetOptions, log: EventLog) -> int:
    recipe = Recipe.read(options.recipe, _population_unsaid(options))
    model = load_head_model(options.model)
    check_model(recipe, model)
    encoder = Encoder.load(recipe.heads.encoder, threads=1, device=options.encoder_device)
    if recipe.heads.is_guided:
        _check_guide(options.model, model, encoder)
    if options.is_whole:
        require_pyarrow()
    run = _begin(options, recipe, model)
    shards = _own_shards(run, options)
    total = sum(len(run.indices(shard)) for shard in shards)
    print(describe(recipe))
    of_all = f"{len(shards)} of {run.shard_count} shards"
    print(f"{total} samples of {model.name} in {of_all}: {run.path}", flush=True)
    unfinished = _unfinished(run, shards)
    left = sum(len(run.indices(shard)) for shard in unfinished)
    layout = layout_for(options, left)
    log.write("start", run=run.digest, samples=total, shards=shards, workers=layout.workers)
    status = Status(total, log)  # whose clock starts with the work itself
    status.found(total - left)
    if unfinished:
        farm = Farm(
            run,
            Plan(recipe, model, options.seed),
            BatchEncoder(encoder),
            run.request["versions"],
            status,
        )
        _make(unfinished, farm, options, layout)
    status.show([], last=True)
    return _close(run, shards, options)


def _make(shards: Sequence[int], farm: Farm, options: DatasetOptions, layout: Layout) -> None:
    """Make shards by render processes that live as long as it takes."""
    recipe = farm.plan.recipe
    settings = render_settings(recipe, options.device, layout.threads)
    set_up = SetUp(options.model, settings, recipe.labels.dense, recipe.picture_hashes())
    farm.status.take_notices()
    with render_pool(layout.workers, set_up, _logs(farm.run, options), options.timeout) as pool:
        farm.make(shards, pool)


def _logs(run: RunFolder, options: DatasetOptions) -> Path:
    """Folder of this task's render processes' stderr, kept until all is well."""
    return run.path / WORK_FOLDER / f"{_LOGS}{options.shard[0]}-of-{options.shard[1]}"


def _check_guide(given: str, model: HeadModel, encoder: Encoder) -> None:
    """UserError unless latents can be asked for, and answered by the encoder."""
    remedy = 'or set distribution = "prior" in the recipe\'s [heads]'
    if not is_trained(model.name):
        raise UserError(
            f"--model {given} has no B, which heads of latents need: run `make models"
            f" MODEL={given}`, {remedy}"
        )
    if encoder.latent_size != LATENT_SIZE:
        raise UserError(
            f"encoder {encoder.name} gives latents of {encoder.latent_size} numbers, B takes"
            f" {LATENT_SIZE}: use {DEFAULT_ENCODER}, {remedy}"
        )


def _unfinished(run: RunFolder, shards: Sequence[int]) -> list[int]:
    """The shards in which something is to be done; the others are read and checked."""
    with contextlib.closing(ProgressBar(quiet=QUIET)) as bar:
        unfinished = []
        for done, shard in enumerate(shards, start=1):
            if not is_done(run, shard):
                unfinished.append(shard)
            bar.update("check shards", done, len(shards))
    return unfinished


def _close(run: RunFolder, shards: Sequence[int], options: DatasetOptions) -> int:
    """Close the run where this process makes all of it; NotReached if samples are missing."""
    failed = sum(failures(run, shard) for shard in shards)
    if not failed:
        # Those of a division that was given up, too, once the whole is there.
        name = f"{_LOGS}*" if options.is_whole else _logs(run, options).name
        for folder in (run.path / WORK_FOLDER).glob(name):
            shutil.rmtree(folder, ignore_errors=True)
    if options.is_whole:
        run.remove_work()
        with contextlib.closing(ProgressBar(quiet=QUIET)) as bar:
            close_run(run, bar.update)
    if failed:
        total = sum(len(run.indices(shard)) for shard in shards)
        raise NotReached(
            f"{failed} of {total} samples were given up, each with its reason in"
            f" {run.path}/data-*.json: --resume tries again where a render process died; else"
            " widen the recipe's [accept]"
        )
    return 0


def _population_unsaid(options: DatasetOptions) -> str:
    """Who is drawn where the recipe does not say: whom the run that is gone on with draws."""
    if options.replace or not os.path.isfile(options.output / RUN_FILE):
        return BALANCED
    return population_unsaid(RunFolder.open(options.output).request["recipe"])


def _own_shards(run: RunFolder, options: DatasetOptions) -> list[int]:
    """The shards that this process makes."""
    first, step = options.shard
    return list(range(first, run.shard_count, step))


def _begin(options: DatasetOptions, recipe: Recipe, model: HeadModel) -> RunFolder:
    """The run's folder; UserError where work lies in it that is not to be gone on with."""
    request = {
        "count": options.count,
        "seed": options.seed,
        "shard_size": options.shard_size,
        "model": model.name,
        "recipe": recipe.as_mapping(),
        "versions": versions(recipe, model, options.encoder_device),
    }
    _check_files(options, recipe, digest_of(request))
    table = [parameter.as_mapping() for parameter in model.table.parameters]
    run = RunFolder.begin(options.output, request, table, recipe.to_toml(), replace=options.replace)
    begun = any(run.has_begun(shard) for shard in _own_shards(run, options))
    if begun and not options.resume:
        raise UserError(
            f"--output {options.output} has samples of this run: add --resume to go on, --replace"
            " to start anew, or name another folder"
        )
    return run


def _check_files(options: DatasetOptions, recipe: Recipe, digest: str) -> None:
    """UserError, before anything is written, for pictures that are of no use or not the run's.

    Those of a run that has begun were decoded then: the digest has their hashes.
    """
    if not options.replace and os.path.isfile(options.output / RUN_FILE):
        begun = RunFolder.open(options.output)
        check_same_files(recipe, begun.request["recipe"], options.output)
        if begun.digest == digest:
            return
    check_pictures(recipe)
