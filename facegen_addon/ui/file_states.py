# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out the states of the user's files between two drawings: once, and again when they change.

Drawing may ask as often as it likes: it reads a date and a size, never a file.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import bpy

from ..artifacts import USER_MODEL_PREFIX, artifact
from ..caches import FolderSize, folder_size
from ..encoders.encoder import DEFAULT_ENCODER
from ..errors import UserError
from ..heads.flame.file import read_flame_file
from ..user_folder import user_folder
from .remedies import explain

_DIGITS = 12

_known: dict[Hashable, Any] = {}
_pending: dict[Hashable, Callable[[], Any]] = {}


@dataclass(frozen=True)
class FileState:
    """The state of a file: text says what it is and, in a second line, where, or why it cannot be
    used and what to do. `missing`: there is no file, which is no fault of anybody's."""

    usable: bool
    text: str
    missing: bool = False


def facenet() -> FileState | None:
    """The state of FaceNet's file; None while it is being found out."""
    path = artifact(DEFAULT_ENCODER).path
    found: FileState | None = _ask(("facenet", *_stamp(path)), _describe_facenet)
    return found


def flame(path: Path) -> FileState | None:
    """The state of a FLAME file; None while it is being found out."""
    found: FileState | None = _ask(("flame", *_stamp(path)), partial(_describe_flame, path))
    return found


def folder() -> FolderSize | None:
    """The size of the user's folder when last asked; None while that is being found out."""
    found: FolderSize | None = _ask(("folder", str(user_folder())), folder_size)
    return found


def devices() -> tuple[str, ...] | None:
    """Names of the devices that Cycles finds; None while that is being found out."""
    found: tuple[str, ...] | None = _ask("devices", _find_devices)
    return found


def forget() -> None:
    """Find everything out again when it is asked for next."""
    _known.clear()


def find_out() -> None:
    """Find out all states that were asked for; Blender calls it between two drawings."""
    while _pending:
        key, answer = _pending.popitem()
        _known[key] = answer()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("PREFERENCES", "VIEW_3D"):
                area.tag_redraw()


def unregister() -> None:
    """Forget all, and answer nothing any more."""
    if bpy.app.timers.is_registered(find_out):
        bpy.app.timers.unregister(find_out)
    _pending.clear()
    _known.clear()


def _ask(key: Hashable, answer: Callable[[], Any]) -> Any:
    if key not in _known:
        _pending[key] = answer
        if not bpy.app.timers.is_registered(find_out):
            bpy.app.timers.register(find_out, first_interval=0.0)
    return _known.get(key)


def _stamp(path: Path) -> tuple[str, int, int]:
    """Path, date and size of a file, which change with it; zeros where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), facts.st_mtime_ns, facts.st_size


def _describe_facenet() -> FileState:
    registered = artifact(DEFAULT_ENCODER)
    if not registered.path.exists():
        return FileState(
            False,
            "Not found. Without it all works but measuring and photos, and varieties are told apart"
            " by prediction.",
            missing=True,
        )
    try:
        registered.read()
    except UserError as error:
        return FileState(False, explain(error))
    says = "Found: heads can be measured, and varieties are seen, not predicted"
    facts = f"CASIA-WebFace, 20180408-102900, sha256 {registered.sha256[:_DIGITS]}"
    return FileState(True, f"{says}\n{registered.path} ({facts})")


def _describe_flame(path: Path) -> FileState:
    try:
        arrays = read_flame_file(path)
    except UserError as error:
        return FileState(False, explain(error))
    identity, expression = arrays.shape_basis.shape[2], arrays.expression_basis.shape[2]
    facts = f"Found: {len(arrays.template)} vertices, {identity} + {expression} components"
    trained = _is_trained(USER_MODEL_PREFIX + arrays.sha256[:_DIGITS])
    guided = "trained for faces" if trained else "not trained: drawn by plausible sliders only"
    return FileState(True, f"{facts}, sha256 {arrays.sha256[:_DIGITS]}, {guided}")


def _find_devices() -> tuple[str, ...]:
    """The devices that Cycles' own preferences list, each once, nothing switched on or off."""
    cycles = bpy.context.preferences.addons.get("cycles")
    if cycles is None:
        return ("no devices: the add-on Cycles is switched off",)
    cycles.preferences.refresh_devices()
    return tuple(dict.fromkeys(device.name for device in cycles.preferences.devices))


def _is_trained(model_name: str) -> bool:
    """Whether there is a B for this model."""
    try:
        return artifact(f"backward_{model_name}").path.exists()
    except UserError:
        return False
