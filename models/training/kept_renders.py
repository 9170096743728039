# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads and their renders, kept in the folder of one experiment, so that a stopped run goes on."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import BoolArray, Float32Array, RealArray
from facegen_addon.artifacts import read_npz
from facegen_addon.atomic_file import replacing
from facegen_addon.durations import format_seconds
from facegen_addon.errors import UserError
from facegen_addon.scene.render.view import Forward, View
from facegen_addon.terminal.remedies import explain
from models.training import pairs
from models.training.render_pool import RenderPool

CHUNK = 20
"""Heads a file: what a stopped run loses at most, by each process."""


def carried_out(experiment: str, work: Callable[[], None]) -> int:
    """Do the work of a command that goes on where it stopped; its exit status.

    2 after an error that the user can put right, 130 after Ctrl-C, a line on stderr each.
    """
    try:
        work()
    except UserError as error:
        print(f"{experiment}: {explain(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{experiment}: stopped; the same command goes on", file=sys.stderr)
        return 130
    return 0


class KeptRenders:
    """What an experiment has drawn and rendered. `forward` replaces rendering in tests.

    To be closed at the end.
    """

    def __init__(
        self,
        work: Path,
        request: dict[str, Any],
        options: argparse.Namespace,
        view: View,
        forward: Forward | None = None,
    ) -> None:
        """work: the folder; request: what its files depend on; options: as RenderPool's.

        UserError where the folder is that of another request.
        """
        claim(work, request)
        self._work, self._view = work, view
        self._pool = RenderPool(options, forward, CHUNK)
        self._watch = _Watch()

    def close(self) -> None:
        """End the processes that render."""
        self._pool.close()

    def expect(self, total: int) -> None:
        """Tell how many heads will be rendered in all, for the time that is left."""
        self._watch.total = total

    def heads(self, name: str, make: Callable[[], Float32Array]) -> Float32Array:
        """Heads z (N, G) of a file of the work folder, which is made where it is not there."""
        path = self._work / f"{name}.npz"
        if not path.is_file():
            pairs.save_npz(path, z=make())
        z: Float32Array = read_npz(path)["z"].astype(np.float32)
        return z

    def rendered(
        self, name: str, z: Annotated[RealArray, "N G"]
    ) -> tuple[pairs.Pairs, Annotated[BoolArray, "N"]]:
        """Heads as the view sees them, and which show a face (N,)."""
        folder = self._work / name
        there = CHUNK * len(list(folder.glob("chunk_*.npz")))
        self._pool.render(z, folder, self._view)
        self._watch.rendered(name, len(z), max(len(z) - there, 0))
        return pairs.read_batch(folder)


class _Watch:
    """Says how many of all heads are there, and how long the rest will take."""

    def __init__(self) -> None:
        self.total, self._there, self._made = 0, 0, 0
        self._start = time.monotonic()

    def rendered(self, name: str, heads: int, fresh: int) -> None:
        """`heads` of a set are there now, of which `fresh` were not before."""
        self._there += heads
        self._made += fresh
        if not self._made:
            return
        left = self.total - self._there
        seconds = (time.monotonic() - self._start) * left / self._made
        rest = f", ETA {format_seconds(seconds)}" if left else ""
        print(f"{name}: {self._there} of {self.total} heads{rest}", file=sys.stderr, flush=True)


def claim(work: Path, request: dict[str, Any]) -> None:
    """Make the folder that of this request; UserError where it is that of another."""
    path = work / "request.json"
    text = json.dumps(request, indent=1) + "\n"
    if path.is_file() and path.read_text("utf-8") != text:
        raise UserError(f"{work} holds rows of another budget or head: remove it or give --work")
    with replacing(path) as temporary:
        temporary.write_text(text, "utf-8")
