# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by all chapters: a head model, its B, real faces, and heads rendered once."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from facegen_addon.arrays import BoolArray, Float32Array, RealArray
from facegen_addon.artifacts import models_folder
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.real_faces import lfw_directory
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.random_streams import random_stream
from facegen_addon.scene.render.view import Forward, View
from models.training import pairs, real_latents
from models.training.render_pairs import SAMPLES
from models.training.render_pool import RenderPool

_USUAL = View()

CHUNK = 10
"""Heads a file: a study's sets are small, and every process should have a share of each."""


@dataclass(frozen=True)
class Rendered:
    """latents (N, D) of rendered heads, D = 512 for FaceNet; usable (N,) bool: a face was seen."""

    latents: Annotated[RealArray, "N D"]
    usable: Annotated[BoolArray, "N"]


class Study:
    """One head model under study. `forward` replaces rendering in tests.

    Options: model, workers, threads, samples (see render_pairs.add_render_options) and quick.
    To be closed at the end.
    """

    def __init__(self, options: argparse.Namespace, forward: Forward | None = None) -> None:
        self.options, self.forward = options, forward
        self.model: HeadModel = load_head_model(options.model)
        self.table = self.model.table
        self.quick: bool = options.quick
        self._pool = RenderPool(options, forward, CHUNK)

    def close(self) -> None:
        """End the processes that render."""
        self._pool.close()

    def pick(self, full: int, quick: int) -> int:
        """One of two numbers: that of the whole report, or of its quick form."""
        return quick if self.quick else full

    @cached_property
    def backward(self) -> BackwardMapping:
        """The project's B."""
        return BackwardMapping.load(self.model.name, self.table)

    @cached_property
    def natural(self) -> NaturalFaces:
        """The density of real faces."""
        return NaturalFaces.load()

    @cached_property
    def pairs(self) -> pairs.Pairs:
        """The committed pairs."""
        return pairs.load_pairs(self.model.name, self.table, from_table=True)

    @property
    def has_real_faces(self) -> bool:
        """Whether the research data is there; else samples of the density stand in."""
        return (lfw_directory() / "latents_dev.npz").is_file()

    def held_out(self, count: int) -> Annotated[Float32Array, "N 512"]:
        """(count, 512), at most 1000: a photo each of people nothing was fitted to, or samples."""
        if self.has_real_faces:
            return real_latents.held_out_latents(count)
        return self.natural.sample(random_stream(0), 1000)[:count].astype(np.float32)

    def render(self, name: str, z: Annotated[RealArray, "N G"], view: View = _USUAL) -> Rendered:
        """F of heads z (N, G), rounded as pairs are; heads rendered before are not again.

        `name` tells this set of heads from others; names are those of folders.
        """
        # The quick form has its own: its sets are shorter, and none should cost the other renders.
        work = f"report_{self.model.name}{'_quick' if self.quick else ''}"
        # Chunks know whose heads they are, not how they were rendered.
        if self.options.samples != SAMPLES:
            work += f"_{self.options.samples}_samples"
        folder = models_folder(self.model.name) / "built" / work / name
        self._pool.render(z, folder, view)
        heads, usable = pairs.read_batch(folder)
        return Rendered(heads.latents[: len(z)], usable[: len(z)])
