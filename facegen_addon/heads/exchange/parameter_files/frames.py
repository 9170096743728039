# SPDX-License-Identifier: GPL-3.0-or-later
"""Several tables as the rows of one: frames in a file, or a folder of one file a frame."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import UserError
from .containers import read_content
from .layouts import VIDEO_TRACKERS
from .tables import Table, listed, parameter_keys, read_table

_SUFFIXES = (".npz", ".npy", ".frame", ".json", ".pkl", ".pt", ".pth", ".mat")
_Frames = dict[str, Mapping[Any, Any]]


def frames_in(content: Any) -> _Frames | None:
    """The frames, or heads, of a file by name, each with the entries that all share; None if none.

    They come as a list of tables, as a table of tables, or as IMavatar has them: under `frames`,
    beside the shape.
    """
    listed_frames = _listed(content)
    if listed_frames or not isinstance(content, Mapping):
        return listed_frames
    if isinstance(content.get("flame"), Mapping):
        return None
    below = content.get("frames")
    if isinstance(below, Mapping):
        inner = _tables_in(below)
    elif "frames" in content:
        inner = _listed(below) or {}
    else:
        inner = {} if parameter_keys() & content.keys() else _tables_in(content)
    if not inner:
        return None
    shared = {key: value for key, value in content.items() if key != "frames" and key not in inner}
    return {name: {**shared, **frame} for name, frame in inner.items()}


def _listed(content: Any) -> _Frames | None:
    """The tables of a list, by number; None if it is another list, or none."""
    if isinstance(content, np.ndarray) and content.dtype.hasobject and content.ndim == 1:
        content = content.tolist()
    if not isinstance(content, (list, tuple)) or not content:
        return None
    if not all(isinstance(frame, Mapping) for frame in content):
        return None
    return {str(number): frame for number, frame in enumerate(content)}


def _tables_in(content: Mapping[Any, Any]) -> _Frames:
    """Those entries of a table that are tables of parameters, in the order of their numbers."""
    found = {
        str(key): value for key, value in content.items()
        if isinstance(value, Mapping) and parameter_keys() & value.keys()
    }  # fmt: skip
    return dict(sorted(found.items(), key=lambda item: natural(item[0])))


def natural(name: str) -> list[tuple[int, str]]:
    """A key to sort names by, so that 10 comes after 9."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def read_frames(frames: _Frames, source: str) -> Table:
    """Read the frames of one file as the rows of one table."""
    return joined({
        f"{source}, frame {name}": read_table(frame, f"{source}, frame {name}")
        for name, frame in frames.items()
    })  # fmt: skip


def numbered_files(folder: Path) -> list[Path]:
    """The parameter files of a folder whose names are numbers (or end in one), in their order."""
    found = [
        file for file in folder.iterdir()
        if file.suffix in _SUFFIXES and re.fullmatch(r".*\d", file.stem) and file.is_file()
    ]  # fmt: skip
    return sorted(found, key=lambda file: natural(file.stem))


def read_files(files: Sequence[Path]) -> Table:
    """Read files, one a frame, as the rows of one table."""
    tables = {}
    for file in files:
        content = read_content(file)
        if not isinstance(content, Mapping):
            raise UserError(f"{file} holds no table of parameters; give the folder of those alone")
        tables[str(file)] = read_table(content, str(file))
    return joined(tables)


def joined(tables: Mapping[str, Table]) -> Table:
    """Join tables of one convention, one after the other; errors call them by their keys."""
    first, *_ = tables.values()
    for source, table in tables.items():
        if table.convention != first.convention:
            raise UserError(
                f"{source} is {table.convention}'s, those before are {first.convention}'s; give"
                " files of one program"
            )
        missing = first.keys.keys() ^ table.keys.keys()
        if missing:
            names = {first.keys.get(name) or table.keys[name] for name in missing}
            raise UserError(f"{source} and those before do not both have {listed(names)}")
        for name, rows in table.values.items():
            if rows.shape[1] != first.values[name].shape[1]:
                raise UserError(
                    f"{source}: {table.keys[name]} has {rows.shape[1]} values a head, those before"
                    f" {first.values[name].shape[1]}"
                )
    parts = [_rectangular(table) for table in tables.values()]
    values = {name: np.concatenate([part[name] for part in parts]) for name in first.values}
    warnings = dict.fromkeys(line for table in tables.values() for line in table.warnings)
    video = len(tables) > 1 and first.convention in VIDEO_TRACKERS
    betas = values.get("betas", np.zeros((1, 0)))
    if video and (betas != betas[0]).any():
        warnings[f"{first.keys['betas']} differs between the frames of one head"] = None
    return Table(
        first.convention,
        values,
        first.keys,
        set().union(*(table.ignored for table in tables.values())),
        list(warnings),
        next((table.fps for table in tables.values() if table.fps), None),
        video,
    )


def _rectangular(table: Table) -> dict[str, Any]:
    """A table's rows by name, as many of each: one row that serves all heads is repeated."""
    count = max(len(rows) for rows in table.values.values())
    return {
        name: np.repeat(rows, count, axis=0) if len(rows) == 1 else rows
        for name, rows in table.values.items()
    }
