# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that appears complete, or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path``, with its suffix, moved into its place on success.

    It is removed on every other exit, Ctrl-C included, and what was at ``path`` stays. UserError
    if the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            prefix=".facegen-", suffix=path.suffix, dir=path.parent, delete=False
        ) as stream:
            partial = Path(stream.name)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); name another file") from None
    try:
        yield partial
        partial.chmod(0o644)  # temporary files are private
        partial.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}); make room or name another file"
        ) from None
    finally:
        partial.unlink(missing_ok=True)
