# SPDX-License-Identifier: GPL-3.0-or-later
"""Before a run begins: are all pictures whole, and are they those that it began with?"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from batch.dataset.recipe import Recipe
from batch.dataset.recipe_files import NamedFiles
from batch.dataset.recipe_tables import FILE_KEYS
from facegen_addon.errors import UserError
from facegen_addon.scene.render.picture_file import (
    DamagedPicture,
    can_decode_side_by_side,
    decode,
    environment_problem,
)
from facegen_addon.terminal.progress import QUIET, ProgressBar
from facegen_addon.terminal.silence import libraries_silent

_SHOWN = 3  # files that an error names
_MOST_THREADS = 8  # each holds a decoded picture, and environments are large


def check_pictures(recipe: Recipe) -> None:
    """Decode every HDRI and background; UserError, one line, that names those of no use."""
    hdri, pictures = recipe.light.hdri, recipe.background.pictures
    flaws: dict[str, str] = {}
    jobs: list[tuple[str, Path, Callable[[Path], str]]] = []
    for files, problem in ((hdri, _environment_problem), (pictures, _picture_problem)):
        if files is not None:
            flaws |= {_shown(files, name): flaw for name, flaw in files.flaws.items()}
            sound = [name for name in files.names if name not in files.flaws]
            jobs += [(_shown(files, name), files.path(name), problem) for name in sound]
    count = len(flaws) + len(jobs)
    flaws |= _decoded(jobs)
    if flaws:
        texts = [f"{name} {flaw}" for name, flaw in sorted(flaws.items())]
        raise UserError(
            f"{recipe.origin}: {len(flaws)} of {count} pictures cannot be used"
            f" ({_first(texts)}); repair them, or take them out of their folder"
        )


def check_same_files(recipe: Recipe, noted: Mapping[str, Any], output: Path) -> None:
    """UserError, with what to restore, unless a recipe's files are those of the run in `output`.

    noted: the run's own recipe, plain.
    """
    changes: list[str] = []
    for table, key in FILE_KEYS:
        files, before = getattr(getattr(recipe, table), key), noted.get(table, {}).get(key)
        if files is not None and isinstance(before, Mapping):
            changes += _changes(files, before)
    if changes:
        raise UserError(
            f"{output} holds a run that began with other files: {_first(changes)}; then --resume"
            " goes on; or add --replace to start anew, or name another --output"
        )


def _changes(files: NamedFiles, before: Mapping[str, str]) -> Iterator[str]:
    """Remedies, file by file, that bring back the files a run began with."""
    for name, sha256 in before.items():
        if files.sha256.get(name) != sha256:
            what = "was changed" if name in files.sha256 else "is gone"
            yield f"{_shown(files, name)} {what}, restore the file of sha256 {sha256}"
    for name in files.sha256:
        if name not in before:
            yield f"{_shown(files, name)} is new, take it out"


def _decoded(jobs: Sequence[tuple[str, Path, Callable[[Path], str]]]) -> dict[str, str]:
    """Name -> what is wrong, of the files that are of no use."""
    if not jobs:
        return {}
    threads = min(_MOST_THREADS, os.cpu_count() or 1) if can_decode_side_by_side() else 1
    with libraries_silent() as stream, contextlib.closing(ProgressBar(stream, QUIET)) as bar:
        pool = ThreadPoolExecutor(threads)
        try:
            found = []
            for problem in pool.map(lambda job: job[2](job[1]), jobs):
                found.append(problem)
                bar.update("decode pictures", len(found), len(jobs))
        finally:  # Ctrl-C does not wait for thousands
            pool.shutdown(cancel_futures=True)
    return {name: flaw for (name, _, _), flaw in zip(jobs, found, strict=True) if flaw}


def _picture_problem(path: Path) -> str:
    try:
        decode(path)
    except DamagedPicture as error:
        return str(error)
    return ""


def _environment_problem(path: Path) -> str:
    try:
        return environment_problem(decode(path))
    except DamagedPicture as error:
        return str(error)


def _shown(files: NamedFiles, name: str) -> str:
    """A file as the recipe's reader knows it."""
    path = f"{files.written.rstrip('/')}/{name}"
    return path if path.isprintable() else ascii(path)


def _first(texts: Sequence[str]) -> str:
    more = len(texts) - _SHOWN
    return "; ".join([*texts[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])
