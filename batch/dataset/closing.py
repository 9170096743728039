# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that close a run: index.json, table.parquet, croissant.json, README.md, contact_sheet.png.

They are made from run.json and the shards alone, so that a run of one machine and the same run of a
farm end with the same bytes, however often they are closed.
"""

import contextlib
import hashlib
import itertools
import shutil
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from batch.dataset.card import SHEET_FILE, data_set_card, licence_of, title_of
from batch.dataset.croissant import Described, croissant
from batch.dataset.diversity import Diversity
from batch.dataset.identities import Identities
from batch.dataset.pictures import sample_sheet
from batch.dataset.record import known
from batch.dataset.run_folder import RECIPE_FILE, WORK_FOLDER, RunFolder
from batch.dataset.sample import StoredSample
from batch.dataset.sidecar import ShardSummary, Sidecar
from batch.dataset.spool import SPOOL_PREFIX
from batch.dataset.spread import Spread
from batch.dataset.table import TableSpool, write_table
from batch.lock import only_one
from batch.shards import encode_json
from facegen_addon.artifacts import read_file
from facegen_addon.atomic_file import replacing
from facegen_addon.errors import NotReached
from facegen_addon.latent.metrics import distance_summary
from facegen_addon.png import encode_png

if TYPE_CHECKING:
    import pyarrow

INDEX_FILE, TABLE_FILE = "index.json", "table.parquet"
CROISSANT_FILE, CARD_FILE = "croissant.json", "README.md"
_SHOWN = 16  # samples on the contact sheet
_AT_ONCE = 512  # samples whose rows are in memory

Progress = Callable[[str, float, float], None]


@dataclass(frozen=True)
class Closing:
    """Contents of a closed run: samples, those given up, bytes of its shards."""

    samples: int
    failed: int
    bytes: int


class Gathered:
    """Facts that a pass over the shards of a run gathers for the files that close it.

    scratch: a folder for rows that wait; what stays in memory hardly depends on the run's size.
    """

    def __init__(self, run: RunFolder, shards: Sequence[ShardSummary], scratch: Path) -> None:
        self.run, self.shards = run, shards
        self.table = TableSpool(run, scratch)
        self.shown: list[StoredSample] = []
        self._identities = Identities(run, scratch)
        self._spread = Spread(shards, _SHOWN)
        self._distances = array("d")
        self._labelled = 0

    def add(self, sidecar: Sidecar, samples: Iterable[StoredSample]) -> None:
        """Take in the samples of one shard; their pictures are not kept but for some to show."""
        chosen = self._spread.of(sidecar)
        coming = iter(samples)
        while some := list(itertools.islice(self._without_pictures(coming, chosen), _AT_ONCE)):
            self.table.add(sidecar.shard, some)
            self._identities.add(some)

    def _without_pictures(
        self, samples: Iterator[StoredSample], chosen: Collection[int]
    ) -> Iterator[StoredSample]:
        for sample in samples:
            if sample.index in chosen:
                self.shown.append(sample)
            self._labelled += bool(sample.labels)
            distance = known(sample.record["cosine_distance"])
            if distance is not None:
                self._distances.append(float(distance))
            yield sample.without_pictures()

    @property
    def samples(self) -> int:
        """Number of samples."""
        return sum(shard.samples for shard in self.shards)

    @property
    def bytes(self) -> int:
        """Size of all shards, bytes."""
        return sum(shard.bytes for shard in self.shards)

    @property
    def failed(self) -> list[Mapping[str, Any]]:
        """Samples that had to be given up: index, seed, reason."""
        return [failure for shard in self.shards for failure in shard.failed]

    @property
    def has_labels(self) -> bool:
        """Whether any sample has labels."""
        return self._labelled > 0

    def diversity(self) -> Diversity:
        """Figures of the differences between the people of the run."""
        return self._identities.diversity()

    def facts(self, spread: Diversity) -> dict[str, Any]:
        """The contents of index.json without the hashes of the files beside it."""
        return {
            "format": self.run.format,
            "run": self.run.digest,
            "count": self.run.request["count"],
            "samples": self.samples,
            "bytes": self.bytes,
            "shards": [_shard_facts(shard) for shard in self.shards],
            "failed": self.failed,
            "statistics": self._statistics(spread),
        }

    def _statistics(self, spread: Diversity) -> dict[str, Any]:
        worst = [shard.checked["worst_depth_mm"] for shard in self.shards]
        rejected = sum(shard.rejected for shard in self.shards)
        distances = distance_summary(np.array(self._distances)) if self._distances else None
        return {
            "accepted": self.samples,
            "rejected": rejected + sum(failure["seed"][2] for failure in self.failed),
            "failed": len(self.failed),
            "labelled": self._labelled,
            "identities": spread.identities,
            "same_face_threshold": spread.threshold,
            "mutually_apart": len(spread.apart),
            "median_distance_of_identities": spread.median,
            "requested_to_achieved": None if distances is None else vars(distances),
            "census": self._identities.census(),
            "label_check": {
                "samples": sum(shard.checked["samples"] for shard in self.shards),
                "worst_depth_mm": max((w for w in worst if w is not None), default=None),
            },
        }


def _shard_facts(shard: ShardSummary) -> dict[str, Any]:
    return {
        "shard": shard.shard,
        "file": shard.file,
        "bytes": shard.bytes,
        "sha256": shard.sha256,
        "samples": shard.samples,
        "failed": len(shard.failed),
        "device": shard.device,
    }


def close_run(run: RunFolder, progress: Progress | None = None) -> Closing:
    """Check every shard of a run and write what closes it; the same run, the same bytes.

    UserError if a shard is missing, damaged or another run's, NotReached if no sample is there at
    all; nothing is written then. UserError if the disk refuses, too.
    """
    with _scratch(run) as scratch:
        gathered = _gather(run, scratch, progress or (lambda stage, done, total: None))
        if not gathered.samples:
            raise NotReached(
                f"all {len(gathered.failed)} samples of {run.path} had to be given up, see"
                " data-*.json in it: change [accept] or the ranges of the recipe"
            )
        _write(gathered, scratch)
    return Closing(gathered.samples, len(gathered.failed), gathered.bytes)


def _gather(run: RunFolder, scratch: Path, progress: Progress) -> Gathered:
    shards = [Sidecar.read(run, number).summary for number in range(run.shard_count)]
    gathered = Gathered(run, shards, scratch)
    done = itertools.count(1)

    def counted(samples: Iterable[StoredSample]) -> Iterator[StoredSample]:
        for sample in samples:
            progress("read shards", next(done), gathered.samples)
            yield sample

    for number in range(run.shard_count):
        sidecar = Sidecar.read(run, number)
        sidecar.check_file(run)
        gathered.add(sidecar, counted(sidecar.samples(run)))
    return gathered


@contextlib.contextmanager
def _scratch(run: RunFolder) -> Iterator[Path]:
    """A folder for unfinished files: what a killed process leaves there goes with the next."""
    folder = run.path / WORK_FOLDER / "closing"
    with only_one(folder / "lock"):
        folder.mkdir(parents=True, exist_ok=True)  # where there are no locks, it is not there yet
        for leftover in folder.glob(f"{SPOOL_PREFIX}*"):
            leftover.unlink()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            run.remove_work()


def _write(gathered: Gathered, scratch: Path) -> None:
    run, spread = gathered.run, gathered.diversity()
    facts = gathered.facts(spread)
    written: dict[str, dict[str, Any]] = {}

    def write(name: str, fill: Callable[[Path], object]) -> None:
        with replacing(run.path / name, durable=True, scratch=scratch) as partial:
            fill(partial)
            written[name] = file_facts(partial)

    write(TABLE_FILE, lambda path: write_table(gathered.table, spread.apart, path))
    write(SHEET_FILE, lambda path: path.write_bytes(encode_png(sample_sheet(gathered.shown))))
    described = _described(gathered, gathered.table.schema, written[TABLE_FILE])
    write(CROISSANT_FILE, lambda path: path.write_bytes(encode_json(croissant(described))))
    recipe = read_file(run.path / RECIPE_FILE, "restore it").decode(errors="replace")
    card = data_set_card(run, facts, recipe, gathered.shown[0])
    write(CARD_FILE, lambda path: path.write_text(card, encoding="utf-8"))
    # Last: who finds an index finds everything.
    index = encode_json(facts | {"files": dict(written)})
    write(INDEX_FILE, lambda path: path.write_bytes(index))


def file_facts(path: Path) -> dict[str, Any]:
    """Size and sha256 of a file, as index.json has them."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def _described(gathered: Gathered, schema: "pyarrow.Schema", table: Mapping[str, Any]) -> Described:
    run, sample = gathered.run, gathered.shown[0]
    labels = ", with landmarks, segmentation, depth, normals and texture coordinates"
    return Described(
        name=title_of(run),
        description=f"{gathered.samples} rendered images of synthetic heads, {sample.camera.width}"
        f" x {sample.camera.height} pixels, of the head model {run.request['model']}, with all"
        f" parameters{labels if gathered.has_labels else ''}; made by FaceGen. Nobody real is"
        " shown.",
        licence=licence_of(run.request["model"]).url,
        version=str(run.request["versions"]["FaceGen"]),
        shards=gathered.shards,
        schema=schema,
        suffix=sample.suffix,
        labels=gathered.has_labels,
        table_bytes=table["bytes"],
        table_sha256=table["sha256"],
    )
