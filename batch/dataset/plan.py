# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of each sample of a run: a pure function of the run's seed and the sample's number."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from batch.dataset.draw import draw_shot
from batch.dataset.recipe import Recipe
from batch.dataset.run_folder import RunFolder
from facegen_addon.arrays import Float32Array, FloatArray
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.drawing import draw_heads
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.labels.shot import Shot
from facegen_addon.latent.people import Faces
from facegen_addon.latent.who import faces_of
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.correction import load_sampler
from facegen_addon.random_streams import random_stream

BLOCK = 64
"""Heads that B is asked for together, whatever the run's size: its last bits depend on it."""
_MOST_BLOCKS = 8  # kept, so that one in flight does not push another out


@dataclass(frozen=True)
class _Heads:
    """parameters (n, P); requested (n, D): the latents asked for, None where there are none."""

    parameters: Annotated[FloatArray, "n P"]
    requested: Annotated[Float32Array, "n D"] | None


class Plan:
    """The samples of a run; any of them alone, in any order, on any machine."""

    def __init__(self, recipe: Recipe, model: HeadModel, seed: int) -> None:
        self.recipe, self.model, self.seed = recipe, model, seed
        self._blocks: OrderedDict[int, _Heads] = OrderedDict()
        self._source: FloatArray | None = None
        self._guide: tuple[Faces, BackwardMapping] | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path, model: str | None = None, recipe: Path | None = None) -> "Plan":
        """The plan of a run that has begun.

        model, recipe: the path of the FLAME file and of the recipe where the run's own names do
        not lead to them, as on another machine. UserError if they are not those of the run.
        """
        request = RunFolder.open(folder).request
        head_model = load_head_model(model or request["model"])
        _check_sources(folder, request.get("versions", {}), head_model)
        found = Recipe.from_mapping(request["recipe"], recipe)
        return cls(found, head_model, int(request["seed"]))

    def identity(self, index: int) -> int:
        """Number of the head that a sample shows."""
        return index // self.recipe.heads.views

    def shot(self, index: int, attempt: int) -> Shot:
        """The shot of a sample, the attempt-th time that it is drawn."""
        heads, row = self._found(index)
        rng = random_stream("shot", self.seed, index, attempt)
        return draw_shot(self.recipe, self.model, rng, heads.parameters[row])

    def requested(self, index: int) -> Annotated[Float32Array, "D"] | None:
        """The latent (D,) that the sample's head was asked for, if it was by one."""
        heads, row = self._found(index)
        return None if heads.requested is None else heads.requested[row]

    def prepare(self, index: int) -> None:
        """Have what a sample needs computed, which may take seconds; safe in another thread."""
        self._found(index)

    def is_prepared(self, index: int) -> bool:
        """Whether a sample can be had at once."""
        return self.identity(index) // BLOCK in self._blocks

    def is_checked(self, index: int) -> bool:
        """Whether a sample's labels are checked."""
        labels = self.recipe.labels
        rng = random_stream("check", self.seed, index)
        return bool(labels.on and rng.random() < labels.check)

    def _found(self, index: int) -> tuple[_Heads, int]:
        block, row = divmod(self.identity(index), BLOCK)
        heads = self._blocks.get(block)
        if heads is None:
            with self._lock:
                heads = self._block(range(block * BLOCK, (block + 1) * BLOCK))
                self._blocks[block] = heads
                while len(self._blocks) > _MOST_BLOCKS:
                    self._blocks.popitem(last=False)
        return heads, row

    def _block(self, identities: range) -> _Heads:
        heads, table = self.recipe.heads, self.model.table
        if heads.source:
            if self._source is None:
                self._source = self.recipe.source_heads(table)
            return _Heads(self._source[[i % len(self._source) for i in identities]], None)
        streams = [random_stream("head", self.seed, i) for i in identities]
        if heads.distribution == "latent":
            return self._guided(streams)
        assert heads.distribution is not None, "heads without a source are drawn"
        drawn = [draw_heads(self.model, heads.distribution, rng, 1) for rng in streams]
        return _Heads(np.concatenate(drawn), None)

    def _guided(self, streams: list[np.random.Generator]) -> _Heads:
        if self._guide is None:
            people = self.recipe.people
            faces = faces_of(people.drawn_from(), people.own_probe())
            self._guide = faces, load_sampler(self.model.name, self.model.table)
        faces, backward = self._guide
        requested = np.concatenate([faces.sample(rng, 1) for rng in streams])
        return _Heads(backward.parameters(requested, self.recipe.heads.grade), requested)


def _check_sources(folder: Path, noted: Mapping[str, Any], model: HeadModel) -> None:
    """UserError unless the head model is made of what the run notes; older runs note nothing."""
    for name, found in model.sources.items():
        expected = noted.get(name, found)
        if expected != found:
            raise UserError(
                f"{folder} was made with {name} {expected[:12]}, here it is {found[:12]}: use the"
                " FaceGen that made it; of a FLAME file, give --model that file with the landmarks"
                " that lay beside it, and FACEGEN_DATA its maker's user folder"
            )


def sample_seed(seed: int, index: int, attempt: int) -> list[int]:
    """The seed from which a sample is made again."""
    return [seed, index, attempt]
