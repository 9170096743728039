# SPDX-License-Identifier: GPL-3.0-or-later
"""What all chapters work with: a head model, its B, real faces, and heads rendered once."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from facegen_addon.artifacts import models_folder
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.mapping.backward import BackwardMapping
from models.recipes import pairs, real_latents
from models.recipes.lfw import lfw_directory
from models.recipes.render_pairs import Forward, render_heads


@dataclass(frozen=True)
class Rendered:
    """latents (N, 512) of rendered heads; usable (N,) bool, False where no face was to be seen."""

    latents: np.ndarray
    usable: np.ndarray


class Study:
    """One head model under study. `forward` replaces rendering in tests.

    Options: model, workers, threads, samples (see render_pairs.add_render_options) and quick.
    """

    def __init__(self, options: argparse.Namespace, forward: Forward | None = None) -> None:
        self.options, self.forward = options, forward
        self.model: HeadModel = load_head_model(options.model)
        self.table = self.model.table
        self.quick: bool = options.quick

    def pick(self, full: int, quick: int) -> int:
        """How many: of the whole report, or of its quick form."""
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
        """Whether the research data is there; else samples of the density stand in, and it is said."""
        return (lfw_directory() / "latents_dev.npz").is_file()

    def held_out(self, count: int) -> np.ndarray:
        """(count, 512): one photo each of people nothing was fitted to, or samples; at most 1000."""
        if self.has_real_faces:
            return real_latents.held_out_latents(count)
        return self.natural.sample(np.random.default_rng(0), 1000)[:count].astype(np.float32)

    def render(self, name: str, z: np.ndarray) -> Rendered:
        """F of heads z (N, G), rounded as pairs are; heads rendered before are not again.

        `name` tells this set of heads from others; workers and progress are render_heads'.
        """
        folder = models_folder(self.model.name) / "built" / f"report_{self.model.name}" / name
        z = pairs.quantised(z)
        render_heads(z, folder, self.options, self.forward)
        heads, usable = pairs.read_batch(folder)
        return Rendered(heads.latents[: len(z)], usable[: len(z)])
