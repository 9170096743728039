# SPDX-License-Identifier: GPL-3.0-or-later
"""Caches in the user's folder that may be deleted: they are made again when needed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from .errors import UserError
from .user_folder import user_folder

CACHES = ("flame", "dressing", "thumbnails", "ranking", "skin", "layouts")
"""Folders of the user's folder that hold copies: loaded FLAME files, their dressing, pictures; and
what is computed in a minute: rankings of sliders, maps of skin.

All others hold work: presets, trained models, measured influence, FaceNet.
"""


@dataclass(frozen=True)
class FolderSize:
    """Bytes below the user's folder, and how many of them are caches."""

    total: int
    caches: int


def folder_size() -> FolderSize:
    """Measure the user's folder; zero where it does not exist."""
    caches = sum(_bytes_below(user_folder() / name) for name in CACHES)
    return FolderSize(_bytes_below(user_folder()), caches)


def clear_caches() -> int:
    """Delete the caches, nothing else; bytes freed. UserError if a file cannot be deleted."""
    freed = 0
    for folder in (user_folder() / name for name in CACHES):
        size = _bytes_below(folder)
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            # Of a link Python says no reason but its first argument, and until 3.12 no place.
            place, reason = error.filename or folder, error.strerror or error.args[0]
            raise UserError(f"{place} cannot be deleted ({reason}): close what uses it") from None
        freed += size
    return freed


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            if path.is_file() and not path.is_symlink():
                total += path.stat().st_size
        except OSError:  # deleted meanwhile
            continue
    return total
