# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a recipe names: known by their names and contents, wherever they lie."""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from facegen_addon.artifacts import read_file
from facegen_addon.errors import UserError
from facegen_addon.impostors import describe_impostor
from facegen_addon.labels.jpeg import is_whole
from facegen_addon.terminal.progress import QUIET, ProgressBar

HDRI_SUFFIXES: Mapping[str, bytes] = {".hdr": b"#?", ".exr": b"\x76\x2f\x31\x01"}
PICTURE_SUFFIXES: Mapping[str, bytes] = {
    ".png": b"\x89PNG\r\n\x1a\n",
    ".jpg": b"\xff\xd8\xff",
    ".jpeg": b"\xff\xd8\xff",
}
"""Endings of file names, and how such files begin."""
_LAST_OF_PNG = b"IEND\xaeB`\x82"
_KINDS = {
    b"\x89PNG\r\n\x1a\n": "a PNG",
    b"\xff\xd8\xff": "a JPEG",
    b"#?": "a Radiance HDR",
    b"\x76\x2f\x31\x01": "an OpenEXR",
    b"RIFF": "a WebP",
    b"GIF8": "a GIF",
    b"BM": "a BMP",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"\0\0\0": "a HEIC, AVIF or JPEG 2000",
    b"<": "an SVG or other XML",
}
"""How pictures begin, and what they are called."""


@dataclass(frozen=True)
class NamedFiles:
    """written: the path that stands in the recipe; sha256: name -> hash, in the names' order;
    flaws: name -> why a file cannot be used, as far as its first and last bytes tell.

    Two are equal if names and contents are, wherever the files lie.
    """

    written: str = field(compare=False)
    sha256: Mapping[str, str]
    folder: Path = field(compare=False)
    flaws: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files, sorted."""
        return tuple(self.sha256)

    def path(self, name: str) -> Path:
        """Path of a file."""
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

    UserError, beginning with `where`, if there is no such folder, or none in it.
    """
    try:
        names = sorted(_names(folder, suffixes))
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
    hashes, flaws = {}, {}
    with contextlib.closing(ProgressBar(quiet=QUIET)) as bar:
        for done, name in enumerate(names, start=1):
            try:
                data = (folder / name).read_bytes()
            except OSError as error:
                flaws[name] = _unreadable(folder / name, error)
            else:
                flaw = _flaw(name, data, suffixes)
                flaws |= {name: flaw} if flaw else {}
                if name.isprintable():  # nor are bytes that are no UTF-8
                    hashes[name] = hashlib.sha256(data).hexdigest()
            bar.update("read pictures", done, len(names))
    return NamedFiles(written, hashes, folder, flaws)


def _names(folder: Path, suffixes: Mapping[str, bytes]) -> Iterator[str]:
    """The pictures' names, and those of links that lead to no file."""
    for entry in os.scandir(folder):
        is_meant = Path(entry.name).suffix.lower() in suffixes and not entry.name.startswith(".")
        if is_meant and (entry.is_file() or _is_broken(entry)):
            yield entry.name


def _is_broken(link: "os.DirEntry[str]") -> bool:
    return link.is_symlink() and not os.path.exists(link.path)


def _unreadable(path: Path, error: OSError) -> str:
    if path.is_symlink() and not path.exists():
        return "is a link to a file that is not there"
    return f"cannot be read ({error.strerror})"


def _flaw(name: str, data: bytes, suffixes: Mapping[str, bytes]) -> str:
    """The fault of a file that begins and ends so; empty if there is none."""
    suffix = Path(name).suffix.lower()
    if not name.isprintable():
        return "has a name that cannot be written; rename it"
    if not data:
        return "is empty"
    if not data.startswith(suffixes[suffix]):
        return _other_kind(data, suffix)
    ends = _LAST_OF_PNG in data if suffix == ".png" else suffix in HDRI_SUFFIXES or is_whole(data)
    return "" if ends else "ends early"


def _other_kind(data: bytes, suffix: str) -> str:
    """The kind of a file whose name says another."""
    impostor = describe_impostor(data)
    if impostor:
        return f"is {impostor}"
    for start, kind in _KINDS.items():
        if data.startswith(start):
            return f"is {kind}, not a {suffix}; rename or convert it"
    return f"is no {suffix} file, or damaged"
