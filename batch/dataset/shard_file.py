# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a shard back, strictly: what `dataset make` never writes is an error, not a surprise."""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from batch.dataset.latents import LATENT_SUFFIXES
from batch.dataset.members import LABEL_SUFFIXES
from facegen_addon.errors import UserError

IMAGE_SUFFIXES = ("png", "jpg")
RECORD_SUFFIX = "json"
SUFFIXES = (*IMAGE_SUFFIXES, RECORD_SUFFIX, *LATENT_SUFFIXES, *LABEL_SUFFIXES)
"""All members that a sample may have, in their order."""
SHARD_END = 66_048
"""Zeros after the last member, at least: so many that no zip lies in the last 65,557 bytes, where
programs that try out what an archive is (mlcroissant) would find that of landmarks.npz."""

_ENDS = (2 * tarfile.BLOCKSIZE, SHARD_END)  # the former in runs of format 1
_NAME = re.compile(r"(\d{6,})\.(.+)")


def read_shard(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The samples of a shard in their order: key, and suffix -> content.

    UserError that names the shard and what is wrong if it is missing, truncated or damaged, or if
    its members are unknown, out of order or there twice.
    """
    key, members = "", dict[str, bytes]()
    for name, content in _files(path):
        match = _NAME.fullmatch(name)
        if match is None or match[2] not in SUFFIXES:
            _fail(path, f"holds {name!r}, which is no part of a sample")
        if match[1] != key:
            if key:
                yield key, _whole(path, key, members)
            if match[1] <= key:
                _fail(path, f"has sample {match[1]} after {key}")
            key, members = match[1], {}
        elif members and SUFFIXES.index(match[2]) <= SUFFIXES.index(next(reversed(members))):
            _fail(path, f"has {name} twice or out of order")
        members[match[2]] = content
    if key:
        yield key, _whole(path, key, members)


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """The files of an archive, whose every byte is accounted for."""
    try:
        with path.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            while (member := archive.next()) is not None:
                # Which else keeps all that were read.
                archive.members.clear()  # type: ignore[attr-defined]
                content = archive.extractfile(member) if member.isreg() else None
                if content is None:
                    _fail(path, f"holds {member.name!r}, which is no file")
                yield member.name, content.read()
            # tarfile takes a damaged header for the end: the rest has to be the padding it is.
            stream.seek(archive.offset)
            rest = stream.read(SHARD_END + tarfile.RECORDSIZE)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: make it again, or bring it here") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): bring it here again") from None
    except tarfile.TarError as error:
        _fail(path, f"is truncated or no tar ({error})")
    padded = (archive.offset + len(rest)) % tarfile.RECORDSIZE == 0
    is_end = any(end <= len(rest) < end + tarfile.RECORDSIZE for end in _ENDS)
    if any(rest) or not padded or not is_end:
        _fail(path, "is truncated or damaged after its last readable member")


def _whole(path: Path, key: str, members: dict[str, bytes]) -> dict[str, bytes]:
    images = sum(suffix in members for suffix in IMAGE_SUFFIXES)
    if images != 1 or RECORD_SUFFIX not in members:
        _fail(path, f"has sample {key} without its record or with {images} images")
    labels = [suffix for suffix in LABEL_SUFFIXES if suffix in members]
    if labels and len(labels) < len(LABEL_SUFFIXES):
        _fail(path, f"has sample {key} with {', '.join(labels)} only")
    return members


def _fail(path: Path, what: str) -> NoReturn:
    raise UserError(f"{path} {what}: make this shard again")
