# SPDX-License-Identifier: GPL-3.0-or-later
"""What is held of a run while it is closed and verified does not grow with it, nor do its bytes."""

import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.dataset import closing, identities, table
from batch.dataset.closing import Gathered
from batch.dataset.run_folder import RunFolder, key_of
from batch.dataset.sample import StoredSample
from batch.dataset.shard_state import is_done
from batch.dataset.sidecar import Sidecar
from batch.dataset.spool import LatentFile
from batch.dataset.spread import Spread, evenly
from batch.dataset.table import TableSpool, write_table
from batch.run import main
from facegen_addon.errors import UserError
from facegen_addon.latent.census import census_of
from facegen_addon.latent.sphere import normalise
from tests.dataset.synthetic_run import SyntheticRun

ROWS, SHARD = 8_500, 700


def samples_of(run: RunFolder, count: int, lacking: int = -1) -> list[StoredSample]:
    """As many samples as wanted, after the first of a run; one may lack its achieved latent."""
    (first, *_) = Sidecar.read(run, 0).samples(run)
    rng = np.random.default_rng(0)
    latents = normalise(rng.standard_normal((count, 512))).astype(np.float32)
    return [
        replace(
            first.without_pictures(),
            key=key_of(index),
            record={**first.record, "key": key_of(index), "index": index, "identity": index // 3},
            parameters=rng.standard_normal(4),
            achieved=None if index == lacking else latents[index],
        )
        for index in range(count)
    ]


def table_at_once(run: RunFolder, samples: list[StoredSample], apart: set[int]) -> pa.Table:
    """The table of a run, as it was written when all rows were in memory."""
    shards = range(0, len(samples), SHARD)
    whole = pa.concat_tables(
        [table._table(run, at // SHARD, samples[at : at + SHARD]) for at in shards]
    )
    for name in ("requested", "achieved"):
        rows = [getattr(sample, name) for sample in samples]
        there = all(row is not None for row in rows)
        whole = whole.append_column(
            name, pa.array(rows, pa.list_(pa.float32(), 512 if there else -1))
        )
    marks = [sample.record["identity"] in apart for sample in samples]
    return whole.append_column("apart", pa.array(marks, pa.bool_()))


@pytest.mark.parametrize("lacking", [-1, 5_000])
def test_rows_that_waited_on_the_disk_make_the_same_file(tmp_path: Path, lacking: int) -> None:
    run = SyntheticRun(labels=False).write(tmp_path / "run")
    samples, apart = samples_of(run, ROWS, lacking), {0, 7, 2000}
    spool = TableSpool(run, tmp_path)
    for at in range(0, ROWS, SHARD):
        for start in range(at, min(at + SHARD, ROWS), 300):
            spool.add(at // SHARD, samples[start : min(start + 300, at + SHARD)])
    write_table(spool, apart, tmp_path / "found.parquet")
    expected = table_at_once(run, samples, apart)
    assert spool.schema.equals(expected.schema) and spool.rows == ROWS
    pq.write_table(expected, tmp_path / "expected.parquet", compression="zstd", row_group_size=4096)
    found = (tmp_path / "found.parquet").read_bytes()
    assert found == (tmp_path / "expected.parquet").read_bytes()


def test_pieces_of_any_size_close_a_run_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SyntheticRun(count=11, shard_size=4, faceless={3, 8}, failed={6}).write(tmp_path / "run")
    assert main(["dataset", "merge", str(run.path)]) == 3
    names = ("index.json", "README.md", "croissant.json", "contact_sheet.png", "table.parquet")
    whole = {name: (run.path / name).read_bytes() for name in names}
    monkeypatch.setattr(closing, "_AT_ONCE", 2)
    monkeypatch.setattr(identities, "_AT_ONCE", 2)
    assert main(["dataset", "merge", str(run.path)]) == 3
    assert {name: (run.path / name).read_bytes() for name in names} == whole
    monkeypatch.setattr(table, "_ROWS_PER_GROUP", 3)
    assert main(["dataset", "merge", str(run.path)]) == 3
    groups = pq.ParquetFile(run.path / "table.parquet").metadata.num_row_groups
    assert groups == 4 and main(["dataset", "verify", str(run.path), "--seeds", "0"]) == 0


def test_what_is_kept_of_a_sample_is_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identities, "_AT_ONCE", 10)
    kept = []
    for count in (40, 200):
        run = SyntheticRun(count=count, shard_size=20, labels=False).write(tmp_path / f"{count}")
        scratch = tmp_path / f"scratch-{count}"
        scratch.mkdir()
        tracemalloc.start()
        sidecars = [Sidecar.read(run, number) for number in range(run.shard_count)]
        gathered = Gathered(run, [sidecar.summary for sidecar in sidecars], scratch)
        del sidecars
        for number in range(run.shard_count):
            sidecar = Sidecar.read(run, number)
            gathered.add(sidecar, sidecar.samples(run))
        gathered.shown.clear()
        kept.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert gathered.samples == count and gathered.diversity().identities == count // 2
    assert (kept[1] - kept[0]) / 160 < 300, "bytes a sample; its latents alone have 4,096"


def test_pieces_have_the_census_of_the_whole(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(identities, "_AT_ONCE", 4)
    run = SyntheticRun(count=40, shard_size=9, labels=False, faceless={4, 5, 20}).write(
        tmp_path / "run"
    )
    who = identities.Identities(run, tmp_path)
    samples = [s for n in range(run.shard_count) for s in Sidecar.read(run, n).samples(run)]
    for start in range(0, 40, 7):
        who.add(samples[start : start + 7])
    achieved = {
        s.record["identity"]: s.achieved for s in reversed(samples) if s.achieved is not None
    }
    requested = {s.record["identity"]: s.requested for s in samples}
    rows = [
        np.stack([named[number] for number in sorted(named)]) for named in (requested, achieved)
    ]
    assert who.census() == census_of(None, *rows)
    assert who.diversity().identities == len(achieved) == 19


def test_identities_outside_of_the_run_are_told_apart() -> None:
    numbers = identities._Numbers(3)
    given = [0, 2, 2, 3, -1, 3, -1, 0, 10**12]
    assert [numbers.is_new(number) for number in given] == [
        True, True, False, True, True, False, False, False, True,
    ]  # fmt: skip


def test_latents_in_a_file_are_read_by_rows(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)
    file = LatentFile(tmp_path, "some")
    assert len(file) == 0 and file[0:3].shape == (0, 0)
    for start in (0, 3):
        file.append(rows[start : start + 3])
    file.append(rows[6:6])
    file.append(rows[6:])
    assert len(file) == 7 and np.array_equal(file[2:5], rows[2:5])
    assert np.array_equal(file[5:99], rows[5:]) and len(file[9:99]) == 0


def test_a_full_disk_is_told_in_a_line(tmp_path: Path) -> None:
    file = LatentFile(tmp_path / "absent", "some")
    with pytest.raises(UserError, match=r"some.f32 cannot be written .* make room"):
        file.append(np.zeros((1, 3), np.float32))


def test_a_spread_is_that_of_all_numbers_at_once(tmp_path: Path) -> None:
    run = SyntheticRun(count=30, shard_size=4, failed={0, 9, 12, 13, 14, 15}).write(tmp_path)
    sidecars = [Sidecar.read(run, number) for number in range(run.shard_count)]
    indices = [index for sidecar in sidecars for index in sidecar.attempts]
    for most in (0, 1, 5, 24, 99):
        spread = Spread([sidecar.summary for sidecar in sidecars], most)
        found = [sorted(spread.of(sidecar)) for sidecar in sidecars]
        together = [index for one in found for index in one]
        assert together == [indices[place] for place in evenly(len(indices), most)]
        assert [sidecar.shard in spread for sidecar in sidecars] == list(map(bool, found))


def test_going_on_reads_only_what_was_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SyntheticRun(labels=False).write(tmp_path / "run")
    read: list[int] = []
    monkeypatch.setattr(
        "batch.dataset.shard_state.problem_of", lambda run, shard: read.append(shard) or ""
    )
    for shard, seconds in enumerate((1, 0, -1)):  # after the tar file: as it is made, in the same
        time = run.tar(shard).stat().st_mtime_ns  # moment of a coarse clock, before
        os.utime(run.sidecar(shard), ns=(time, time + seconds * 10**9))
    assert all(is_done(run, shard) for shard in range(3)) and read == [1, 2]
    run.tar(0).write_bytes(run.tar(0).read_bytes()[:-512])
    os.utime(run.tar(0), ns=(0, 0))
    assert is_done(run, 0) and read == [1, 2, 0], "its size is another"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="measures processes as Linux does")
def test_a_simulated_run_is_closed_and_verified_in_little_memory(project: Path) -> None:
    # In a process of its own: what a process forks begins with as much memory as it has itself.
    command = [sys.executable, "-m", "tools.million", "--count", "2000", "--shard-size", "100"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert "go on with 20 shards" in said
    assert "2000 samples merged and verified in" in said
