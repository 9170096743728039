# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that stay and render one set of heads after another, a few heads at a time."""

from __future__ import annotations

import argparse
import signal
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from facegen_addon.encoders.encoder import find_encoder
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.scene.render.view import Forward, View, load_forward
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.silence import blender_silent
from models.recipes import pairs
from models.recipes.render_pairs import render_rows

CHUNK = 10
"""Heads a file: a study's sets are small, and every process should have a share of each."""

Chunk = tuple[np.ndarray, np.ndarray]
"""Latents (N, D) and which of them are of a face (N,)."""

# Of a worker process: what renders there.
_worker: list[tuple[ParameterTable, Forward]] = []


class RenderPool:
    """F in several processes, which start with the first head and end with `close`."""

    def __init__(self, options: argparse.Namespace, forward: Forward | None = None) -> None:
        """`forward` replaces Blender and FaceNet, in this process."""
        self._options, self._forward = options, forward
        self._processes: ProcessPoolExecutor | None = None
        self._view = View()

    def render(self, z: np.ndarray, folder: Path, view: View) -> None:
        """Heads z (N, G) as chunks in `folder`; those that are there are not rendered again."""
        if view != self._view:
            self.close()
            self._view = view
        pending = {}
        for index, start in enumerate(range(0, len(z), CHUNK)):
            path = pairs.chunk_path(folder, index)
            if not pairs.chunk_is_of(path, z[start : start + CHUNK]):
                pending[path] = z[start : start + CHUNK]
        bar, done, total = ProgressBar(), 0, sum(len(part) for part in pending.values())
        if pending:
            bar.update(folder.name[:22], done, total)
        started = {self._start(part): path for path, part in pending.items()}
        try:
            for finished in as_completed(started):
                path = started[finished]
                pairs.write_chunk(path, pending[path], *finished.result())
                done += len(pending[path])
                bar.update(folder.name[:22], done, total)
        except BrokenProcessPool:
            raise UserError("a render process ended; run again to resume") from None
        finally:
            bar.close()
            for waiting in started:
                waiting.cancel()

    def close(self) -> None:
        """End the processes, after the heads that they are at."""
        if self._processes is not None:
            self._processes.shutdown(cancel_futures=True)
            self._processes = None

    def _start(self, z: np.ndarray) -> Future[Chunk]:
        if self._forward is not None:
            here: Future[Chunk] = Future()
            here.set_result(_render(load_head_model(self._options.model).table, self._forward, z))
            return here
        if self._processes is None:
            options = self._options
            # A process that cannot begin could not say why.
            for name in self._view.encoders:
                find_encoder(name).read()
            self._processes = ProcessPoolExecutor(
                options.workers,
                # Blender has threads of its own, which a fork would leave behind.
                mp_context=get_context("spawn"),
                initializer=_begin,
                initargs=(options.model, options.samples, options.threads, self._view),
            )
        return self._processes.submit(_render_here, z)


def _begin(model: str, samples: int, threads: int, view: View) -> None:
    """In a worker process: load all that renders. Ctrl-C is the parent's to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loaded = load_head_model(model)
    _worker.append((loaded.table, load_forward(loaded, samples, threads, view)))


def _render_here(z: np.ndarray) -> Chunk:
    with blender_silent():
        return _render(*_worker[0], z)


def _render(table: ParameterTable, forward: Forward, z: np.ndarray) -> Chunk:
    steps = render_rows(table, z, forward)
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            result: Chunk = finished.value
            return result
