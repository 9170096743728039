# SPDX-License-Identifier: GPL-3.0-or-later
"""A process of `influence`: measures one parameter after the other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from batch.influence_work import ProbeMaker, Work
from facegen_addon.arrays import Float32Array, FloatArray
from facegen_addon.encoders.encoder import EncoderSource
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.mapping.influence import InfluenceSettings, Probe
from facegen_addon.terminal.pool_worker import PoolPipe, answer_jobs


@dataclass(frozen=True)
class SetUp:
    """The first message to a process. model: name or FLAME file."""

    model: str
    settings: InfluenceSettings
    encoder: EncoderSource


def main(arguments: Sequence[str]) -> int:
    """Measure parameters for the command that started this process; the exit status."""
    return answer_jobs(measuring, "`influence`")


@contextmanager
def measuring(
    pipe: PoolPipe, make_probe: ProbeMaker | None = None
) -> Iterator[Callable[[str], None]]:
    """A function that measures a named parameter; tests replace Blender by `make_probe`."""
    set_up: SetUp = pipe.set_up
    work = Work.of(load_head_model(set_up.model), set_up.settings, set_up.encoder)

    make = make_probe or _probe_of(set_up.encoder)
    with make(work.model, work.settings) as probe:
        yield work.measurer(_telling(probe, pipe))


def _probe_of(encoder: EncoderSource) -> ProbeMaker:
    # Imported here: only processes that render need bpy.
    from facegen_addon.scene.render.portrait import render_probe

    return lambda model, settings: render_probe(model, settings, threads=1, encoder=encoder.path)


def _telling(probe: Probe, pipe: PoolPipe) -> Probe:
    """A probe that says of every render that this process is alive, and ends with the command."""

    def embed(parameters: FloatArray, seed: int) -> Float32Array:
        pipe.step(0)
        return probe.embed(parameters, seed)

    def portrait(parameters: FloatArray) -> bytes:
        pipe.step(0)
        return probe.portrait(parameters)

    return Probe(embed, portrait)
