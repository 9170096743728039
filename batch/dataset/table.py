# SPDX-License-Identifier: GPL-3.0-or-later
"""table.parquet: one row a sample, all that is known of it but its pictures."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from batch.dataset.latents import LATENTS
from batch.dataset.record import known
from batch.dataset.run_folder import RunFolder
from batch.dataset.sample import StoredSample, at
from facegen_addon.arrays import Float32Array, FloatArray
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


class TableBuilder:
    """Collects the rows of a run, shard after shard.

    Columns are called by their places in the record, e.g. pose.yaw (degrees); `seed` is the run's;
    matrices are row after row.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._tables: list[pyarrow.Table] = []
        self._latents: dict[str, list[Float32Array | None]] = {n: [] for n in LATENTS}
        self._identities: list[int] = []
        self._parameters: list[FloatArray] = []

    def add(self, shard: int, samples: Sequence[StoredSample]) -> None:
        """The rows of one shard; UserError if a record has something else in a column's place."""
        self._tables.append(_table(self._run, shard, samples))
        self._identities += [sample.record["identity"] for sample in samples]
        self._parameters += [sample.parameters for sample in samples]
        for name, rows in self._latents.items():
            rows += [getattr(sample, name) for sample in samples]

    def identity_latents(self) -> dict[int, Annotated[Float32Array, "D"]]:
        """Identity -> achieved latent (D,) of its first image that has one."""
        found: dict[int, Float32Array] = {}
        for identity, latent in zip(self._identities, self._latents["achieved"], strict=True):
            if latent is not None:
                found.setdefault(identity, latent)
        return found

    def requested_latents(self) -> Annotated[Float32Array, "N D"] | None:
        """What the identities were asked for, one row each; None where they were by no latents."""
        found: dict[int, Float32Array] = {}
        for identity, latent in zip(self._identities, self._latents["requested"], strict=True):
            if latent is not None:
                found.setdefault(identity, latent)
        return np.stack(list(found.values())) if found else None

    def heads(self) -> Annotated[FloatArray, "N P"]:
        """Parameters of the identities, as the first image of each shows them."""
        found: dict[int, FloatArray] = {}
        for identity, parameters in zip(self._identities, self._parameters, strict=True):
            found.setdefault(identity, parameters)
        return np.stack(list(found.values()))

    def finish(self, apart: Collection[int]) -> "pyarrow.Table":
        """The whole table; apart: identities of the set whose members are mutually apart."""
        import pyarrow as pa

        table = pa.concat_tables(self._tables)
        sizes = {len(row) for rows in self._latents.values() for row in rows if row is not None}
        if len(sizes) > 1:
            raise UserError(f"{self._run.path} has latents of {sorted(sizes)} numbers: of two runs")
        size = sizes.pop() if sizes else LATENT_SIZE
        for name, rows in self._latents.items():
            # Parquet does not bring back lists of a fixed size of which some are not there.
            there = all(row is not None for row in rows)
            kind = pa.list_(pa.float32(), size if there else -1)
            table = table.append_column(name, pa.array(rows, kind))
        marks = [identity in apart for identity in self._identities]
        return table.append_column(APART, pa.array(marks, pa.bool_()))


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


def write_table(table: "pyarrow.Table", path: Path) -> None:
    """Write the rows as Parquet; equal rows, equal bytes."""
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd", row_group_size=_ROWS_PER_GROUP)


def read_table(path: Path) -> "pyarrow.Table":
    """The rows of a table; UserError if there is none, or it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read ({reason}): run `dataset merge` again") from None
