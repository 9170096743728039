# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in a run: its identities, each by the first image of it, and how they differ."""

from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from batch.dataset.diversity import Diversity, diversity
from batch.dataset.run_folder import RunFolder
from batch.dataset.sample import StoredSample
from batch.dataset.spool import LatentFile
from facegen_addon.arrays import FloatArray
from facegen_addon.artifacts import artifact
from facegen_addon.encoders.encoder import DEFAULT_ENCODER
from facegen_addon.heads.catalogue import HEAD_MODELS, load_head_model
from facegen_addon.latent.census import CensusTally

_AT_ONCE = 1024  # identities read by the census together

Attributes = Callable[[Annotated[FloatArray, "N P"]], Annotated[FloatArray, "N 3"] | None]


class Identities:
    """The identities of a run, as its samples pass by.

    Their achieved latents wait in files in the folder `scratch`; counts are kept, heads are not.
    """

    def __init__(self, run: RunFolder, scratch: Path) -> None:
        self._encoder = run.request["versions"]["encoder"]
        self._attributes = own_attributes(run)
        self._reads = self._encoder["sha256"] == artifact(DEFAULT_ENCODER).sha256
        self._tally = CensusTally()
        self._heads: list[FloatArray] = []
        self._waiting: dict[str, list[Any]] = {"requested": [], "achieved": []}
        count = int(run.request["count"])
        self._seen = {name: _Numbers(count) for name in ("head", "requested", "achieved")}
        self._achieved, self._numbers = LatentFile(scratch, "identities"), array("q")

    def add(self, samples: Sequence[StoredSample]) -> None:
        """Take in some samples, in their order."""
        for sample in samples:
            identity = int(sample.record["identity"])
            if self._seen["head"].is_new(identity):
                self._heads.append(sample.parameters)
            for name, waiting in self._waiting.items():
                latent = getattr(sample, name)
                if latent is not None and self._seen[name].is_new(identity):
                    waiting.append(latent)
                    if name == "achieved":
                        self._numbers.append(identity)
        self._count_waiting(_AT_ONCE)

    def diversity(self) -> Diversity:
        """Figures of the differences between those that have an achieved latent."""
        self._count_waiting(1)
        return diversity(self._numbers, self._achieved, self._encoder)

    def census(self) -> dict[str, Any]:
        """Who they are, see `facegen_addon.latent.census.census_of`."""
        self._count_waiting(1)
        return self._tally.census()

    def _count_waiting(self, at_least: int) -> None:
        """Count what waits, where it is so much."""
        if len(self._heads) >= at_least:
            heads = np.stack(self._heads)
            self._heads.clear()
            attributes = None if self._attributes is None else self._attributes(heads)
            if attributes is not None:
                self._tally.add("parameters", attributes)
        for name, waiting in self._waiting.items():
            if len(waiting) < at_least:
                continue
            rows = np.stack(waiting)
            waiting.clear()
            if name == "achieved":
                self._achieved.append(rows)
            if name == "requested" or self._reads:
                self._tally.add_latents(name, rows)


class _Numbers:
    """A set of whole numbers of which nearly all are from 0 to below `count`."""

    def __init__(self, count: int) -> None:
        self._inside, self._others = bytearray(count), set[int]()

    def is_new(self, number: int) -> bool:
        """Add a number; whether it was not among them."""
        if 0 <= number < len(self._inside):
            new = not self._inside[number]
            self._inside[number] = True
        else:
            new = number not in self._others
            self._others.add(number)
        return new


def own_attributes(run: RunFolder) -> Attributes | None:
    """Says who heads are by their own parameters.

    None where their model says nothing of it, is a file of somebody's, or has other sliders now.
    """
    name = run.request["model"]
    if name not in HEAD_MODELS:
        return None
    model = load_head_model(name)
    if [row["name"] for row in run.run["parameters"]] != list(model.table.names):
        return None
    return model.attributes
