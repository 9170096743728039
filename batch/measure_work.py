# SPDX-License-Identifier: GPL-3.0-or-later
"""The unfinished work of `measure`, chunk by chunk in its output folder, so that it can go on."""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from batch.lock import only_one
from batch.output import check_output
from facegen_addon.arrays import AnyArray, BoolArray, Float32Array
from facegen_addon.artifacts import read_npz
from facegen_addon.atomic_file import replacing
from facegen_addon.errors import UserError
from facegen_addon.mapping.roundtrip import Iterated, Roundtrip

CHUNK = 8
"""Latents a file: what a killed run loses at most, by each worker. B is asked for a chunk at once,
so results do not depend on who measures it."""

_FOLDER, _SETTINGS, _LATENTS, _LOCK = "work", "settings.json", "latents.npz", "lock"
_OURS = re.compile(r"settings\.json|latents\.npz|lock|chunk_\d+\.npz|\.facegen-.*")
_FORMAT = {"format of the work": 1}
"""Goes up with every change of what a chunk holds, or how it is measured."""
_WANTED = "wanted"
"""Array of a chunk: the latents that it is of."""


@dataclass(frozen=True)
class Measured:
    """All that was measured.

    iterated: the steps of the heads reported; before: heads without any correction, None where
    none were rendered; usable (N,): False where any head of a latent showed no face.
    """

    iterated: Iterated
    before: Roundtrip | None
    usable: Annotated[BoolArray, "N"]

    @property
    def after(self) -> Roundtrip:
        """The heads reported."""
        return self.iterated.final


@dataclass(frozen=True)
class Work:
    """folder: where it lies; latents (N, 512) to be measured."""

    folder: Path
    latents: Annotated[Float32Array, "N 512"]

    @classmethod
    @contextlib.contextmanager
    def begin(
        cls,
        output: Path,
        settings: Mapping[str, Any],
        latents: Annotated[Float32Array, "N 512"],
        replace: bool,
    ) -> Iterator["Work"]:
        """Begin in `output`, or go on with what lies there; no other process can meanwhile.

        settings: plain data that decides the results. UserError if `output` cannot become a folder
        of results, or work of other settings lies there and is not to be replaced.
        """
        folder = output / _FOLDER
        begun = os.path.isdir(folder)  # never raises, whatever the disk thinks of the path
        if begun and not _is_ours(folder):
            raise UserError(f"{folder} holds what is not FaceGen's; name another --output")
        check_output(output, replace, besides=[_FOLDER] if begun else [])
        settings = {**settings, **_FORMAT}
        with only_one(folder / _LOCK):
            problem = _difference(folder, settings) if (folder / _SETTINGS).is_file() else ""
            if problem and not replace:
                raise UserError(f"{folder} holds work {problem}, or add --replace to start anew")
            if problem:
                _clear(folder)
            if not (folder / _SETTINGS).is_file():
                _save(folder / _LATENTS, {"latents": latents})
                with replacing(folder / _SETTINGS) as partial:
                    partial.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
            yield cls(folder, latents)

    @classmethod
    def open(cls, output: Path) -> "Work":
        """Work that another process has begun."""
        folder = output / _FOLDER
        return cls(folder, read_npz(folder / _LATENTS)["latents"])

    def __len__(self) -> int:
        """How many chunks there are."""
        return -(-len(self.latents) // CHUNK)

    def part(self, chunk: int) -> Annotated[Float32Array, "n 512"]:
        """The latents of a chunk, (n, 512)."""
        return self.latents[chunk * CHUNK : (chunk + 1) * CHUNK]

    def pending(self) -> list[int]:
        """Chunks that are not done; a damaged one is none."""
        return [chunk for chunk in range(len(self)) if not self._is_done(chunk)]

    def write(self, chunk: int, iterated: Iterated, before: Iterated | None) -> None:
        """Keep what was measured of a chunk, at once or not at all."""
        # What was measured is normalised once more, which can change a last bit.
        arrays = {**vars(iterated), _WANTED: self.part(chunk)}
        if before is not None:
            arrays |= {
                "before_achieved": before.final.achieved,
                "before_parameters": before.final.parameters,
                "before_usable": before.usable,
            }
        _save(self._path(chunk), arrays)

    def collect(self) -> Measured:
        """All chunks in their order."""
        chunks = [read_npz(self._path(chunk)) for chunk in range(len(self))]
        # Of steps, latents are the second axis.
        joined = {
            key: np.concatenate(
                [chunk[key] for chunk in chunks],
                axis=1 if key in ("asked", "achieved", "parameters") else 0,
            )
            for key in chunks[0]
        }
        iterated = Iterated(**{field.name: joined[field.name] for field in fields(Iterated)})
        usable = iterated.usable
        if "before_usable" in joined:
            usable = usable & joined["before_usable"]
            before = Roundtrip(
                iterated.requested, joined["before_achieved"], joined["before_parameters"]
            )
            return Measured(iterated, before, usable)
        several = len(iterated.achieved) > 1
        return Measured(iterated, iterated.step(0) if several else None, usable)

    def _is_done(self, chunk: int) -> bool:
        try:
            stored = read_npz(self._path(chunk))
        except UserError:
            return False
        return np.array_equal(stored.get(_WANTED, []), self.part(chunk))

    def _path(self, chunk: int) -> Path:
        return self.folder / f"chunk_{chunk:05d}.npz"


def _is_ours(folder: Path) -> bool:
    """Whether a folder can only be one of Work, which writes its latents before all else."""
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError:
        return False
    begun = names & {_SETTINGS} or any(name.startswith("chunk_") for name in names)
    return all(map(_OURS.fullmatch, names)) and (_LATENTS in names or not begun)


def _clear(folder: Path) -> None:
    """Remove chunks, settings first: without these there is no work to go on with."""
    (folder / _SETTINGS).unlink()
    for path in folder.iterdir():
        if path.name not in (_LOCK, _LATENTS):
            path.unlink()


def _difference(folder: Path, settings: Mapping[str, Any]) -> str:
    """In words what differs between the work in `folder` and `settings`; empty if nothing does."""
    try:
        former = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
        read_npz(folder / _LATENTS)["latents"]
    except (OSError, ValueError, KeyError, UserError):
        return "that is damaged: remove it"
    if not isinstance(former, dict):
        return "that is damaged: remove it"
    changes = [
        f"{name} {former.get(name)} -> {value}"
        for name, value in settings.items()
        if former.get(name) != value
    ]
    if not changes:
        return ""
    return f"of other settings ({', '.join(changes)}): go on with the former ones"


def _save(path: Path, arrays: Mapping[str, AnyArray]) -> None:
    with replacing(path) as partial:
        np.savez(partial, **arrays)  # type: ignore[arg-type]
