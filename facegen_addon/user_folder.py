# SPDX-License-Identifier: GPL-3.0-or-later
"""Folder of what FaceGen computes for its user: caches of loaded models and of thumbnails."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

_chosen: list[Path] = []


def set_user_folder(path: Path | None) -> None:
    """Use this folder from now on; None: the platform's again. $FACEGEN_DATA overrides both."""
    _chosen[:] = [path] if path else []


def user_folder() -> Path:
    """$FACEGEN_DATA, else the folder that was set, else `facegen` in the platform's data folder.

    It may not exist yet: whoever writes makes it.
    """
    override = os.environ.get("FACEGEN_DATA")
    if override:
        return Path(override)
    return _chosen[0] if _chosen else _platform_folder() / "facegen"


def _platform_folder() -> Path:
    """The folder for programs' data of Windows, macOS, or the XDG specification's."""
    home = os.path.expanduser("~")
    if home == "~":  # an account without a home, as in some containers
        home = tempfile.gettempdir()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path(home, "AppData", "Local"))
    if sys.platform == "darwin":
        return Path(home, "Library", "Application Support")
    return Path(os.environ.get("XDG_DATA_HOME") or Path(home, ".local", "share"))
