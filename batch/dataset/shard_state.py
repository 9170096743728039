# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a shard of a run is done, by the files that lie there."""

import contextlib
import hashlib
import json
import logging
import shutil
from typing import Any

from batch.dataset.run_folder import RunFolder
from batch.dataset.sidecar import Sidecar
from batch.lock import only_one
from facegen_addon.errors import UserError

logger = logging.getLogger("facegen_addon.dataset")


def read_sidecar(run: RunFolder, shard: int) -> dict[str, Any] | None:
    """The sidecar of a shard of this run; None if there is none that a closed run could have."""
    try:
        Sidecar.read(run, shard)
        sidecar: dict[str, Any] = json.loads(run.sidecar(shard).read_text(encoding="utf-8"))
    except (UserError, OSError, ValueError):
        return None
    return sidecar


def problem_of(run: RunFolder, shard: int) -> str:
    """The fault of a shard that claims to be complete; empty if there is none."""
    sidecar, tar = read_sidecar(run, shard), run.tar(shard)
    if sidecar is None:
        return f"{run.sidecar(shard)} of this run is not there"
    try:
        with tar.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return f"{tar} cannot be read ({error.strerror})"
    return "" if digest == sidecar.get("sha256") else f"{tar} is damaged: its sha256 is another"


def is_done(run: RunFolder, shard: int) -> bool:
    """Whether a shard is there, whole, and no further try could add a sample to it.

    Its bytes are read again only if it was written to, or brought here, after what stands beside
    it: closing a run reads all of them anyway. What a killed process left of its making is removed.
    """
    sidecar = read_sidecar(run, shard)
    if sidecar is None or any(failure.get("retry") for failure in sidecar["failed"]):
        return False
    problem = "" if _is_untouched(run, shard, sidecar["bytes"]) else problem_of(run, shard)
    if problem:
        logger.warning("%s; it is made again", problem)
        return False
    if run.work(shard).is_dir():
        with contextlib.suppress(UserError), only_one(run.work(shard) / "lock"):
            shutil.rmtree(run.work(shard), ignore_errors=True)
    return True


def _is_untouched(run: RunFolder, shard: int, size: int) -> bool:
    """Whether a tar file of that size is older than what was written beside it, once it was whole.

    Equal times are no proof: a disk may count by seconds.
    """
    try:
        tar, beside = run.tar(shard).stat(), run.sidecar(shard).stat()
    except OSError:
        return False
    return tar.st_size == size and tar.st_mtime_ns < beside.st_mtime_ns


def failures(run: RunFolder, shard: int) -> int:
    """Number of samples of a complete shard that had to be given up."""
    sidecar = read_sidecar(run, shard)
    return len(sidecar["failed"]) if sidecar else len(run.indices(shard))
