# SPDX-License-Identifier: GPL-3.0-or-later
"""Data set shards in WebDataset's form: tar files whose members share a key for each sample."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import Float32Array, RealArray
from facegen_addon.atomic_file import replacing

HEADS_PER_SHARD = 1000


@dataclass(frozen=True)
class Sample:
    """One head of the variety.

    image: PNG bytes; record: its label, plain data for JSON; latents: name -> (D,) float32.
    """

    key: str
    image: bytes
    record: Mapping[str, Any]
    latents: Mapping[str, Annotated[Float32Array, "D"]]


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
    write_tar(path, (tar_members(_members(sample)) for sample in samples))
    return path


def _members(sample: Sample) -> Iterator[tuple[str, bytes]]:
    record = {**sample.record, "image_sha256": hashlib.sha256(sample.image).hexdigest()}
    yield f"{sample.key}.png", sample.image
    yield f"{sample.key}.json", encode_json(record)
    for name, latent in sample.latents.items():
        yield f"{sample.key}.{name}.npy", encode_npy(latent)


def encode_json(record: Mapping[str, Any]) -> bytes:
    """Plain data as a member's bytes."""
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()


def encode_npy(latent: Annotated[RealArray, "..."]) -> bytes:
    """An array as a member's bytes, in single precision."""
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(latent, np.float32), allow_pickle=False)
    return buffer.getvalue()


def tar_members(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Files (name, content) as a part of an archive: such parts, one after the other, make a tar.

    The headers depend on nothing but names and sizes.
    """
    return b"".join(piece for name, data in members for piece in _member(name, data))


def _member(name: str, data: bytes) -> Iterator[bytes]:
    header = tarfile.TarInfo(name)
    header.size = len(data)
    header.mode = 0o644
    yield header.tobuf(tarfile.USTAR_FORMAT)
    yield data
    yield bytes(-len(data) % tarfile.BLOCKSIZE)


def write_tar(
    path: Path,
    parts: Iterable[bytes],
    scratch: Path | None = None,
    end: int = 2 * tarfile.BLOCKSIZE,
) -> str:
    """Write an archive made of `tar_members`; sha256 of the file, which appears complete or not.

    `scratch`: a folder of the same disk for the unfinished file, instead of the file's own; `end`:
    how many zeros close it, at least. UserError if the disk refuses.
    """
    digest = hashlib.sha256()
    size = 0
    with replacing(path, durable=True, scratch=scratch) as partial, partial.open("wb") as stream:
        for part in parts:
            stream.write(part)
            digest.update(part)
            size += len(part)
        zeros = bytes(end + -(size + end) % tarfile.RECORDSIZE)
        stream.write(zeros)
        digest.update(zeros)
    return digest.hexdigest()
