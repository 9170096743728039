# SPDX-License-Identifier: GPL-3.0-or-later
"""F of sets of heads by several processes, in chunks of which a killed run loses none.

Chunks that are there are not rendered again. Each head has its own seed, so its pair does not
depend on the number of processes.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from facegen_addon.arrays import RealArray
from facegen_addon.errors import RejectedSample
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.latent.checked import LATENT_SIZE
from facegen_addon.scene.render.view import Forward, View, load_forward
from facegen_addon.terminal.pool import Pool
from facegen_addon.terminal.pool_worker import PoolPipe, Steps, answer_jobs
from facegen_addon.terminal.progress import ProgressBar
from models.training import pairs

_COMMAND = (sys.executable, "-m", "models.training.render_pairs", "worker")


@dataclass(frozen=True)
class SetUp:
    """First message to a process. model: of the catalogue; samples a pixel; threads of Cycles."""

    model: str
    samples: int
    threads: int
    view: View


@dataclass(frozen=True)
class Chunk:
    """Heads z (N, G) that are rendered into one file."""

    path: Path
    z: Annotated[RealArray, "N G"]


class RenderPool:
    """F in several processes, which start with the first head and end with `close`."""

    def __init__(
        self, options: argparse.Namespace, forward: Forward | None = None, chunk: int = pairs.CHUNK
    ) -> None:
        """options: model, samples, workers, threads; chunk: heads a file.

        `forward` replaces Blender and FaceNet, in this process.
        """
        self._options, self._forward, self._chunk = options, forward, chunk
        self._pool: Pool | None = None
        self._open = contextlib.ExitStack()
        self._view = View()

    def render(self, z: Annotated[RealArray, "N G"], folder: Path, view: View) -> None:
        """Heads z (N, G), rounded as pairs are, as chunks in `folder`.

        UserError if a process fails, or as Pool says; the same call goes on.
        """
        chunks = list(self._pending(pairs.quantised(z), folder))
        bar, done, total = ProgressBar(), 0, sum(len(chunk.z) for chunk in chunks)

        def step(count: int = 1) -> None:
            nonlocal done
            done += count
            bar.update(folder.name[:22], done, total)

        try:
            if chunks:
                step(0)
                self._work_off(chunks, view, step)
        finally:
            bar.close()

    def close(self) -> None:
        """End the processes, after the heads that they are at."""
        self._open.close()
        self._pool = None

    def _pending(self, z: RealArray, folder: Path) -> Iterator[Chunk]:
        for index, start in enumerate(range(0, len(z), self._chunk)):
            chunk = Chunk(pairs.chunk_path(folder, index), z[start : start + self._chunk])
            if not pairs.chunk_is_of(chunk.path, chunk.z):
                yield chunk

    def _work_off(self, chunks: list[Chunk], view: View, step: Callable[[int], None]) -> None:
        if self._forward is not None:
            table = load_head_model(self._options.model).table
            for chunk in chunks:
                render_chunk(table, chunk, self._forward, step)
            return
        for heard in self._processes(view).work_off(chunks):
            if isinstance(heard, Steps):
                step(heard.count)

    def _processes(self, view: View) -> Pool:
        if view != self._view:
            self.close()
            self._view = view
        if self._pool is None:
            options = self._options
            set_up = SetUp(options.model, options.samples, options.threads, view)
            self._pool = self._open.enter_context(Pool(_COMMAND, options.workers, set_up))
        return self._pool


def serve_renders() -> int:
    """As all that a process is for: render chunks for a RenderPool; the exit status."""
    return answer_jobs(rendering, "scripts that render")


@contextlib.contextmanager
def rendering(pipe: PoolPipe) -> Iterator[Callable[[Chunk], None]]:
    """A function that renders a chunk and writes it; each head is a step."""
    set_up: SetUp = pipe.set_up
    model = load_head_model(set_up.model)
    forward = load_forward(model, set_up.samples, set_up.threads, set_up.view)
    yield lambda chunk: render_chunk(model.table, chunk, forward, pipe.step)


def render_chunk(
    table: ParameterTable, chunk: Chunk, forward: Forward, step: Callable[[int], None]
) -> None:
    """Render heads and write them; those that show no face leave no latent. A head is a step."""
    latents: dict[int, RealArray] = {}
    for row, parameters in enumerate(table.from_standardised(chunk.z)):
        with contextlib.suppress(RejectedSample):
            latents[row] = forward(parameters[None])[0]
        step(1)
    rows = range(len(chunk.z))
    width = len(next(iter(latents.values()))) if latents else LATENT_SIZE
    stacked = np.stack([latents.get(row, np.zeros(width, np.float32)) for row in rows])
    pairs.write_chunk(chunk.path, chunk.z, stacked, np.array([row in latents for row in rows]))
