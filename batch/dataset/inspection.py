# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of `dataset verify` in each sample of a run."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from batch.dataset.closing import Progress
from batch.dataset.members import read_labels
from batch.dataset.record import known
from batch.dataset.run_folder import RunFolder
from batch.dataset.sample import StoredSample
from batch.dataset.sidecar import ShardSummary, Sidecar
from batch.dataset.spread import Spread
from facegen_addon.errors import UserError
from facegen_addon.heads.parameters import Parameter, ParameterTable
from facegen_addon.labels.label_check import check_labels
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.png import decode_png
from facegen_addon.terminal.remedies import explain

_JPEG = (b"\xff\xd8", b"\xff\xd9")  # how one begins and ends
_SAME_DISTANCE = 1e-6


@dataclass
class Check:
    """Outcome of one check: its figures and its faults, one line each."""

    name: str
    figures: str = ""
    problems: list[str] = field(default_factory=list)

    @contextmanager
    def noting(self, where: str = "") -> Iterator[None]:
        """An error of the user's in the block is a problem found."""
        try:
            yield
        except UserError as error:
            self.problems.append(f"{where}{explain(error)}")


def parameter_table(run: RunFolder) -> ParameterTable:
    """The table of the run's head model; UserError if it is damaged."""
    try:
        return ParameterTable(Parameter.from_mapping(values) for values in run.run["parameters"])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{run.path}/run.json: its table of parameters is damaged") from None


class Inspection:
    """Looks at samples as they pass by, closely at a share of them, evenly spread."""

    def __init__(
        self,
        table: ParameterTable,
        shards: Sequence[ShardSummary],
        share: float,
        progress: Progress,
    ) -> None:
        self.total, self.seen = sum(shard.samples for shard in shards), 0
        self._spread = Spread(shards, math.ceil(share * self.total))
        self._table, self._progress = table, progress
        self._parameters, self._latents = Check("parameters"), Check("latents")
        self._images, self._labels = Check("images"), Check("labels")
        self._vectors = self._decoded = self._labelled = self._compared = 0
        self._worst = 0.0

    def passing(self, sidecar: Sidecar, samples: Iterable[StoredSample]) -> Iterator[StoredSample]:
        """The same samples of a shard, each looked at."""
        chosen = self._spread.of(sidecar)
        for sample in samples:
            self.seen += 1
            self._look(sample, sample.index in chosen, f"sample {sample.key}: ")
            self._progress("read samples", self.seen, self.total)
            yield sample

    def checks(self) -> list[Check]:
        """The outcomes so far."""
        self._parameters.figures = f"{self.seen} x {len(self._table)}, in their ranges"
        self._latents.figures = f"{self._vectors} of unit norm, distances as recorded"
        self._images.figures = f"{self.seen} by sha256, {self._decoded} of them decoded"
        self._labels.figures = (
            f"{self._labelled} of {self.seen} samples, {self._compared} depths compared, at most"
            f" {self._worst:.3f} mm off"
        )
        return [self._parameters, self._latents, self._images, self._labels]

    def _look(self, sample: StoredSample, closely: bool, where: str) -> None:
        with self._parameters.noting(where):
            self._table.validate(sample.parameters)
        with self._latents.noting(where):
            self._check_distance(sample)
        if closely:
            with self._images.noting(where):
                self._check_image(sample)
            with self._labels.noting(where):
                self._check_labels(sample)

    def _check_distance(self, sample: StoredSample) -> None:
        noted, found = known(sample.record["cosine_distance"]), None
        self._vectors += (sample.requested is not None) + (sample.achieved is not None)
        if sample.requested is not None and sample.achieved is not None:
            found = float(cosine_distance(sample.requested, sample.achieved))
        if found is None and noted is None:
            return
        if found is None or noted is None or not abs(found - noted) < _SAME_DISTANCE:
            raise UserError(f"its record has cosine_distance {noted}, its latents {found}")

    def _check_image(self, sample: StoredSample) -> None:
        self._decoded += 1
        size = (sample.camera.height, sample.camera.width)
        if sample.suffix == "jpg":
            start, end = _JPEG
            if not (sample.image.startswith(start) and sample.image.endswith(end)):
                raise UserError("its image is no JPEG")
        elif decode_png(sample.image).shape[:2] != size:
            raise UserError(f"its image is not of {size[1]} x {size[0]} pixels")

    def _check_labels(self, sample: StoredSample) -> None:
        if not sample.labels:
            return
        self._labelled += 1
        maps, landmarks = read_labels(sample.labels, "its labels")
        found = check_labels(maps, sample.camera, landmarks)
        self._compared += found.landmarks_checked
        self._worst = max(self._worst, found.worst_depth_mm)
        if found.problems:
            more = len(found.problems) - 1
            raise UserError(found.problems[0] + (f", and {more} more" if more else ""))
