# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks that sets of heads teach at several sizes, and what they miss on held-out heads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated

import numpy as np

from facegen_addon.arrays import FloatArray, RealArray
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.terminal.progress import ProgressBar
from models.training.distributions_figures import Errors
from models.training.distributions_learning import Choice, Sets, choose, predicted, subset
from models.training.pairs import Pairs


class Networks:
    """Networks of one family of sets; of what kind they are depends on their size alone."""

    def __init__(
        self, model: HeadModel, sets: Sets, sizes: Sequence[int], seeds: int, unit: str = "heads"
    ) -> None:
        """sizes: of training sets, where there are so many; seeds: networks of a size; unit: what
        a set holds."""
        self.model, self.sets, self.seeds, self.unit = model, sets, seeds, unit
        self.sizes = {name: sets.sizes(name, tuple(sizes)) for name in sets.learnt}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the sets."""
        return tuple(self.sets.learnt)

    @property
    def common(self) -> list[int]:
        """Sizes for which every set has heads."""
        least = min(self.sizes.values(), key=len)
        return [size for size in least if all(size in own for own in self.sizes.values())]

    @cached_property
    def choices(self) -> dict[int, Choice]:
        """The kind of network for each size."""
        bar, found = ProgressBar(), {}
        sizes = sorted({size for own in self.sizes.values() for size in own})
        for done, size in enumerate(sizes, start=1):
            enough = {n: x for n, x in self.sets.learnt.items() if size in self.sizes[n]}
            found[size] = choose(enough, size)
            bar.update("validation", done, len(sizes))
        return found

    def learnt(self, name: str, size: int, seed: int = 0) -> Pairs:
        """Heads of a set that teach one network."""
        return subset(self.sets.learnt[name], size, seed)

    def heads(self, data: Pairs, size: int, latents: Annotated[RealArray, "N D"]) -> FloatArray:
        """z (N, G) that a network of a size, taught by these heads, makes of latents (N, 512)."""
        return predicted(self.choices[size].fit(data), latents, self.model.table)

    def errors(self) -> dict[tuple[str, int, str], Errors]:
        """Of networks by what they learned from, how much of it, and what they are judged on."""
        found, bar = {}, ProgressBar()
        trained = [(name, size) for name, own in self.sizes.items() for size in own]
        for done, (name, size) in enumerate(trained, start=1):
            networks = [
                self.choices[size].fit(self.learnt(name, size, seed)) for seed in range(self.seeds)
            ]
            for judged, held_out in self.sets.held_out.items():
                missed = [
                    predicted(network, held_out.latents, self.model.table) - held_out.z
                    for network in networks
                ]
                found[name, size, judged] = Errors((np.stack(missed) ** 2).astype(np.float32))
            bar.update("networks", done, len(trained))
        return found

    def vertices(self, name: str, size: int, judged: str) -> Annotated[FloatArray, "H"]:
        """Millimetres by which the vertices of held-out heads (H,) are off, in the mean over a
        head, by one network, once both heads lie as near to one another as turning and moving can
        bring them."""
        held_out = self.sets.held_out[judged]
        return self._apart(self.heads(self.learnt(name, size), size, held_out.latents), held_out)

    def vertices_of_mean(self, judged: str) -> Annotated[FloatArray, "H"]:
        """The same if all were taken for the mean of a set's held-out heads."""
        held_out = self.sets.held_out[judged]
        return self._apart(np.tile(held_out.z.mean(axis=0), (len(held_out), 1)), held_out)

    def _apart(self, z: Annotated[RealArray, "H G"], held_out: Pairs) -> FloatArray:
        table = self.model.table
        # One pair of heads at a time: all at once are hundreds of megabytes.
        both = (
            self.model.forward(table.from_standardised(np.stack(rows)))
            for rows in zip(z, held_out.z, strict=True)
        )
        return np.array([1e3 * aligned_distance(one, other) for one, other in both])


def aligned_distance(one: Annotated[RealArray, "V 3"], other: Annotated[RealArray, "V 3"]) -> float:
    """Mean distance of vertices (V, 3) after the rigid motion that brings one nearest to the
    other, by least squares (Kabsch 1976); as they are measured, metres."""
    a, b = (x - x.mean(axis=0) for x in (one.astype(np.float64), other.astype(np.float64)))
    left, _, right = np.linalg.svd(a.T @ b)
    left[:, -1] *= np.sign(np.linalg.det(left @ right))  # a rotation, no mirror image
    return float(np.linalg.norm(a @ (left @ right) - b, axis=1).mean())
