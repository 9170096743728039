# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads pictures from files into Blender, the expected ones only, and keeps the last few."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy

from ...errors import UserError
from .picture_file import DamagedPicture, PictureTraits, picture_traits

_MAXIMUM_LOADED = 4  # at a time; a folder may hold thousands
_GO_ON = "then go on with the run"


@dataclass(frozen=True)
class LoadedPicture:
    """A picture in Blender. traits: how it is to be shown; state: of its file when it was read."""

    image: bpy.types.Image
    traits: PictureTraits
    state: tuple[int, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height when upright, pixels."""
        width, height = self.image.size
        return (height, width) if self.traits.is_sideways else (width, height)


class LoadedPictures:
    """The pictures that are loaded; close when done.

    expected: path -> sha256 of all files that may be loaded; None for any.
    """

    def __init__(self) -> None:
        self.expected: Mapping[str, str] | None = None
        self._loaded: OrderedDict[str, LoadedPicture] = OrderedDict()

    def load(self, path: str) -> LoadedPicture:
        """The picture in a file; UserError if it holds none, or another than is expected."""
        state = self._state(path)
        if path in self._loaded and self._loaded[path].state != state:
            self._remove(path)
        if path not in self._loaded:
            while len(self._loaded) >= _MAXIMUM_LOADED:
                self._remove(next(iter(self._loaded)))
            self._check(path)
            self._loaded[path] = self._read(path, state)
        self._loaded.move_to_end(path)
        return self._loaded[path]

    def close(self) -> None:
        """Remove them all."""
        for path in list(self._loaded):
            self._remove(path)

    def _remove(self, path: str) -> None:
        bpy.data.images.remove(self._loaded.pop(path).image)

    def _state(self, path: str) -> tuple[int, ...]:
        """Inode, size and date of a file, which change with it."""
        try:
            found = Path(path).stat()
        except OSError as error:
            raise UserError(self._gone(path, error)) from None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _check(self, path: str) -> None:
        """Check that a file is the expected one; else UserError."""
        if self.expected is None:
            return
        try:
            with Path(path).open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise UserError(self._gone(path, error)) from None
        if path not in self.expected:
            raise UserError(
                f"picture {path} is not one that the run began with: restore its folder, {_GO_ON}"
            )
        if found != self.expected[path]:
            raise UserError(
                f"picture {path} was changed since the run began: restore the file of sha256"
                f" {self.expected[path]}, {_GO_ON}"
            )

    def _gone(self, path: str, error: OSError) -> str:
        if self.expected is None:
            return f"picture {path} is not there or cannot be opened; remove its name"
        known = self.expected.get(path)
        what = f"the file of sha256 {known}" if known else "its folder"
        return f"picture {path} cannot be read ({error.strerror}): restore {what}, {_GO_ON}"

    def _read(self, path: str, state: tuple[int, ...]) -> LoadedPicture:
        try:
            traits = picture_traits(Path(path))
            image = bpy.data.images.load(str(Path(path).resolve()))
        except (DamagedPicture, RuntimeError):
            raise UserError(self._damaged(path)) from None
        if image.source != "FILE" or not min(image.size):
            bpy.data.images.remove(image)
            raise UserError(self._damaged(path))
        image.buffers_free()  # Cycles reads the file itself
        return LoadedPicture(image, traits, state)

    def _damaged(self, path: str) -> str:
        if self.expected is None:
            return f"picture {path} cannot be read; give a picture that Blender opens"
        return (
            f"picture {path} is damaged, as it was when the run began: take it out and start the"
            " run anew"
        )
