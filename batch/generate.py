# SPDX-License-Identifier: GPL-3.0-or-later
"""`generate`: heads of which no two are nearer than a distance, with a report on them."""

import hashlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from batch.command_line import shown_command
from batch.dataset.commands import run_by_old_spelling
from batch.figures import HeadSet
from batch.options import GenerateOptions, asks_for_dataset, parse_options
from batch.output import output_folder
from batch.reference import Reference, reference_by
from batch.report import RunRecord
from batch.results import PARTS, describe_versions, write_results
from facegen_addon.arrays import FloatArray, RealArray
from facegen_addon.durations import format_seconds
from facegen_addon.encoders import second_opinion
from facegen_addon.encoders.encoder import Encoder, EncoderSource, check_encoder_fits, find_encoder
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.drawing import draw_heads
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.latent.checked import LATENT_SIZE
from facegen_addon.latent.coverage import coverage_curve
from facegen_addon.random_streams import random_stream
from facegen_addon.request_fields import fields_of
from facegen_addon.terminal.interruption import interruptible, stop_if_asked
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.silence import Chatter, blender_silent, load_blender
from facegen_addon.variety.earlier_runs import read_achieved, run_file
from facegen_addon.variety.fields import APART, HANDS, SECOND_ENCODER, WEAR, WHO
from facegen_addon.variety.hands import ONE_RENDER
from facegen_addon.variety.request import VarietyRequest
from facegen_addon.variety.result import VarietyResult

_STAGES = {
    "sample": "choose faces",
    "render": "render heads",
    "uniform": "compare: random",
    "prior": "compare: plausible",
}
PRIOR_DRAWS = 1000  # for the prior's own plausibility


def main(arguments: Sequence[str]) -> int:
    """Run `generate` with its command line arguments; the exit status.

    UserError for a wrong value, NotReached if the variety was not, KeyboardInterrupt: in all
    three cases the output folder stays as it was. With --recipe, `dataset make` instead.
    """
    if asks_for_dataset(arguments):
        return run_by_old_spelling("generate --recipe NAME", arguments)
    options = parse_options(arguments)
    start = time.monotonic()
    model = load_head_model(options.model)
    # A file's head goes by its own name from here on: results must not depend on where it lies.
    options = replace(options, model=model.name)
    model = load_head_model(model.name)
    encoder, source = Encoder.load(options.encoder), find_encoder(options.encoder)
    if options.second_encoder:
        Encoder.load(options.second_encoder)  # missing or damaged, it is told of at once
    if options.distribution == "latent":
        check_encoder_fits(encoder, LATENT_SIZE)
    earlier = [read_achieved(Path(run), model.name, source.key) for run in options.fill_gaps]
    reference = reference_by(source, encoder.latent_size, options.real_latents, options.count)
    provenance = _provenance(model, source)
    device = f"{options.engine} on {provenance['device']}"
    print(f"{options.count} heads of {model.name}, rendered by {device}", flush=True)
    bar = ProgressBar()
    try:
        with interruptible(), output_folder(options.output) as folder, blender_silent() as chatter:
            watch = _Watch(bar, chatter)
            result = _run_operator(options, watch)
            if earlier and reference is not None:
                heads = _head_set(result).achieved
                provenance["gaps"] = _gaps(options, np.concatenate(earlier), heads, reference)
            record = RunRecord(
                request=_request(options, source),
                command=shown_command("generate", arguments),
                run=_head_set(result),
                comparison=_uncorrected(result)
                | (_comparison(options, model, encoder, watch) if options.comparison else {}),
                rendered=result.rendered,
                prior=model.sample_prior(_generator(options, "plausibility"), PRIOR_DRAWS),
                seconds=result.seconds,
                provenance=provenance,
                table=model.table,
                reference=reference,
                attributes=model.attributes(np.stack([h.parameters for h in result.heads])),
                readings=_second_opinion(result),
                looks=result.looks,
                holding=[one.plain() for one in result.holding],
            )
            write_results(folder, result.heads, record, watch.write)
    finally:
        bar.close()
    print(
        f"{len(result.heads)} heads in {format_seconds(time.monotonic() - start)}:"
        f" {options.output}/report.html",
        file=sys.stderr,
    )
    return 0


@dataclass(frozen=True)
class _Watch:
    """Display of a run: a bar for each stage, and of Blender what it says of one picture."""

    bar: ProgressBar
    chatter: Chatter

    def run(self, stage: str, done: float, total: float) -> None:
        """A step of the operator, or of the comparison."""
        self.chatter.forget()
        if stage == "render":  # the operator does not say when it has chosen
            self.bar.update(_STAGES["sample"], 1, 1)
        self.bar.update(_STAGES.get(stage, stage), done, total)

    def write(self, part: str, done: float, total: float) -> None:
        """A step of writing the results: one bar for all their parts."""
        share = done / total if total else 1.0
        self.bar.update("write results", PARTS.index(part) + share, len(PARTS))


def _run_operator(options: GenerateOptions, watch: _Watch) -> VarietyResult:
    """Call the add-on's operator and read off the scene what it made, as any script would."""
    import bpy

    import facegen_addon
    from facegen_addon.scene.workflows import made_variety
    from facegen_addon.ui import jobs
    from facegen_addon.ui.variety import LABELS

    stages = {label: stage for stage, label in LABELS.items()}

    def tell(progress: jobs.Progress) -> None:
        watch.run(stages[progress.label], progress.done, progress.total)

    facegen_addon.register()
    jobs.progress_handlers.append(tell)
    try:
        bpy.ops.facegen.generate_variety(**_operator_properties(options))
        return made_variety.take(bpy.context.scene)
    except RuntimeError:
        # An error inside an operator reaches its caller as RuntimeError; the scene has the cause.
        stop_if_asked()
        cause = made_variety.error_of(bpy.context.scene)
        if cause is None:
            raise
        raise cause from None
    finally:
        jobs.progress_handlers.remove(tell)
        facegen_addon.unregister()


def _operator_properties(options: GenerateOptions) -> dict[str, Any]:
    values = {field.name: getattr(options, field.name) for field in fields_of(VarietyRequest)}
    return values | {
        "place": False,
        "keep_images": True,
        "fill_gaps": [{"name": str(run)} for run in options.fill_gaps],
    }


def _head_set(result: VarietyResult) -> HeadSet:
    requested = [head.requested for head in result.heads if head.requested is not None]
    return HeadSet(
        parameters=np.stack([head.parameters for head in result.heads]),
        achieved=np.stack([head.achieved for head in result.heads]),
        requested=np.stack(requested) if requested else None,
    )


def _uncorrected(result: VarietyResult) -> dict[str, HeadSet]:
    """The same heads as they were before corrections, if there were any."""
    first = [head.uncorrected for head in result.heads if head.uncorrected is not None]
    if not first:
        return {}
    return {
        "uncorrected": HeadSet(
            parameters=np.stack([head.parameters for head in first]),
            achieved=np.stack([head.achieved for head in first]),
            requested=_head_set(result).requested,
        )
    }


def _gaps(
    options: GenerateOptions,
    earlier: RealArray,
    heads: RealArray,
    reference: Reference,
) -> dict[str, Any]:
    """Which runs were complemented, and how near the reference's faces have a head by it."""
    curve = coverage_curve(
        reference.latents,
        np.concatenate([earlier, heads]),
        [len(earlier), len(earlier) + len(heads)],
    )
    before, after = (round(float(mean), 4) for mean in curve.mean)
    return {
        "heads of earlier runs": len(earlier),
        "sha256 of their files": [
            hashlib.sha256(run_file(Path(run)).read_bytes()).hexdigest()
            for run in options.fill_gaps
        ],
        "distance of reference faces to their nearest head before": before,
        "and with the new heads": after,
    }


def _comparison(
    options: GenerateOptions, model: HeadModel, encoder: Encoder, watch: _Watch
) -> dict[str, HeadSet]:
    """As many heads drawn uniformly and from the prior, rendered alike but not selected."""
    from facegen_addon.scene.render.forward import ForwardMapping
    from facegen_addon.scene.render.head_renderer import HeadRenderer

    draws = {
        name: draw_heads(model, name, _generator(options, name), options.count)
        for name in ("uniform", "prior")
    }
    settings = options.render_settings()
    sets = {}
    with HeadRenderer(model, settings, options.outfit.for_portrait) as renderer:
        forward = ForwardMapping(renderer, encoder)
        for name, parameters in draws.items():
            latents = forward.embed_heads(parameters, partial(watch.run, name))
            sets[name] = HeadSet(parameters, latents)
    return sets


def _second_opinion(result: VarietyResult) -> FloatArray | None:
    """What another program reads off the heads' images; None where it is not installed."""
    if not second_opinion.is_there():
        return None
    return second_opinion.read_pictures(head.image for head in result.heads)


def _generator(options: GenerateOptions, purpose: str) -> np.random.Generator:
    """A stream of its own for each purpose, so that none shifts another's draws."""
    return random_stream(options.seed, purpose)


def _request(options: GenerateOptions, encoder: EncoderSource) -> dict[str, Any]:
    """The options that decide what is made, as plain data; where files lie is not among them."""
    values = {field.name: getattr(options, field.name) for field in fields_of(VarietyRequest)}
    del values["fill_gaps"]
    who = {field.name: values.pop(field.name) for field in WHO}
    hands = {field.name: values.pop(field.name) for field in HANDS}
    if options.second_encoder:
        hands[SECOND_ENCODER.name] = find_encoder(options.second_encoder).key
    # What was asked for before there were other hands reads as it did then.
    asked = {field.name: hands[field.name] for field in HANDS if hands[field.name]}
    if asked == {APART.name: ONE_RENDER}:
        asked = {}
    # Their order is part of a data set's bytes.
    last = {"corrections": values.pop("corrections"), "encoder": encoder.key}
    del values["encoder"]
    worn = {WEAR.name: wear} if (wear := values.pop(WEAR.name)) else {}
    return values | {"comparison": options.comparison} | last | who | asked | worn


def _provenance(model: HeadModel, encoder: EncoderSource) -> dict[str, Any]:
    load_blender()
    import bpy

    from facegen_addon.scene.render.devices import use_device

    return describe_versions(bpy.app.version_string, use_device()) | {
        "encoder": {"name": encoder.name, "sha256": encoder.sha256},
        "head model": model.sources,
    }
