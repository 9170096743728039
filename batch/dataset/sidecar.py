# SPDX-License-Identifier: GPL-3.0-or-later
"""A complete shard: what stands beside it, and its samples, each checked against it."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from batch.dataset.run_folder import RunFolder, key_of
from batch.dataset.sample import StoredSample, read_sample
from batch.dataset.shard_file import read_shard
from facegen_addon.errors import UserError

_REMEDY = (
    "remove both of its files and make them again by `dataset make --resume`, or bring both here"
    " again"
)


@dataclass(frozen=True)
class ShardSummary:
    """A sidecar in few bytes, however many samples its shard has.

    samples: how many are there; rejected: how many draws of theirs were; the rest as in a Sidecar.
    """

    shard: int
    file: str
    bytes: int
    sha256: str
    samples: int
    rejected: int
    failed: Sequence[Mapping[str, Any]]
    checked: Mapping[str, Any]
    device: str


@dataclass(frozen=True)
class Sidecar:
    """The contents of the JSON file beside a shard.

    attempts: number of each sample that is there -> how many times it was drawn anew; failed:
    index, seed and reason of each that is not; checked: how many the label check looked at
    (samples) and what it found at worst (worst_depth_mm, None if nothing was compared).
    """

    shard: int
    file: str
    bytes: int
    sha256: str
    attempts: Mapping[int, int]
    failed: Sequence[Mapping[str, Any]]
    checked: Mapping[str, Any]
    device: str

    @property
    def summary(self) -> "ShardSummary":
        """What is kept of it while a run's shards are gone through."""
        return ShardSummary(
            shard=self.shard,
            file=self.file,
            bytes=self.bytes,
            sha256=self.sha256,
            samples=len(self.attempts),
            rejected=sum(self.attempts.values()),
            failed=self.failed,
            checked=self.checked,
            device=self.device,
        )

    @classmethod
    def read(cls, run: RunFolder, shard: int) -> "Sidecar":
        """UserError, naming the file, if it is missing, damaged, or another run's."""
        path = run.sidecar(shard)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{path} is missing: {_REMEDY}") from None
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror}): {_REMEDY}") from None
        except ValueError as error:
            _fail(path, f"is no JSON ({error})")
        if not isinstance(found, dict) or found.get("format") != run.format:
            _fail(path, f"is not of format {run.format}")
        if found.get("run") != run.digest:
            _fail(path, f"belongs to another run ({str(found.get('run'))[:12]}...)")
        if (found.get("shard"), found.get("file")) != (shard, run.tar(shard).name):
            _fail(path, "is about another shard")
        return _parsed(found, run.indices(shard), path)

    def check_file(self, run: RunFolder) -> None:
        """UserError if the shard itself is not the file that this stands beside."""
        path = run.tar(self.shard)
        try:
            size = path.stat().st_size
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except FileNotFoundError:
            raise UserError(f"{path} is missing: {_REMEDY}") from None
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror}): {_REMEDY}") from None
        if size != self.bytes:
            _fail(path, f"has {size} bytes, not {self.bytes}")
        if digest != self.sha256:
            _fail(path, "is damaged: its sha256 is not the one noted beside it")

    def samples(self, run: RunFolder) -> Iterator[StoredSample]:
        """The samples of the shard, in order; UserError if they are not those noted here."""
        path = run.tar(self.shard)
        expected = iter(self.attempts.items())
        for key, members in read_shard(path):
            index, attempt = next(expected, (None, None))
            if index is None or key != key_of(index):
                _fail(path, f"has sample {key}, which is not noted beside it")
            sample = read_sample(run, key, members, str(path))
            if sample.record["attempt"] != attempt:
                _fail(path, f"has another attempt of sample {key} than is noted beside it")
            yield sample
        rest = next(expected, None)
        if rest is not None:
            _fail(path, f"lacks sample {key_of(rest[0])}, which is noted beside it")


def _parsed(found: Mapping[str, Any], indices: range, path: Path) -> Sidecar:
    try:
        sidecar = Sidecar(
            shard=found["shard"],
            file=found["file"],
            bytes=int(found["bytes"]),
            sha256=str(found["sha256"]),
            attempts={int(one["index"]): int(one["attempt"]) for one in found["samples"]},
            failed=[
                {"index": int(one["index"]), "seed": _seed(one), "reason": str(one["reason"])}
                for one in found["failed"]
            ],
            checked=_checked(found["checked"]),
            device=str(found["device"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        _fail(path, f"lacks something or has it wrong ({error})")
    everyone = [*sidecar.attempts, *(one["index"] for one in sidecar.failed)]
    twice = len(sidecar.attempts) != len(found["samples"])
    if twice or list(sidecar.attempts) != sorted(sidecar.attempts):
        _fail(path, "names samples twice or out of order")
    if sorted(everyone) != list(indices):
        _fail(path, f"does not account for samples {indices.start} to {indices.stop - 1}")
    return sidecar


def _seed(failure: Mapping[str, Any]) -> list[int]:
    seed, index, attempt = map(int, failure["seed"])
    return [seed, index, attempt]


def _checked(found: Mapping[str, Any]) -> dict[str, Any]:
    worst = found["worst_depth_mm"]
    return {
        "samples": int(found["samples"]),
        "worst_depth_mm": None if worst is None else float(worst),
    }


def _fail(path: Path, what: str) -> NoReturn:
    raise UserError(f"{path} {what}: {_REMEDY}")
