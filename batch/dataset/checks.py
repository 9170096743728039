# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of `dataset verify` on a whole run, one after the other."""

import contextlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np

from batch.dataset.closing import (
    CROISSANT_FILE,
    INDEX_FILE,
    TABLE_FILE,
    Gathered,
    Progress,
    file_facts,
)
from batch.dataset.croissant import hashes
from batch.dataset.inspection import Check, Inspection, parameter_table
from batch.dataset.record import describe_shot
from batch.dataset.run_folder import RunFolder
from batch.dataset.sample import StoredSample, read_sample
from batch.dataset.shard_file import IMAGE_SUFFIXES, read_shard
from batch.dataset.sidecar import ShardSummary, Sidecar
from batch.dataset.spread import Spread
from batch.dataset.table import StoredTable, differing_column
from facegen_addon.arrays import Float32Array, RealArray
from facegen_addon.artifacts import read_file
from facegen_addon.errors import UserError
from facegen_addon.labels.camera import Camera
from facegen_addon.labels.shot import Shot
from facegen_addon.mapping.influence import table_digest

_REMEDY = "run `dataset merge` again"
_OTHER_SUMS = 1e-5  # another NumPy adds in another order, and B descends by sums
_SAME_CAMERA = 1e-9  # sines and cosines differ in their last bits from processor to processor


class ShotSource(Protocol):
    """The plan of a run's samples, from its seed alone: batch.dataset.plan.Plan."""

    def identity(self, index: int) -> int:
        """Number of the head that a sample shows."""

    def shot(self, index: int, attempt: int) -> Shot:
        """The shot of a sample."""

    def requested(self, index: int) -> Annotated[Float32Array, "D"] | None:
        """The latent (D,) that its head was asked for, if it was by one."""


RenderAgain = Callable[[int, int], Mapping[str, bytes]]
"""Index and attempt of a sample -> its image and labels anew, by suffix."""


@dataclass(frozen=True)
class ShardChecks:
    """Findings of one pass over all shards; gathered: None if one is not what it has to be."""

    checks: Sequence[Check]
    gathered: Gathered | None


def check_run(run: RunFolder) -> Check:
    """run.json: that the table of parameters is the one that the digest speaks of."""
    check = Check("run", f"{run.digest[:12]}..., {run.request['count']} samples asked for")
    with check.noting():
        noted = run.request["versions"].get("table of the model")
        if table_digest(parameter_table(run)) != noted:
            raise UserError(f"{run.path}/run.json: its parameters are not those of its request")
    return check


def check_shards(run: RunFolder, share: float, scratch: Path, progress: Progress) -> ShardChecks:
    """Check every shard, every sample, and a share of them closely.

    scratch: a folder for rows that wait, as long as what was gathered is used.
    """
    files, samples = Check("shards"), Check("samples")
    shards: list[ShardSummary] = []
    for number in range(run.shard_count):
        with files.noting():
            shards.append(Sidecar.read(run, number).summary)
    inspection = Inspection(parameter_table(run), shards, share, progress)
    gathered = Gathered(run, shards, scratch)
    for shard in shards:
        with files.noting():
            sidecar = Sidecar.read(run, shard.shard)
            sidecar.check_file(run)
            with samples.noting():
                gathered.add(sidecar, inspection.passing(sidecar, sidecar.samples(run)))
    size = f"{gathered.bytes / 1e6:,.1f} MB"
    files.figures = f"{len(shards)} of {run.shard_count} by sha256, {size}"
    samples.figures = (
        f"{inspection.seen} of {run.request['count']}, {len(gathered.failed)} given up"
    )
    sound = not files.problems and not samples.problems
    return ShardChecks([files, samples, *inspection.checks()], gathered if sound else None)


def check_closing(gathered: Gathered) -> Iterator[Check]:
    """index.json, table.parquet and croissant.json: that they are of these very shards."""
    spread = gathered.diversity()
    yield _check_index(gathered.run, gathered.facts(spread))
    yield _check_table(gathered, spread.apart)
    yield _check_croissant(gathered)


def _check_index(run: RunFolder, facts: Mapping[str, Any]) -> Check:
    check = Check("index")
    with check.noting():
        index = _read_json(run, INDEX_FILE)
        files = index.pop("files", None)
        differing = [name for name in {**index, **facts} if index.get(name) != facts.get(name)]
        if differing or not isinstance(files, dict):
            what = ", ".join(differing) or "files"
            raise UserError(f"{run.path}/{INDEX_FILE} is not of these shards ({what}): {_REMEDY}")
        for name, noted in files.items():
            if _file_facts(run, name) != noted:
                raise UserError(f"{run.path / name} is not the file of {INDEX_FILE}: {_REMEDY}")
        check.figures = f"of these shards; {', '.join(files)} by sha256"
    return check


def _check_table(gathered: Gathered, apart: Collection[int]) -> Check:
    table, path = gathered.table, gathered.run.path / TABLE_FILE
    check = Check("table", f"{table.rows} rows of {len(table.schema)} columns, as the tars")
    with check.noting(), contextlib.closing(StoredTable(path)) as stored:
        if not stored.schema.equals(table.schema):
            raise UserError(f"{path} has other columns than its run: {_REMEDY}")
        if stored.rows != table.rows:
            raise UserError(f"{path} has {stored.rows} rows, the tars {table.rows}: {_REMEDY}")
        name = differing_column(table, apart, stored)
        if name:
            raise UserError(f"{path}: {name} differs from the tars: {_REMEDY}")
    return check


def _check_croissant(gathered: Gathered) -> Check:
    check, run = Check("croissant"), gathered.run
    with check.noting():
        try:
            noted = hashes(_read_json(run, CROISSANT_FILE))
        except (KeyError, TypeError):
            raise UserError(f"{run.path / CROISSANT_FILE} is damaged: {_REMEDY}") from None
        found = {shard.file: shard.sha256 for shard in gathered.shards}
        found[TABLE_FILE] = _file_facts(run, TABLE_FILE)["sha256"]
        if noted != found:
            raise UserError(f"{run.path / CROISSANT_FILE} has other hashes: {_REMEDY}")
        check.figures = f"{len(found)} files by sha256"
    return check


def _file_facts(run: RunFolder, name: str) -> dict[str, Any]:
    path = run.path / name
    try:
        return file_facts(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: {_REMEDY}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): {_REMEDY}") from None


def _read_json(run: RunFolder, name: str) -> dict[str, Any]:
    path = run.path / name
    try:
        content = json.loads(read_file(path, _REMEDY))
    except ValueError as error:
        raise UserError(f"{path} is no JSON ({error}): {_REMEDY}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is no table: {_REMEDY}")
    return content


def some_samples(
    run: RunFolder, shards: Sequence[ShardSummary], count: int
) -> Iterator[StoredSample]:
    """`count` samples of a run at most, evenly spread, whole."""
    spread = Spread(shards, count)
    for shard in shards:
        if shard.shard not in spread:
            continue
        chosen, path = spread.of(Sidecar.read(run, shard.shard)), run.tar(shard.shard)
        for key, members in read_shard(path):
            if int(key) in chosen:
                yield read_sample(run, key, members, str(path))


def check_seeds(plan: ShotSource, samples: Sequence[StoredSample], progress: Progress) -> Check:
    """Check that samples are what the run's seed and their number say, to the last bit.

    Where another NumPy made them, whose sums end in other bits, to 1e-5.
    """
    others = {_numpy_of(sample) for sample in samples} - {np.__version__}
    exact = f"equal to {_OTHER_SUMS:g}, as NumPy is another" if others else "equal to the last bit"
    check = Check("seeds", f"{len(samples)} samples drawn again, {exact}")
    for done, sample in enumerate(samples):
        progress("draw again", done, len(samples))
        differing = list(_differences(plan, sample))
        if differing:
            check.problems.append(
                f"sample {sample.key}: {', '.join(differing)} not what its seed gives here:"
                " changed, or made by other versions or another kind of processor"
            )
    progress("draw again", len(samples), len(samples))
    return check


def _differences(plan: ShotSource, sample: StoredSample) -> Iterator[str]:
    record, camera = sample.record, sample.camera
    shot = plan.shot(sample.index, record["attempt"])
    tolerance = 0.0 if _numpy_of(sample) == np.__version__ else _OTHER_SUMS
    if not _alike(sample.parameters, shot.parameters, tolerance):
        yield "parameters"
    if not _alike(sample.requested, plan.requested(sample.index), tolerance):
        yield "requested"
    # Where the middle of the face lies, and so the camera, is known by the render alone.
    seen = Camera.of(shot.view, np.zeros(3), camera.width, camera.height)
    if not np.allclose(seen.intrinsics, camera.intrinsics, rtol=0, atol=_SAME_CAMERA):
        yield "intrinsics"
    if not np.allclose(seen.rotation, camera.rotation, rtol=0, atol=_SAME_CAMERA):
        yield "extrinsics"
    expected = describe_shot(shot, camera) | {
        "identity": plan.identity(sample.index),
        "noise_seed": shot.seed,
    }
    yield from (name for name, value in expected.items() if record.get(name) != value)


def _numpy_of(sample: StoredSample) -> str:
    return str(sample.record.get("versions", {}).get("NumPy", np.__version__))


def _alike(one: RealArray | None, other: RealArray | None, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and np.allclose(one, other, rtol=0.0, atol=tolerance)


def check_renders(
    render: RenderAgain, samples: Sequence[StoredSample], progress: Progress
) -> Check:
    """Check that rendering samples again gives the same images and labels, byte for byte."""
    check = Check("renders", f"{len(samples)} samples rendered again, equal byte for byte")
    for done, sample in enumerate(samples):
        progress("render again", done, len(samples))
        former = {sample.suffix: sample.image, **sample.labels}
        again = render(sample.index, sample.record["attempt"])
        differing = [name for name in {**former, **again} if former.get(name) != again.get(name)]
        if differing:
            device = "" if set(differing) - set(IMAGE_SUFFIXES) else ", the labels are the same"
            check.problems.append(f"sample {sample.key}: {', '.join(differing)} differ{device}")
    progress("render again", len(samples), len(samples))
    return check
