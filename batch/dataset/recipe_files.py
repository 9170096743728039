# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a recipe names: known by their names and contents, wherever they lie."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from facegen_addon.artifacts import read_file
from facegen_addon.errors import UserError

HDRI_SUFFIXES: Mapping[str, bytes] = {".hdr": b"#?", ".exr": b"\x76\x2f\x31\x01"}
PICTURE_SUFFIXES: Mapping[str, bytes] = {
    ".png": b"\x89PNG\r\n\x1a\n",
    ".jpg": b"\xff\xd8\xff",
    ".jpeg": b"\xff\xd8\xff",
}
"""Endings of file names, and how such files begin."""


@dataclass(frozen=True)
class NamedFiles:
    """written: the path that stands in the recipe; sha256: name -> hash, in the names' order.

    Two are equal if names and contents are, wherever the files lie.
    """

    written: str = field(compare=False)
    sha256: Mapping[str, str]
    folder: Path = field(compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files, sorted."""
        return tuple(self.sha256)

    def path(self, name: str) -> Path:
        """Where a file lies."""
        return self.folder / name

    def plain(self) -> dict[str, str]:
        """name -> sha256."""
        return dict(self.sha256)

    def __str__(self) -> str:
        return f"{self.written} ({len(self.sha256)} file{'s' * (len(self.sha256) != 1)})"


def one_file(written: str, path: Path) -> NamedFiles:
    """A single file; UserError if it cannot be read."""
    data = read_file(path, "correct the path, which is relative to the recipe")
    return NamedFiles(written, {path.name: hashlib.sha256(data).hexdigest()}, path.parent)


def files_of_folder(
    written: str, folder: Path, suffixes: Mapping[str, bytes], where: str
) -> NamedFiles:
    """The pictures in a folder, not in those below it; names that begin with a dot are left out.

    UserError, beginning with `where`, if there is no such folder, none in it, or one that is
    damaged.
    """
    try:
        names = sorted(
            entry.name
            for entry in os.scandir(folder)
            if Path(entry.name).suffix.lower() in suffixes
            and not entry.name.startswith(".")
            and entry.is_file()
        )
    except OSError as error:
        raise UserError(
            f"{where} {written!r}: {folder} cannot be read ({error.strerror}); name a folder,"
            " relative to the recipe"
        ) from None
    if not names:
        endings = ", ".join(suffixes)
        raise UserError(
            f"{where} {written!r}: {folder} has no {endings} in it; name a folder of some"
        )
    return NamedFiles(written, {n: _sha256(folder / n, suffixes, where) for n in names}, folder)


def _sha256(path: Path, suffixes: Mapping[str, bytes], where: str) -> str:
    if not path.name.isprintable():  # nor are bytes that are no UTF-8
        raise UserError(f"{where}: {str(path)!r} has a name that cannot be written; rename it")
    data = read_file(path, "remove it from the folder, or let it be read")
    if not data.startswith(suffixes[path.suffix.lower()]):
        raise UserError(
            f"{where}: {path} is no {path.suffix.lower()} file, or damaged; remove it from the"
            " folder"
        )
    return hashlib.sha256(data).hexdigest()
