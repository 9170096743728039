# SPDX-License-Identifier: GPL-3.0-or-later
"""table.parquet read in pieces."""

import contextlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from batch.dataset.table import StoredTable


def test_a_stored_table_is_never_whole_in_memory(tmp_path: Path) -> None:
    path, rng = tmp_path / "table.parquet", np.random.default_rng(0)
    groups = [pa.table({f"c{k}": rng.random(2000) for k in range(40)}) for _ in range(40)]
    with pq.ParquetWriter(path, groups[0].schema) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=2000)
    del groups
    before, most = pa.total_allocated_bytes(), 0
    with contextlib.closing(StoredTable(path)) as stored:
        for _ in stored.pieces(500):
            most = max(most, pa.total_allocated_bytes() - before)
    assert 0 < most < path.stat().st_size / 4
