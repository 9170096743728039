# SPDX-License-Identifier: GPL-3.0-or-later
"""Shards are read back as they were written, and whatever else lies there is named."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.dataset.shard_file import SHARD_END, read_shard
from batch.shards import tar_members, write_tar
from facegen_addon.errors import UserError

SAMPLE = ("png", "json", "requested.npy", "achieved.npy")
LABELS = ("landmarks.npz", "segmentation.png", "depth.png", "normals.png", "uv.png")


def write(path: Path, names: list[str], end: int = 2 * tarfile.BLOCKSIZE) -> Path:
    write_tar(path, [tar_members((name, name.encode() * 7) for name in names)], end=end)
    return path


def names_of(*keys: int, suffixes: tuple[str, ...] = SAMPLE) -> list[str]:
    return [f"{key:06d}.{suffix}" for key in keys for suffix in suffixes]


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return tmp_path / "data-000000.tar"


@pytest.mark.parametrize(
    "suffixes", [SAMPLE, (*SAMPLE, *LABELS), ("jpg", "json"), ("png", "json", "achieved.npy")]
)
def test_samples_come_back_in_order(shard: Path, suffixes: tuple[str, ...]) -> None:
    write(shard, names_of(3, 5, 6, suffixes=suffixes))
    found = list(read_shard(shard))
    assert [key for key, _ in found] == ["000003", "000005", "000006"]
    for key, members in found:
        assert list(members) == list(suffixes)
        assert members["json"] == f"{key}.json".encode() * 7


@pytest.mark.parametrize("end", [2 * tarfile.BLOCKSIZE, SHARD_END])
@pytest.mark.parametrize("keys", [(), (3, 5)])
def test_shards_end_in_either_way(shard: Path, keys: tuple[int, ...], end: int) -> None:
    write(shard, names_of(*keys), end)
    assert [int(key) for key, _ in read_shard(shard)] == list(keys)
    shard.write_bytes(shard.read_bytes() + bytes(2 * tarfile.RECORDSIZE))
    with pytest.raises(UserError, match="damaged after its last readable member"):
        list(read_shard(shard))


def test_a_shard_is_not_taken_for_the_zip_in_it(shard: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, world=np.zeros((68, 3), np.float32))
    for end, is_zip in ((2 * tarfile.BLOCKSIZE, True), (SHARD_END, False)):
        write_tar(shard, [tar_members([("000001.landmarks.npz", buffer.getvalue())])], end=end)
        assert zipfile.is_zipfile(shard) == is_zip and tarfile.is_tarfile(shard)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (names_of(1, 1), "000001.png twice or out of order"),
        (names_of(2, 1), "sample 000001 after 000002"),
        ([*names_of(1, 2), "000001.uv.png"], "sample 000001 after 000002"),
        (["000001.json", "000001.png"], "000001.png twice or out of order"),
        (["000001.png", "000001.jpg", "000001.json"], "with 2 images"),
        (["000001.png"], "without its record"),
        (["000001.json"], "with 0 images"),
        ([*names_of(1), "000001.depth.png"], "with depth.png only"),
        (["readme.txt"], "holds 'readme.txt', which is no part of a sample"),
        (["000001.exr"], "holds '000001.exr'"),
        (["1.png", "1.json"], "holds '1.png'"),
        (["a/000001.png"], "holds 'a/000001.png'"),
    ],
)
def test_what_is_never_written_is_named(shard: Path, names: list[str], message: str) -> None:
    write(shard, names)
    with pytest.raises(UserError, match=rf"data-000000\.tar .*{message}.*make this shard again"):
        list(read_shard(shard))


def test_a_link_or_folder_is_named(shard: Path) -> None:
    with tarfile.open(shard, "w") as archive:
        folder = tarfile.TarInfo("000001.png")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    with pytest.raises(UserError, match=r"'000001\.png', which is no file"):
        list(read_shard(shard))


def test_a_shard_cut_off_anywhere_is_named(shard: Path) -> None:
    whole = write(shard, names_of(1, 2)).read_bytes()
    for end in [*range(0, len(whole), 256), len(whole) - 1]:
        shard.write_bytes(whole[:end])
        with pytest.raises(UserError, match=r"data-000000\.tar is truncated"):
            list(read_shard(shard))


def test_what_follows_the_end_is_named(shard: Path) -> None:
    whole = write(shard, names_of(1)).read_bytes()
    for more in (b"x", b"x" * 512, bytes(512), bytes(tarfile.RECORDSIZE * 2)):
        shard.write_bytes(whole + more)
        with pytest.raises(UserError, match="truncated or damaged after its last readable member"):
            list(read_shard(shard))


@settings(deadline=None)  # which a busy machine does not keep
@given(place=st.integers(0, 8 * 1024 - 1), value=st.integers(1, 255))
def test_a_flipped_byte_never_hides_a_member(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int
) -> None:
    """In a header it is an error; in a content it changes that content, which sha256 tells."""
    shard = tmp_path_factory.mktemp("shard") / "data-000000.tar"
    whole = write(shard, names_of(1, 2)).read_bytes()
    sound = list(read_shard(shard))
    broken = bytearray(whole)
    broken[place] ^= value
    shard.write_bytes(broken)
    try:
        found = list(read_shard(shard))
    except UserError as error:
        assert "data-000000.tar" in str(error)
    else:
        assert [(key, list(members)) for key, members in found] == [
            (key, list(members)) for key, members in sound
        ]


def test_no_shard_at_all_is_named(shard: Path) -> None:
    with pytest.raises(UserError, match=r"data-000000\.tar is missing"):
        list(read_shard(shard))
    shard.mkdir()
    with pytest.raises(UserError, match=r"data-000000\.tar cannot be read"):
        list(read_shard(shard))
    shard.rmdir()
    shard.write_bytes(b"")
    with pytest.raises(UserError, match=r"data-000000\.tar is truncated or no tar"):
        list(read_shard(shard))
    shard.write_bytes(b"not a tar at all" * 1000)
    with pytest.raises(UserError, match=r"data-000000\.tar is truncated or no tar"):
        list(read_shard(shard))
