# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that wait on the disk until all are known, so that memory does not grow with a run.

The files lie in a folder that somebody else removes; none stays open between two calls.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from facegen_addon.arrays import Float32Array, RealArray
from facegen_addon.errors import UserError

if TYPE_CHECKING:
    import pyarrow

SPOOL_PREFIX = ".facegen-"
"""Of all files here: what a killed process leaves is known by it."""
_NUMBER = np.dtype(np.float32)


class LatentFile:
    """Latents (N, D) float32 in a file, added at its end and read by rows."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{SPOOL_PREFIX}{name}.f32"
        self._count = self._size = 0

    def __len__(self) -> int:
        return self._count

    def append(self, rows: Annotated[RealArray, "N D"]) -> None:
        """Add rows, all of one size; UserError if the disk refuses."""
        if not len(rows):
            return
        assert self._size in (0, rows.shape[1]), "latents of one run are of one size"
        with writing(self._path), self._path.open("ab") as stream:
            stream.write(np.ascontiguousarray(rows, _NUMBER).tobytes())
        self._count += len(rows)
        self._size = rows.shape[1]

    def __getitem__(self, rows: slice) -> Annotated[Float32Array, "n D"]:
        """Some that follow each other."""
        start, stop, _ = rows.indices(self._count)
        count = max(stop - start, 0)
        if not count:
            return np.zeros((0, self._size), _NUMBER)
        offset = start * self._size * _NUMBER.itemsize
        found = np.fromfile(self._path, _NUMBER, count * self._size, offset=offset)
        return found.reshape(count, self._size)


class BatchFiles:
    """Batches of rows of one table, in the order in which they were added."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0

    def append(self, batch: "pyarrow.RecordBatch") -> None:
        """Add a batch; UserError if the disk refuses."""
        import pyarrow as pa

        path = self._path(self._count)
        with (
            writing(path),
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_stream(sink, batch.schema) as writer,
        ):
            writer.write_batch(batch)
        self._count += 1

    def __iter__(self) -> Iterator["pyarrow.RecordBatch"]:
        import pyarrow as pa

        for number in range(self._count):
            with (
                pa.OSFile(str(self._path(number)), "rb") as source,
                pa.ipc.open_stream(source) as reader,
            ):
                yield reader.read_next_batch()

    def _path(self, number: int) -> Path:
        return self._folder / f"{SPOOL_PREFIX}rows-{number:06d}.arrow"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """UserError for what a disk refuses in the block."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}); make room: for closing a run"
            " where it lies, for `dataset verify` where TMPDIR says"
        ) from None
