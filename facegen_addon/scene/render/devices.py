# SPDX-License-Identifier: GPL-3.0-or-later
"""What Cycles renders on: which devices there are, which is taken, and what if it fails."""

from __future__ import annotations

import logging
from pathlib import Path

import bpy

from ...choices import GPU_KINDS
from ...errors import UserError

logger = logging.getLogger("facegen_addon.render")

_DRIVER = Path("/proc/driver/nvidia/version")


def find_devices() -> dict[str, list[str]]:
    """Kind -> names of the GPUs that Cycles finds, the fastest kind first; empty without any."""
    addon = bpy.context.preferences.addons.get("cycles")
    found: dict[str, list[str]] = {}
    for kind in GPU_KINDS if addon is not None else ():
        try:
            addon.preferences.compute_device_type = kind
        except TypeError:  # this build of Blender does not know the kind
            continue
        addon.preferences.refresh_devices()
        names = [device.name for device in addon.preferences.devices if device.type == kind]
        if names:
            found[kind] = names
    return found


def use_device(wanted: str = "auto") -> str:
    """Have Cycles render on one of DEVICE, and name it, with its driver where that is known.

    "auto" is the fastest GPU, or the CPU where there is none. UserError where another is wanted
    and not found.
    """
    if wanted == "CPU":
        return "CPU"
    found = find_devices()
    kind = next(iter(found), "CPU") if wanted in ("auto", "GPU") else wanted
    if kind not in ("CPU", *found) or (kind, wanted) == ("CPU", "GPU"):
        there = ", ".join(["CPU", *found])
        raise UserError(
            f"device {wanted}: Cycles finds no such GPU here, or its driver is not at work; choose"
            f" from {there}, or auto, which takes the CPU where there is no GPU"
        )
    addon = bpy.context.preferences.addons.get("cycles")
    if addon is not None:
        addon.preferences.compute_device_type = "NONE" if kind == "CPU" else kind
        addon.preferences.refresh_devices()
        for device in addon.preferences.devices:
            device.use = device.type == kind
    return "CPU" if kind == "CPU" else f"{kind}: {', '.join(found[kind])}{_driver()}"


def _driver() -> str:
    """The version of NVIDIA's driver in words, where the system tells it."""
    try:
        words = _DRIVER.read_text(encoding="utf-8").splitlines()[0].split()
    except (OSError, IndexError):
        return ""
    version = next((word for word in words if word.replace(".", "").isdigit()), "")
    return f", driver {version}" if version else ""


def render_scene(scene: bpy.types.Scene, wanted: str, *, write_still: bool = False) -> None:
    """Have Blender render a scene that is set up for one of DEVICE.

    Where a GPU fails (it has gone, its memory is full), "auto" says so and goes on on the CPU;
    for any other, UserError.
    """
    try:
        bpy.ops.render.render(scene=scene.name, write_still=write_still)
        return
    except RuntimeError as error:
        if scene.render.engine != "CYCLES" or scene.cycles.device == "CPU":
            raise
        lines = [line.removeprefix("Error: ") for line in str(error).splitlines() if line.strip()]
        reason = lines[0] if lines else "it says nothing"
    if wanted != "auto":
        raise UserError(
            f"device {wanted} failed ({reason}): free its memory (fewer processes, smaller images),"
            " see to its driver, or choose auto or CPU"
        ) from None
    logger.warning("the GPU failed (%s): rendering goes on on the CPU", reason)
    scene.cycles.device = "CPU"
    bpy.ops.render.render(scene=scene.name, write_still=write_still)
