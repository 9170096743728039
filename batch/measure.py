# SPDX-License-Identifier: GPL-3.0-or-later
"""`measure`: latents -> B -> renders -> F, and how far they come back; a killed run goes on."""

import hashlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from batch.command_line import shown_command, worker_command
from batch.measure_options import (
    MeasureOptions,
    Requested,
    parse_options,
    reference_for,
    requested_latents,
)
from batch.measure_report import PAGE, MeasureRecord, Portraits, write_results
from batch.measure_work import Work
from batch.measure_worker import BlenderStudio, Studio, chunk_measurer
from batch.output import output_folder
from facegen_addon.arrays import ByteArray, FloatArray
from facegen_addon.artifacts import artifact
from facegen_addon.durations import format_seconds
from facegen_addon.encoders.encoder import find_encoder
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.mapping.correction import load_correction
from facegen_addon.mapping.influence import table_digest
from facegen_addon.terminal.interruption import exit_status, interruptible
from facegen_addon.terminal.pool import Pool
from facegen_addon.terminal.pool_worker import Steps
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.silence import blender_silent

_DECISIVE = ("FaceGen", "Blender", "device")
"""Versions whose renders may differ, so that none goes on with another's work."""


def main(arguments: Sequence[str], studio: Studio | None = None) -> int:
    """Run `measure`; the exit status. `studio` replaces Blender and the encoder in tests.

    UserError for a wrong value and for work of other settings where --replace is not given.
    """
    options = parse_options(arguments)
    studio = studio or BlenderStudio()
    model = load_head_model(options.model)
    start = time.monotonic()
    requested = requested_latents(options)
    reference, everybody = reference_for(options, requested)
    load_correction(options.correction, model.name, options.grade)
    studio.check(options)
    versions = studio.versions()
    settings = _settings(options, model, requested, versions)
    with Work.begin(options.output, settings, requested.latents, options.replace) as work:
        try:
            with interruptible():
                _measure_all(options, model, studio, work)
                measured = work.collect()
                if not measured.usable.any():
                    raise UserError(
                        "no head shows its face; try another --model or other --latents"
                    )
                record = MeasureRecord(
                    measured, requested.source, settings,
                    shown_command("measure", arguments), model.name, model.table,
                    reference, everybody, len(requested.latents) * options.renders_per_latent,
                    time.monotonic() - start, versions,
                )  # fmt: skip
                with output_folder(options.output) as folder, blender_silent():
                    figures = write_results(folder, record, _pictured(model, studio))
        except KeyboardInterrupt as stop:
            print(_stopped(work), file=sys.stderr)
            return exit_status(stop)
    _print_summary(figures, options.output)
    print(f"in {format_seconds(time.monotonic() - start)}", file=sys.stderr)
    return 0


def _pictured(model: HeadModel, studio: Studio) -> Portraits:
    """The studio's portraits, with a bar."""

    def portraits(parameters: FloatArray) -> Iterator[ByteArray]:
        bar = ProgressBar()
        for done, picture in enumerate(studio.portraits(model, parameters), start=1):
            bar.update("picture examples", done, len(parameters))
            yield picture

    return portraits


def _stopped(work: Work) -> str:
    left = sum(len(work.part(chunk)) for chunk in work.pending())
    return (
        f"facegen: stopped; {len(work.latents) - left} of {len(work.latents)} latents are"
        " measured, the same command goes on"
    )


def _settings(
    options: MeasureOptions, model: HeadModel, requested: Requested, versions: Mapping[str, Any]
) -> dict[str, Any]:
    """All that decides the results, as plain data."""
    settings = {
        "model": model.name,
        "latents": options.latents,
        "count": len(requested.latents),
        "seed": options.seed,
        "grade": options.grade,
        "correction": options.correction,
        "feedback": options.feedback,
        "renders": options.renders,
        "before": options.before,
        "samples": options.samples,
        "encoder": options.encoder,
        **{name: versions[name] for name in _DECISIVE if name in versions},
    }
    digests = {
        "content of the latents": hashlib.sha256(requested.latents.tobytes()).hexdigest(),
        "table of the model": table_digest(model.table),
        "version of the encoder": find_encoder(options.encoder).sha256,
        **{f"version of {name}": digest for name, digest in model.sources.items()},
        **{f"version of {name}": artifact(name).sha256 for name in _artifacts(options, model)},
    }
    return settings | {name: digest[:12] for name, digest in digests.items()}


def _artifacts(options: MeasureOptions, model: HeadModel) -> list[str]:
    kinds = ["surrogate", "backward"] + ["corrections"] * (options.correction != "none")
    return [f"{kind}_{model.name}" for kind in kinds]


def _measure_all(options: MeasureOptions, model: HeadModel, studio: Studio, work: Work) -> None:
    """Measure what is not done, by worker processes or in this one."""
    pending = work.pending()
    if not pending:
        return
    total = options.renders_per_latent * sum(len(work.part(chunk)) for chunk in pending)
    bar, stage, done = ProgressBar(), f"measure {model.name}"[:22], 0

    def rendered(count: int = 1) -> None:
        nonlocal done
        done += count
        bar.update(stage, done, total)

    bar.update(stage, 0, total)
    try:
        if studio.in_process:
            measure = chunk_measurer(options, model, studio, work, rendered)
            for chunk in pending:
                measure(chunk)
            return
        workers = min(options.workers, len(pending))
        with Pool(worker_command(["measure-worker"]), workers, options) as pool:
            for heard in pool.work_off(pending):
                if isinstance(heard, Steps):
                    rendered(heard.count)
    finally:
        bar.close()


def _print_summary(figures: dict[str, Any], output: Path) -> None:
    for name, one in figures["sets"].items():
        mean, far = (one["shift"]["degrees"][key]["value"] for key in ("mean", "quantile90"))
        distance = one["shift"]["distance"]["mean"]["value"]
        print(
            f"{name:<7} mean {mean:.1f} degrees, 90 % {far:.1f}; mean cosine distance"
            f" {distance:.3f}; common share of the shift {one['mean_shift']['common_share']:.2f}"
        )
    print(f"{figures['latents']['usable']} latents: {output / PAGE}")
