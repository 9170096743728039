# SPDX-License-Identifier: GPL-3.0-or-later
import errno
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from batch import shards
from batch.shards import Sample, write_shards
from facegen_addon import atomic_file
from facegen_addon.errors import UserError


def _samples(count: int) -> list[Sample]:
    return [
        Sample(
            key=f"{number:06d}",
            image=b"image %d" % number,
            record={"seed": number, "parameters": {"nose_width": 0.25}},
            latents={"achieved": np.full(512, number, np.float32)},
        )
        for number in range(count)
    ]


def test_members_carry_image_record_and_latent(tmp_path: Path) -> None:
    (path,) = write_shards(tmp_path, _samples(2))
    with tarfile.open(path) as archive:
        names = archive.getnames()
        assert names[:3] == ["000000.png", "000000.json", "000000.achieved.npy"]
        member = {name: archive.extractfile(name).read() for name in names}
    record = json.loads(member["000001.json"])
    assert record["seed"] == 1
    assert record["image_sha256"] == hashlib.sha256(member["000001.png"]).hexdigest()
    latent = np.load(io.BytesIO(member["000001.achieved.npy"]))
    assert latent.dtype == np.float32 and (latent == 1).all()


def test_equal_samples_make_equal_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (path,) = write_shards(tmp_path / name, _samples(3))
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_large_sets_are_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "HEADS_PER_SHARD", 2)
    paths = write_shards(tmp_path, _samples(5))
    assert [path.name for path in paths] == [f"heads-{i:06d}.tar" for i in range(3)]
    keys = []
    for path in paths:
        with tarfile.open(path) as archive:
            keys.append([name[:6] for name in archive.getnames() if name.endswith(".png")])
    assert keys == [["000000", "000001"], ["000002", "000003"], ["000004"]]


def test_nothing_half_written_appears_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(atomic_file.os, "fsync", lambda _: (_ for _ in ()).throw(full))
    with pytest.raises(UserError, match=r"heads-000000\.tar cannot be written \(No space left"):
        write_shards(tmp_path, _samples(1))
    assert not list(tmp_path.iterdir())
