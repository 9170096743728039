# SPDX-License-Identifier: GPL-3.0-or-later
"""Data set shards in WebDataset's form: tar files whose members share a key for each sample."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADS_PER_SHARD = 1000


@dataclass(frozen=True)
class Sample:
    """One head of the data set.

    image: PNG bytes; record: its label, plain data for JSON; latents: name -> (D,) float32.
    """

    key: str
    image: bytes
    record: Mapping[str, Any]
    latents: Mapping[str, NDArray[np.float32]]


def write_shards(
    folder: Path,
    samples: Iterable[Sample],
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write `heads-000000.tar`, ... with at most 1,000 samples each; equal samples, equal bytes.

    Members: KEY.png, KEY.json (with the image's sha256), KEY.NAME.npy for each latent. A shard
    appears under its name only when it is complete and on the disk. OSError if it cannot be.
    """
    shards: list[Path] = []
    pending: list[Sample] = []
    for done, sample in enumerate(samples, start=1):
        pending.append(sample)
        if len(pending) == HEADS_PER_SHARD:
            shards.append(_write_shard(folder, len(shards), pending))
            pending = []
        if progress:
            progress(done)
    if pending:
        shards.append(_write_shard(folder, len(shards), pending))
    return shards


def _write_shard(folder: Path, number: int, samples: list[Sample]) -> Path:
    path = folder / f"heads-{number:06d}.tar"
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for sample in samples:
                for name, data in _members(sample):
                    _add(archive, name, data)
        stream.flush()
        os.fsync(stream.fileno())
    partial.rename(path)
    return path


def _members(sample: Sample) -> Iterable[tuple[str, bytes]]:
    record = {**sample.record, "image_sha256": hashlib.sha256(sample.image).hexdigest()}
    yield f"{sample.key}.png", sample.image
    yield f"{sample.key}.json", (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()
    for name, latent in sample.latents.items():
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(latent, np.float32), allow_pickle=False)
        yield f"{sample.key}.{name}.npy", buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a member whose header depends on nothing but its name and size."""
    header = tarfile.TarInfo(name)
    header.size = len(data)
    header.mode = 0o644
    archive.addfile(header, io.BytesIO(data))
