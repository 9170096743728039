# SPDX-License-Identifier: GPL-3.0-or-later
"""What closes a run: index.json, table.parquet, croissant.json, README.md, contact_sheet.png.

They are made from run.json and the shards alone, so that a run of one machine and the same run of a
farm end with the same bytes, however often they are closed.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from batch.dataset.card import SHEET_FILE, data_set_card, licence_of
from batch.dataset.croissant import Described, croissant
from batch.dataset.diversity import Diversity, diversity, evenly
from batch.dataset.pictures import sample_sheet
from batch.dataset.run_folder import FORMAT, RECIPE_FILE, WORK_FOLDER, RunFolder
from batch.dataset.sample import StoredSample
from batch.dataset.sidecar import Sidecar
from batch.dataset.table import TableBuilder, write_table
from batch.lock import only_one
from batch.png import encode_png
from batch.shards import encode_json
from facegen_addon.artifacts import read_file
from facegen_addon.atomic_file import replacing
from facegen_addon.errors import NotReached
from facegen_addon.latent.metrics import distance_summary

INDEX_FILE, TABLE_FILE = "index.json", "table.parquet"
CROISSANT_FILE, CARD_FILE = "croissant.json", "README.md"
_SHOWN = 16  # samples on the contact sheet

Progress = Callable[[str, float, float], None]


@dataclass(frozen=True)
class Closing:
    """What a closed run holds: samples, those given up, bytes of its shards."""

    samples: int
    failed: int
    bytes: int


@dataclass
class _Found:
    """What a pass over all shards has brought together."""

    sidecars: list[Sidecar]
    table: TableBuilder
    shown: list[StoredSample] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    labelled: int = 0

    @property
    def samples(self) -> int:
        return sum(len(sidecar.attempts) for sidecar in self.sidecars)

    @property
    def failed(self) -> list[Mapping[str, Any]]:
        return [failure for sidecar in self.sidecars for failure in sidecar.failed]


def close_run(run: RunFolder, progress: Progress | None = None) -> Closing:
    """Check every shard of a run and write what closes it; the same run, the same bytes.

    UserError if a shard is missing, damaged or another run's, NotReached if no sample is there at
    all; nothing is written then. UserError if the disk refuses, too.
    """
    found = _collect(run, progress or (lambda stage, done, total: None))
    if not found.samples:
        raise NotReached(
            f"all {len(found.failed)} samples of {run.path} had to be given up, see data-*.json in"
            " it: change [accept] or the ranges of the recipe"
        )
    with _scratch(run) as scratch:
        _write(run, found, scratch)
    return Closing(found.samples, len(found.failed), sum(s.bytes for s in found.sidecars))


def _collect(run: RunFolder, progress: Progress) -> _Found:
    numbers = range(run.shard_count)
    found = _Found([Sidecar.read(run, number) for number in numbers], TableBuilder(run))
    indices = [index for sidecar in found.sidecars for index in sidecar.attempts]
    chosen = {indices[place] for place in evenly(len(indices), _SHOWN)}
    done = 0
    for sidecar in found.sidecars:
        progress("read shards", done, len(indices))
        sidecar.check_file(run)
        rows = []
        for sample in sidecar.samples(run):
            if sample.index in chosen:
                found.shown.append(sample)
            rows.append(sample.without_pictures())
            _count(found, sample)
            done += 1
            progress("read shards", done, len(indices))
        found.table.add(sidecar.shard, rows)
    return found


def _count(found: _Found, sample: StoredSample) -> None:
    found.labelled += bool(sample.labels)
    distance = sample.record.get("cosine_distance")
    if distance is not None:
        found.distances.append(float(distance))


@contextlib.contextmanager
def _scratch(run: RunFolder) -> Iterator[Path]:
    """A folder for unfinished files: what a killed process leaves there goes with the next."""
    folder = run.path / WORK_FOLDER / "closing"
    with only_one(folder / "lock"):
        for leftover in folder.glob(".facegen-*"):
            leftover.unlink()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            run.remove_work()


def _write(run: RunFolder, found: _Found, scratch: Path) -> None:
    spread = diversity(found.table.identity_latents(), run.request["versions"]["encoder"])
    table = found.table.finish(spread.apart)
    written: dict[str, dict[str, Any]] = {}

    def write(name: str, fill: Callable[[Path], object]) -> None:
        with replacing(run.path / name, durable=True, scratch=scratch) as partial:
            fill(partial)
            data = partial.read_bytes()
        written[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    write(TABLE_FILE, lambda path: write_table(table, path))
    write(SHEET_FILE, lambda path: path.write_bytes(encode_png(sample_sheet(found.shown))))
    facts = _facts(run, found, spread)
    described = Described(
        name=f"FaceGen {run.request['model']} {run.digest[:12]}",
        description=_describe(run, found),
        licence=licence_of(run.request["model"]).url,
        version=str(run.request["versions"]["FaceGen"]),
        shards=found.sidecars,
        schema=table.schema,
        suffix=found.shown[0].suffix,
        labels=found.labelled > 0,
        table_bytes=written[TABLE_FILE]["bytes"],
        table_sha256=written[TABLE_FILE]["sha256"],
    )
    write(CROISSANT_FILE, lambda path: path.write_bytes(encode_json(croissant(described))))
    recipe = read_file(run.path / RECIPE_FILE, "restore it").decode(errors="replace")
    card = data_set_card(run, facts, recipe, found.shown[0])
    write(CARD_FILE, lambda path: path.write_text(card, encoding="utf-8"))
    # Last: who finds an index finds everything.
    index = encode_json(facts | {"files": dict(written)})
    write(INDEX_FILE, lambda path: path.write_bytes(index))


def _facts(run: RunFolder, found: _Found, spread: Diversity) -> dict[str, Any]:
    """All of index.json but the hashes of the files beside it."""
    return {
        "format": FORMAT,
        "run": run.digest,
        "count": run.request["count"],
        "samples": found.samples,
        "bytes": sum(sidecar.bytes for sidecar in found.sidecars),
        "shards": [
            {
                "shard": sidecar.shard,
                "file": sidecar.file,
                "bytes": sidecar.bytes,
                "sha256": sidecar.sha256,
                "samples": len(sidecar.attempts),
                "failed": len(sidecar.failed),
                "device": sidecar.device,
            }
            for sidecar in found.sidecars
        ],
        "failed": found.failed,
        "statistics": _statistics(found, spread),
    }


def _statistics(found: _Found, spread: Diversity) -> dict[str, Any]:
    attempts = [n for sidecar in found.sidecars for n in sidecar.attempts.values()]
    worst = [sidecar.checked["worst_depth_mm"] for sidecar in found.sidecars]
    distances = distance_summary(np.array(found.distances)) if found.distances else None
    return {
        "accepted": found.samples,
        "rejected": sum(attempts) + sum(failure["seed"][2] for failure in found.failed),
        "failed": len(found.failed),
        "labelled": found.labelled,
        "identities": spread.identities,
        "same_face_threshold": spread.threshold,
        "mutually_apart": len(spread.apart),
        "median_distance_of_identities": spread.median,
        "requested_to_achieved": None if distances is None else vars(distances),
        "label_check": {
            "samples": sum(sidecar.checked["samples"] for sidecar in found.sidecars),
            "worst_depth_mm": max((w for w in worst if w is not None), default=None),
        },
    }


def _describe(run: RunFolder, found: _Found) -> str:
    camera = found.shown[0].camera
    labels = ", with landmarks, segmentation, depth, normals and texture coordinates"
    return (
        f"{found.samples} rendered images of synthetic heads, {camera.width} x {camera.height}"
        f" pixels, of the head model {run.request['model']}, with all parameters"
        f"{labels if found.labelled else ''}; made by FaceGen. Nobody real is shown."
    )
