# SPDX-License-Identifier: GPL-3.0-or-later
"""One shard while it is being made: each finished sample is a file of its own until all are there.

A killed run loses what was being rendered at that moment and nothing else: a sample's file appears
complete, its name has the hash of its content, and the shard is their concatenation.
"""

import contextlib
import hashlib
import io
import json
import logging
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from batch.dataset.run_folder import RunFolder, key_of
from batch.dataset.shard_file import SHARD_END
from batch.dataset.shard_state import problem_of, read_sidecar
from batch.lock import only_one
from batch.shards import encode_json, tar_members, write_tar
from facegen_addon.atomic_file import replacing
from facegen_addon.errors import UserError

logger = logging.getLogger("facegen_addon.dataset")

_SUFFIX = ".part"
_HASH_LENGTH = 16
Failure = dict[str, Any]
"""index, seed, reason, and `retry`: whether another run may fare better (a crash, a time-out)."""


class ShardWork:
    """The unfinished samples of one shard, for one process at a time; close it when done.

    UserError if another process is at work on the shard, or the disk refuses.
    """

    def __init__(self, run: RunFolder, number: int) -> None:
        self.run, self.number = run, number
        self.failed: dict[int, Failure] = {}
        self._folder = run.work(number)
        self._parts: dict[int, Path] = {}
        with contextlib.ExitStack() as lock:
            lock.enter_context(only_one(self._folder / "lock"))
            self._take_up()
            self._lock = lock.pop_all()

    def close(self) -> None:
        """Leave the shard to whoever wants it next."""
        self._lock.close()

    @property
    def missing(self) -> list[int]:
        """Samples that are neither there nor given up."""
        return [
            index
            for index in self.run.indices(self.number)
            if index not in self._parts and index not in self.failed
        ]

    def add(self, index: int, members: Sequence[tuple[str, bytes]]) -> None:
        """Keep a finished sample, its members (suffix, content) in their order."""
        key = key_of(index)
        part = tar_members((f"{key}.{suffix}", data) for suffix, data in members)
        self._keep(index, part)

    def _keep(self, index: int, part: bytes) -> None:
        name = f"{key_of(index)}-{self._hash(part)}{_SUFFIX}"
        with replacing(self._folder / name, durable=True) as partial:
            partial.write_bytes(part)
        self._parts[index] = self._folder / name

    def finish(self, device: str) -> dict[str, Any]:
        """Write the shard and its sidecar, remove the parts, and close; the sidecar."""
        assert not self.missing, "a shard is written once all its samples are there or given up"
        order = [i for i in self.run.indices(self.number) if i in self._parts]
        tar = self.run.tar(self.number)
        digest = write_tar(
            tar, (self._parts[i].read_bytes() for i in order), self._folder, SHARD_END
        )
        notes = [_note(self._parts[i].read_bytes()) for i in order]
        sidecar = {
            "format": self.run.format,
            "run": self.run.digest,
            "shard": self.number,
            "file": tar.name,
            "bytes": tar.stat().st_size,
            "sha256": digest,
            "samples": [
                {"key": key_of(i), "index": i, "attempt": note["attempt"]}
                for i, note in zip(order, notes, strict=True)
            ],
            "failed": [self.failed[i] for i in sorted(self.failed)],
            "checked": _checked([note["label_check"] for note in notes]),
            "device": device,
        }
        beside = self.run.sidecar(self.number)
        with replacing(beside, durable=True, scratch=self._folder) as partial:
            partial.write_bytes(encode_json(sidecar))
        # Another process that finds the shard complete may be removing it, too.
        shutil.rmtree(self._folder, ignore_errors=True)
        self.close()
        return sidecar

    def _take_up(self) -> None:
        """Find what an earlier process has left."""
        try:
            self._find_parts()
        except OSError as error:
            raise UserError(
                f"{error.filename or self._folder} cannot be read or removed ({error.strerror});"
                f" put that right, or remove {self._folder}"
            ) from None

    def _find_parts(self) -> None:
        for leftover in self._folder.glob(".facegen-*"):
            leftover.unlink()
        sidecar = read_sidecar(self.run, self.number)
        if sidecar is not None and not problem_of(self.run, self.number):
            self._unpack()
            self.failed = {int(f["index"]): f for f in sidecar["failed"] if not f.get("retry")}
        indices = self.run.indices(self.number)
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            key, _, digest = path.stem.partition("-")
            if key.isdigit() and int(key) in indices and self._hash(path.read_bytes()) == digest:
                self._parts[int(key)] = path
            else:
                logger.warning("%s is damaged: its sample is made again", path.name)
                path.unlink()

    def _hash(self, part: bytes) -> str:
        """Digest of a sample of this run; a sample that another run has left here has another."""
        return hashlib.sha256(self.run.digest.encode() + part).hexdigest()[:_HASH_LENGTH]

    def _unpack(self) -> None:
        """Take a complete shard apart again, since samples of it are to be tried once more."""
        for index, part in split_tar(self.run.tar(self.number)):
            self._keep(index, part)


def split_tar(path: Path) -> Iterator[tuple[int, bytes]]:
    """The samples (index, `tar_members`) of a sound shard."""
    with tarfile.open(path) as archive:
        members = archive.getmembers()
    starts: dict[str, int] = {}
    for member in members:
        starts.setdefault(member.name.partition(".")[0], member.offset)
    last = members[-1] if members else None
    end = 0 if last is None else last.offset_data + -(-last.size // 512) * 512
    ends = [*list(starts.values())[1:], end]
    with path.open("rb") as stream:
        for (key, start), stop in zip(starts.items(), ends, strict=False):
            stream.seek(start)
            yield int(key), stream.read(stop - start)


def _note(part: bytes) -> dict[str, Any]:
    """The entry of a sample beside its shard, from its record."""
    with tarfile.open(fileobj=io.BytesIO(part + bytes(2 * tarfile.BLOCKSIZE))) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(".json") else None
            if content is not None:
                record = json.load(content)
                return {"attempt": record["attempt"], "label_check": record["label_check"]}
    raise ValueError("a sample without its record")


def _checked(checks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Findings of the label check, over the samples that it looked at."""
    found = [check for check in checks if check["done"]]
    worst = max((check["worst_depth_mm"] for check in found), default=None)
    return {"samples": len(found), "worst_depth_mm": worst}
