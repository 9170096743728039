# SPDX-License-Identifier: GPL-3.0-or-later
import errno
import fcntl
import io
import json
import os
import stat
import tarfile
from pathlib import Path
from typing import IO, Any

import pytest

from batch.dataset.run_folder import RunFolder
from batch.dataset.shard_state import failures, is_done, problem_of
from batch.dataset.shard_work import ShardWork, split_tar
from facegen_addon.errors import UserError
from tests.dataset.test_run_folder import begin


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return begin(tmp_path / "run")


def members(index: int) -> list[tuple[str, bytes]]:
    record = {"attempt": index % 2, "label_check": {"done": True, "worst_depth_mm": 0.1 * index}}
    return [("png", b"image" * (index + 1)), ("json", json.dumps(record).encode())]


def fill(work: ShardWork, but: tuple[int, ...] = ()) -> None:
    for index in work.missing:
        if index not in but:
            work.add(index, members(index))


def failure(index: int, retry: bool) -> dict[str, Any]:
    return {"index": index, "seed": [0, index, 0], "reason": "it died of SIGSEGV", "retry": retry}


def names(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        return archive.getnames()


def test_a_shard_is_its_samples_in_order_whatever_order_they_came_in(run: RunFolder) -> None:
    hashes = set()
    for order in ([2, 0, 1], [0, 1, 2]):
        work = ShardWork(run, 0)
        for index in order:
            work.add(index, members(index))
        sidecar = work.finish("CPU")
        assert names(run.tar(0)) == [f"00000{i}.{s}" for i in range(3) for s in ("png", "json")]
        assert problem_of(run, 0) == "" and not run.work(0).exists()
        hashes.add(sidecar["sha256"])
        run.sidecar(0).unlink()
    assert len(hashes) == 1
    assert [s["attempt"] for s in sidecar["samples"]] == [0, 1, 0]
    assert sidecar["checked"] == {"samples": 3, "worst_depth_mm": 0.2}


def test_what_was_finished_is_found_again(run: RunFolder) -> None:
    first = ShardWork(run, 0)
    fill(first, but=(1,))
    first.close()
    second = ShardWork(run, 0)
    assert second.missing == [1]
    fill(second)
    second.finish("CPU")
    assert is_done(run, 0)


def test_a_damaged_part_is_made_again(run: RunFolder) -> None:
    first = ShardWork(run, 0)
    fill(first)
    first.close()
    parts = sorted(run.work(0).glob("*.part"))
    parts[0].write_bytes(parts[0].read_bytes()[:100])
    parts[1].rename(parts[1].with_name("000009-0123456789abcdef.part"))
    (run.work(0) / ".facegen-half").write_bytes(b"half a sample")
    second = ShardWork(run, 0)
    assert second.missing == [0, 1]
    assert not list(run.work(0).glob(".facegen-*"))
    second.close()


def test_one_process_at_a_time(run: RunFolder) -> None:
    work = ShardWork(run, 0)
    with pytest.raises(UserError, match="another process is at work"):
        ShardWork(run, 0)
    ShardWork(run, 1).close()
    work.close()
    ShardWork(run, 0).close()


def test_a_corrupted_shard_is_noticed_and_made_again(
    run: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    work = ShardWork(run, 0)
    fill(work)
    digest = work.finish("CPU")["sha256"]
    data = bytearray(run.tar(0).read_bytes())
    data[700] ^= 1
    run.tar(0).write_bytes(data)
    assert not is_done(run, 0) and "damaged" in caplog.text
    again = ShardWork(run, 0)
    assert again.missing == [0, 1, 2]
    fill(again)
    assert again.finish("CPU")["sha256"] == digest


def test_samples_of_crashes_are_tried_again_and_others_are_not(run: RunFolder) -> None:
    work = ShardWork(run, 0)
    fill(work, but=(1, 2))
    work.failed = {1: failure(1, retry=True), 2: failure(2, retry=False)}
    sidecar = work.finish("CPU")
    assert [one["index"] for one in sidecar["failed"]] == [1, 2] and failures(run, 0) == 2
    assert not is_done(run, 0)
    again = ShardWork(run, 0)
    assert again.missing == [1]
    fill(again)
    again.finish("CPU")
    assert is_done(run, 0) and failures(run, 0) == 1
    assert names(run.tar(0))[::2] == ["000000.png", "000001.png"]


def test_a_kill_between_shard_and_sidecar_loses_nothing(run: RunFolder) -> None:
    work = ShardWork(run, 0)
    fill(work)
    work.close()
    run.tar(0).write_bytes(b"written, but nothing says so")
    again = ShardWork(run, 0)
    assert again.missing == []
    again.finish("CPU")
    assert is_done(run, 0)


def test_a_kill_while_parts_are_removed_leaves_none_for_ever(run: RunFolder) -> None:
    work = ShardWork(run, 0)
    fill(work)
    work.finish("CPU")
    run.work(0).mkdir(parents=True)
    (run.work(0) / "000001-0.part").write_bytes(b"rest")
    assert is_done(run, 0) and not run.work(0).exists()
    run.remove_work()
    assert not (run.path / "work").exists()


def test_a_shard_of_failures_alone_is_a_shard(run: RunFolder) -> None:
    work = ShardWork(run, 2)
    work.failed = {6: failure(6, retry=False)}
    work.finish("CPU")
    assert is_done(run, 2) and names(run.tar(2)) == []
    assert list(split_tar(run.tar(2))) == []


def test_parts_of_another_run_are_not_taken_for_ones_own(run: RunFolder) -> None:
    work = ShardWork(run, 0)
    fill(work)
    work.close()
    (run.path / "run.json").unlink()
    (run.path / "recipe.toml").unlink()
    other = ShardWork(begin(run.path, seed=5), 0)
    assert other.missing == [0, 1, 2]
    other.close()


@pytest.mark.parametrize("key", ["samples", "failed", "sha256", "bytes", "checked", "device"])
def test_a_shard_whose_sidecar_lacks_something_is_made_again(run: RunFolder, key: str) -> None:
    work = ShardWork(run, 0)
    fill(work)
    sidecar = work.finish("CPU")
    del sidecar[key]
    run.sidecar(0).write_text(json.dumps(sidecar))
    assert not is_done(run, 0) and failures(run, 0) == 3
    again = ShardWork(run, 0)
    fill(again)
    again.finish("CPU")
    assert is_done(run, 0)


def test_two_that_remove_finished_work_do_not_disturb_each_other(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = ShardWork(run, 0)
    fill(work)
    unlink = os.unlink

    def late(path: str, **more: int) -> None:
        unlink(path, **more)
        unlink(path, **more)  # what the other has removed just before

    monkeypatch.setattr(os, "unlink", late)
    assert work.finish("CPU")["samples"]
    monkeypatch.undo()
    assert is_done(run, 0)


def test_a_lock_that_its_holder_has_removed_is_no_lock(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, flock = ShardWork(run, 0), fcntl.flock

    def late(stream: IO[str], how: int) -> None:
        fill(work)
        work.finish("CPU")  # between the opening of the lock and this
        flock(stream, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(UserError, match="another process is at work"):
        ShardWork(run, 0)


def test_a_part_that_cannot_be_read_is_named_and_the_shard_let_go(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = ShardWork(run, 0)
    fill(work)
    work.close()

    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(UserError, match=r"000000-.*\.part cannot be read.*Permission denied"):
            ShardWork(run, 0)
    ShardWork(run, 0).close()


def test_a_disk_that_flushes_no_folders_will_do(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def files_only(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    work = ShardWork(run, 0)
    fill(work)
    work.finish("CPU")
    assert is_done(run, 0)


def test_parts_are_tars(run: RunFolder) -> None:
    work = ShardWork(run, 0)
    fill(work)
    part = next(run.work(0).glob("000002-*.part")).read_bytes()
    work.finish("CPU")
    assert dict(split_tar(run.tar(0)))[2] == part
    with tarfile.open(fileobj=io.BytesIO(part + bytes(1024))) as archive:
        assert archive.getnames() == ["000002.png", "000002.json"]
