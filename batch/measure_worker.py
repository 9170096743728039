# SPDX-License-Identifier: GPL-3.0-or-later
"""Chunks of `measure`: B, corrections and F; by a process of its own, or in the command's."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Protocol

from batch.measure_options import MeasureOptions
from batch.measure_work import Work
from batch.results import describe_versions
from facegen_addon.arrays import ByteArray, FloatArray
from facegen_addon.encoders.encoder import Encoder, check_encoder_fits
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.latent.checked import LATENT_SIZE
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.correction import load_correction
from facegen_addon.mapping.roundtrip import HALF_STEPS, RenderAndEmbed, iterate, one_by_one
from facegen_addon.terminal.pool_worker import PoolPipe, answer_jobs
from facegen_addon.terminal.silence import load_blender

_PORTRAIT_SIZE = 192  # pixels


class Studio(Protocol):
    """The work of Blender and the encoder; tests give another, that works in this process."""

    in_process: bool

    def check(self, options: MeasureOptions) -> None: ...
    def forward(self, model: HeadModel, options: MeasureOptions) -> RenderAndEmbed: ...
    def portraits(
        self, model: HeadModel, parameters: Annotated[FloatArray, "N P"]
    ) -> Iterator[Annotated[ByteArray, "H W 3"]]: ...
    def versions(self) -> dict[str, Any]: ...


class BlenderStudio:
    """F by Cycles and the encoder, in processes of their own."""

    in_process = False

    def check(self, options: MeasureOptions) -> None:
        """UserError if the encoder is not there or its latents do not fit B."""
        check_encoder_fits(Encoder.load(options.encoder), LATENT_SIZE)

    def forward(self, model: HeadModel, options: MeasureOptions) -> RenderAndEmbed:
        """F on one thread: as many workers as cores are faster than threads, and all alike."""
        from facegen_addon.scene.render.view import View, load_forward

        return load_forward(model, options.samples, 1, View(encoders=(options.encoder,)))

    def portraits(
        self, model: HeadModel, parameters: Annotated[FloatArray, "N P"]
    ) -> Iterator[Annotated[ByteArray, "H W 3"]]:
        """Pictures of whole heads."""
        from facegen_addon.scene.render.portrait import portraits

        return portraits(model, parameters, size=_PORTRAIT_SIZE)

    def versions(self) -> dict[str, Any]:
        """Versions of everything that takes part."""
        load_blender()
        import bpy

        from facegen_addon.scene.render.devices import use_device

        return describe_versions(bpy.app.version_string, use_device())


def chunk_measurer(
    options: MeasureOptions,
    model: HeadModel,
    studio: Studio,
    work: Work,
    rendered: Callable[[], None],
) -> Callable[[int], None]:
    """A function that measures a chunk and keeps what it finds; `rendered` after each head."""
    backward = BackwardMapping.load(model.name, model.table)
    correct = load_correction(options.correction, model.name, options.grade)
    embed = one_by_one(studio.forward(model, options), rendered)

    def measure(chunk: int) -> None:
        latents = work.part(chunk)
        iterated = iterate(
            latents, backward, embed, options.grade,
            correct=correct, feedback=options.feedback or HALF_STEPS, renders=options.renders,
        )  # fmt: skip
        uncorrected = options.renders_uncorrected
        before = iterate(latents, backward, embed, options.grade) if uncorrected else None
        work.write(chunk, iterated, before)

    return measure


def main(arguments: Sequence[str]) -> int:
    """Measure chunks for the command that started this process; the exit status."""
    return answer_jobs(measuring, "`measure`")


@contextmanager
def measuring(pipe: PoolPipe, studio: Studio | None = None) -> Iterator[Callable[[int], None]]:
    """A function that measures a chunk, for the command's own options; each head is a step."""
    options: MeasureOptions = pipe.set_up
    work, model = Work.open(options.output), load_head_model(options.model)
    yield chunk_measurer(options, model, studio or BlenderStudio(), work, pipe.step)
