# SPDX-License-Identifier: GPL-3.0-or-later
"""table.parquet: one row a sample, all that is known of it but its pictures."""

import contextlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from batch.dataset.latents import LATENTS
from batch.dataset.record import known
from batch.dataset.run_folder import RunFolder
from batch.dataset.sample import StoredSample, at
from batch.dataset.spool import BatchFiles, LatentFile
from facegen_addon.arrays import Float32Array
from facegen_addon.errors import UserError
from facegen_addon.latent.checked import LATENT_SIZE
from facegen_addon.terminal.copies import blender_binary, is_installed

if TYPE_CHECKING:
    import pyarrow

_FIRST = {
    "key": "text",
    "index": "integer",
    "identity": "integer",
    "view_number": "integer",
    "attempt": "integer",
}
_COLUMNS = {
    "pose.yaw": "number",
    "pose.pitch": "number",
    "pose.roll": "number",
    "camera.width": "integer",
    "camera.height": "integer",
    "camera.focal_length_mm": "number",
    "camera.distance_m": "number",
    "light.preset": "text",
    "light.azimuth": "number",
    "light.elevation": "number",
    "light.strength": "number",
    "light.hdri": "text",
    "light.rotation": "number",
    "background.picture": "text",
    "engine": "text",
    "samples": "integer",
    "noise_seed": "integer",
    "image.format": "text",
    "image.sha256": "text",
    "cosine_distance": "number",
}
"""Place in a record -> kind of its column."""
_LISTS = {
    "shift": 2,
    "camera.intrinsics": 9,
    "camera.extrinsics": 12,
    "five_points": 10,
    "face_box": 4,
}
_COLOUR = "background.colour"  # linear RGB
_MAY_LACK = (_COLOUR, "cosine_distance")
APART = "apart"
PARAMETER = "parameter."
"""Before the name of each column of a parameter."""
_ROWS_PER_GROUP = 4096
_ROWS_COMPARED = 512  # at a time


def require_pyarrow() -> None:
    """UserError if the package that writes the table is not there or not usable."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"table.parquet needs the Python module pyarrow ({error}): {_pyarrow_remedy()}"
        ) from None


def _pyarrow_remedy() -> str:
    """How this copy gets the package."""
    if blender_binary():
        return (
            "`pip install --target FOLDER -r requirements/dataset.txt` for the Python of Blender,"
            " and start it with FACEGEN_SITE=FOLDER"
        )
    if is_installed():
        return "pip install 'facegen[dataset]'"
    return (
        "run `make demo` once and then .venv/bin/python batch/run.py, or"
        " pip install -r requirements/dataset.txt"
    )


class TableSpool:
    """The rows of a run, which wait on the disk, shard after shard, until all are known.

    Columns are called by their places in the record, e.g. pose.yaw (degrees); `seed` is the run's;
    matrices are row after row.
    """

    def __init__(self, run: RunFolder, folder: Path) -> None:
        self._run = run
        self._batches = BatchFiles(folder)
        self._latents = {name: LatentFile(folder, name) for name in LATENTS}
        self._there = {name: bytearray() for name in LATENTS}  # 1: the row has one
        self._size = 0
        self.rows = 0

    def add(self, shard: int, samples: Sequence[StoredSample]) -> None:
        """Some rows of one shard; UserError if a record has something else in a column's place."""
        if not samples:
            return
        (batch,) = _table(self._run, shard, samples).to_batches()
        self._batches.append(batch)
        for name, there in self._there.items():
            latents = [getattr(sample, name) for sample in samples]
            there += bytes(latent is not None for latent in latents)
            found = [latent for latent in latents if latent is not None]
            self._check_size(found)
            if found:
                self._latents[name].append(np.stack(found))
        self.rows += len(samples)

    def _check_size(self, latents: Sequence[Float32Array]) -> None:
        sizes = {len(latent) for latent in latents} | ({self._size} if self._size else set())
        if len(sizes) > 1:
            raise UserError(f"{self._run.path} has latents of {sorted(sizes)} numbers: of two runs")
        self._size = sizes.pop() if sizes else 0

    @property
    def schema(self) -> "pyarrow.Schema":
        """Names and types of the columns, once all rows are there."""
        import pyarrow as pa

        schema = _table(self._run, 0, []).schema
        for name in LATENTS:
            schema = schema.append(pa.field(name, self._kind(name)))
        return schema.append(pa.field(APART, pa.bool_()))

    def pieces(self, apart: Collection[int], rows: int) -> Iterator["pyarrow.Table"]:
        """The whole table, so many rows at a time; apart: identities of the set whose members are
        mutually apart."""
        import pyarrow as pa

        done, read = 0, dict.fromkeys(LATENTS, 0)
        for batches in _regrouped(self._batches, rows):
            table = pa.Table.from_batches(_one_a_shard(batches))
            stop = done + len(table)
            for name, file in self._latents.items():
                there = self._there[name][done:stop]
                latents = iter(file[read[name] : read[name] + sum(there)])
                read[name] += sum(there)
                column = [next(latents) if one else None for one in there]
                table = table.append_column(name, pa.array(column, self._kind(name)))
            marks = [identity in apart for identity in table["identity"].to_pylist()]
            yield table.append_column(APART, pa.array(marks, pa.bool_()))
            done = stop

    def _kind(self, name: str) -> "pyarrow.DataType":
        """Parquet does not bring back lists of a fixed size of which some are not there."""
        import pyarrow as pa

        return pa.list_(pa.float32(), (self._size or LATENT_SIZE) if all(self._there[name]) else -1)


def _regrouped(
    batches: Iterable["pyarrow.RecordBatch"], rows: int
) -> Iterator[list["pyarrow.RecordBatch"]]:
    """The same rows in pieces of batches, so many rows in each group but the last.

    What is not used any more between two groups goes back to the system at once.
    """
    import pyarrow as pa

    group: list[pyarrow.RecordBatch] = []
    room = rows
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, room)
            start, room = start + piece.num_rows, room - piece.num_rows
            group.append(piece)
            if not room:
                yield group
                group, room = [], rows
                pa.default_memory_pool().release_unused()
    if group:
        yield group


def _one_a_shard(batches: Sequence["pyarrow.RecordBatch"]) -> list["pyarrow.RecordBatch"]:
    """Batches, joined where they are of one shard: where pages of Parquet end depends on it."""
    import pyarrow as pa

    return [
        joined
        for _, some in itertools.groupby(batches, lambda batch: batch["shard"][0].as_py())
        for joined in pa.Table.from_batches(list(some)).combine_chunks().to_batches()
    ]


def _table(run: RunFolder, shard: int, samples: Sequence[StoredSample]) -> "pyarrow.Table":
    import pyarrow as pa

    count = len(samples)
    kinds = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
    columns: dict[str, Any] = {
        name: _column(samples, name, kinds[kind]) for name, kind in _FIRST.items()
    }
    columns["seed"] = pa.array([run.request["seed"]] * count, pa.int64())
    columns["shard"] = pa.array([shard] * count, pa.int64())
    columns |= {name: _column(samples, name, kinds[kind]) for name, kind in _COLUMNS.items()}
    for name, length in _LISTS.items():
        columns[name] = _column(samples, name, pa.list_(pa.float64(), length))
    columns[_COLOUR] = _column(samples, _COLOUR, pa.list_(pa.float64()))
    for number, parameter in enumerate(run.run["parameters"]):
        values = [sample.parameters[number] for sample in samples]
        columns[PARAMETER + parameter["name"]] = pa.array(values, pa.float64())
    return pa.table(columns)


def _column(samples: Sequence[StoredSample], place: str, kind: "pyarrow.DataType") -> Any:
    import pyarrow as pa

    values = [at(sample.record, place) for sample in samples]
    if place in _MAY_LACK:
        values = list(map(known, values))
    if place in _LISTS:
        values = [np.ravel(value).tolist() for value in values]
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise UserError(f"a record of {samples[0].key}... has a wrong {place} ({error})") from None


def write_table(table: TableSpool, apart: Collection[int], path: Path) -> None:
    """Write the rows as Parquet; equal rows, equal bytes."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for group in table.pieces(apart, _ROWS_PER_GROUP):
            writer.write_table(group, row_group_size=_ROWS_PER_GROUP)


def differing_column(table: TableSpool, apart: Collection[int], stored: "StoredTable") -> str:
    """The first column in which a table is not what it has to be; empty if there is none."""
    ours, theirs = table.pieces(apart, _ROWS_COMPARED), stored.pieces(_ROWS_COMPARED)
    for expected, found in zip(ours, theirs, strict=True):
        for name in expected.column_names:
            if not found[name].equals(expected[name]):
                return str(name)
    return ""


class StoredTable:
    """A table.parquet that is read in pieces; UserError if there is none, or it is damaged."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self._path = path
        with self._reading():
            # Else pyarrow reads all groups ahead of what is asked for: the whole file.
            self._file = pq.ParquetFile(path, pre_buffer=False)
            self.schema = self._file.schema_arrow
            self.rows = self._file.metadata.num_rows

    def close(self) -> None:
        """Leave the file alone."""
        self._file.close()

    def pieces(self, rows: int) -> Iterator["pyarrow.Table"]:
        """The whole table, so many rows at a time."""
        import pyarrow as pa

        with self._reading():
            for batches in _regrouped(self._file.iter_batches(rows, use_threads=False), rows):
                yield pa.Table.from_batches(batches)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (OSError, pa.ArrowInvalid) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"{self._path} cannot be read ({reason}): run `dataset merge` again"
            ) from None
