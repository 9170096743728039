# SPDX-License-Identifier: GPL-3.0-or-later
"""The output folder of a run: it appears when the run is complete, or not at all."""

import contextlib
import errno
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from batch.command_line import nearest_existing
from batch.workshop import EARLIER, PREFIX, remove_stale, workshop
from facegen_addon.errors import UserError
from facegen_addon.terminal.interruption import undisturbed

_NEW = "new"
_DISK = (errno.ENOSPC, errno.EDQUOT)
_MARKER = "report.json"  # every complete run of generate has one


def check_output(
    output: Path, replace: bool, marker: str = _MARKER, besides: Collection[str] = ()
) -> None:
    """UserError if `output` cannot become a new folder of results.

    It may be absent or empty but for what is named in `besides`; with `replace` it may also hold
    an earlier run (it has the file `marker`), but never anything else, so that a mistyped path
    deletes nobody's files.
    """
    _look_at(output)
    if output.exists() and not output.is_dir():
        raise UserError(f"--output {output} is a file; name a new folder")
    parent = nearest_existing(output.parent)
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(
            f"--output {output}: {parent} is not a folder you can write to; name another"
        )
    if output.is_dir() and any(path.name not in besides for path in output.iterdir()):
        if not replace:
            raise UserError(
                f"--output {output} is not empty; name a new folder, or add --replace to replace"
                " an earlier run"
            )
        if not (output / marker).is_file():
            raise UserError(
                f"--output {output} is not empty and holds no earlier run (no {marker}), so"
                " --replace leaves it alone; name a new folder"
            )


def _look_at(output: Path) -> None:
    """UserError for a path that the disk or its rights do not even let be looked at."""
    try:
        output.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise UserError(f"--output {output}: {error.strerror}; name another folder") from None


@contextlib.contextmanager
def output_folder(output: Path) -> Iterator[Path]:
    """A temporary folder beside `output`, moved into its place if the block succeeds.

    The folder is removed on every other exit, Ctrl-C included; what a killed process left of its
    own is removed here. UserError if the disk refuses.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output {output}: {error.strerror}; name another folder") from None
    remove_stale(output.parent)
    try:
        with workshop(output.parent) as shop:
            partial = shop / _NEW
            partial.mkdir()
            yield partial
            _move(partial, output, shop)
    except OSError as error:
        if error.errno not in _DISK and not any(
            map(_is_temporary, (error.filename, error.filename2))
        ):
            raise
        raise UserError(
            f"--output {output}: {error.strerror}; make room or name another folder"
        ) from None


def _is_temporary(name: object) -> bool:
    """Whether a file is one of a folder in the making."""
    return isinstance(name, str | os.PathLike) and f"{os.sep}{PREFIX}" in os.path.abspath(name)


def _move(partial: Path, output: Path, shop: Path) -> None:
    """Put `partial` in `output`'s place; an earlier run goes only once the new one is complete."""
    if not output.exists():
        partial.rename(output)
        return
    earlier = shop / EARLIER / output.name
    earlier.parent.mkdir()
    with undisturbed():
        output.rename(earlier)
        try:
            partial.rename(output)
        except BaseException:
            earlier.rename(output)
            raise
