# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a data set: what run it is of, and its shards. Any number of machines fill one."""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch.dataset.bytes_format import decisive, other_format
from batch.lock import only_one
from batch.output import check_output
from batch.shards import encode_json
from facegen_addon.atomic_file import replacing
from facegen_addon.errors import UserError

FORMAT = 2
"""Of run.json, sidecars and records; goes up with every change of what they hold.

1: members and values that a sample does not have were left out or null; 2: see latents, record.
"""
_READABLE = (1, FORMAT)
RUN_FILE, RECIPE_FILE, WORK_FOLDER = "run.json", "recipe.toml", "work"
_CLOSING = ("index.json", "table.parquet", "croissant.json", "README.md", "contact_sheet.png")
_SHARD = re.compile(r"data-\d{6}\.(tar|json)")


def digest_of(request: Mapping[str, Any]) -> str:
    """sha256 of plain data, whatever the order of its keys."""
    text = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def key_of(index: int) -> str:
    """The name of a sample in its shard."""
    return f"{index:06d}"


@dataclass(frozen=True)
class RunFolder:
    """path: where it lies; run: what run.json holds."""

    path: Path
    run: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """The folder of a run that has begun; UserError if it is none, or is damaged."""
        file = path / RUN_FILE
        try:
            run = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(
                f"{path} holds no data set (no {RUN_FILE}): name the folder that"
                " `dataset make` made"
            ) from None
        except (OSError, ValueError) as error:
            raise UserError(f"{file} cannot be read ({error}): restore it") from None
        if not isinstance(run, dict) or run.get("format") not in _READABLE:
            formats = " or ".join(map(str, _READABLE))
            raise UserError(f"{file} is not of format {formats}: use the FaceGen that made it")
        if run.get("digest") != digest_of(run.get("request") or {}):
            raise UserError(f"{file} was changed: it does not fit its own digest; restore it")
        if not isinstance(run.get("parameters"), list):
            raise UserError(f"{file} lacks the table of the head model's parameters; restore it")
        return cls(path, run)

    @classmethod
    def begin(
        cls,
        path: Path,
        request: Mapping[str, Any],
        parameters: Sequence[Mapping[str, Any]],
        recipe: str,
        *,
        replace: bool,
    ) -> "RunFolder":
        """Begin a run, or go on with this very run where it has begun.

        request: plain data that decides every sample; parameters: the model's table; recipe: the
        resolved recipe as TOML. UserError, naming what differs, if the folder is another run's and
        is not to be replaced, or holds other things.
        """
        if not os.path.isfile(path / RUN_FILE):  # False, too, where the disk refuses to look
            # Another task may begin the same run at this very moment.
            check_output(path, replace=False, besides=[WORK_FOLDER, RUN_FILE, RECIPE_FILE])
        elif replace:
            _clear(path)
        run = {
            "format": FORMAT,
            "digest": digest_of(request),
            "request": request,
            "parameters": list(parameters),
        }
        _write_once(path / RUN_FILE, encode_json(run))
        _write_once(path / RECIPE_FILE, recipe.encode())
        folder = cls.open(path)
        if folder.format != FORMAT:
            raise UserError(
                f"{path} holds a run of format {folder.format}, and {FORMAT} is written now: go on"
                " with the FaceGen that made it, name another --output, or add --replace to start"
                " anew"
            )
        folder._require(request)
        return folder

    def _require(self, request: Mapping[str, Any]) -> None:
        other = other_format(self.request, request)
        if other:
            raise UserError(
                f"{self.path} cannot be gone on with here ({other}): go on with the FaceGen that"
                " began it, name another --output, or add --replace to start anew"
            )
        wanted = json.loads(encode_json(request))
        changes = list(_changes(decisive(self.request), decisive(wanted)))
        if changes:
            raise UserError(
                f"{self.path} holds another run ({'; '.join(changes[:4])}): go on with its"
                " settings, name another --output, or add --replace to start anew"
            )

    @property
    def format(self) -> int:
        """Format of all its files: FORMAT, or an earlier one that can be read."""
        return int(self.run["format"])

    @property
    def digest(self) -> str:
        """The sha256 of its request, by which its shards refer to it."""
        return str(self.run["digest"])

    @property
    def request(self) -> Mapping[str, Any]:
        """Plain data that decides the samples."""
        request: Mapping[str, Any] = self.run["request"]
        return request

    @property
    def shard_count(self) -> int:
        """Number of shards of the whole run."""
        return -(-int(self.request["count"]) // int(self.request["shard_size"]))

    def indices(self, shard: int) -> range:
        """The samples of a shard."""
        size, count = int(self.request["shard_size"]), int(self.request["count"])
        return range(shard * size, min((shard + 1) * size, count))

    def tar(self, shard: int) -> Path:
        """Path of a shard once it is complete."""
        return self.path / f"data-{shard:06d}.tar"

    def sidecar(self, shard: int) -> Path:
        """Path of a shard's sidecar."""
        return self.tar(shard).with_suffix(".json")

    def work(self, shard: int) -> Path:
        """Folder of the samples of an unfinished shard."""
        return self.path / WORK_FOLDER / self.tar(shard).stem

    def has_begun(self, shard: int) -> bool:
        """Whether any file of a shard is there."""
        return self.tar(shard).exists() or any(self.work(shard).glob("*.part"))

    def remove_work(self) -> None:
        """Remove the folder of unfinished work if nothing is left in it."""
        work = self.path / WORK_FOLDER
        with contextlib.suppress(OSError):
            for leftover in work.glob(".facegen-*"):  # of one killed while it began the run
                leftover.unlink()
            work.rmdir()


def _write_once(path: Path, data: bytes) -> None:
    """Write a file that another task may be writing at this moment, with the same content."""
    if path.exists():
        return
    with replacing(path, durable=True, scratch=path.parent / WORK_FOLDER) as partial:
        partial.write_bytes(data)


def _clear(path: Path) -> None:
    """Remove a run, and nothing else that may lie in its folder.

    UserError, before anything is removed, if a process is at work on it, or if the disk refuses.
    """
    for folder in (path / WORK_FOLDER).glob("data-*"):
        with only_one(folder / "lock"):
            pass
    try:
        for file in path.iterdir():
            if file.name in _CLOSING or _SHARD.fullmatch(file.name):
                file.unlink()
        shutil.rmtree(path / WORK_FOLDER, ignore_errors=True)
        for name in (RECIPE_FILE, RUN_FILE):
            (path / name).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"--replace: {error.filename} cannot be removed ({error.strerror}); name another"
            " --output"
        ) from None


def _changes(former: Any, value: Any, name: str = "") -> Iterator[str]:
    """Differences between two pieces of plain data, as "recipe.image.size 64 -> 128"."""
    if isinstance(former, dict) and isinstance(value, dict):
        for key in dict.fromkeys([*former, *value]):
            yield from _changes(former.get(key), value.get(key), f"{name}.{key}".lstrip("."))
    elif former != value:
        yield f"{name} {_short(former)} -> {_short(value)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
