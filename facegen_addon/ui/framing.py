# SPDX-License-Identifier: GPL-3.0-or-later
"""Has heads seen in all 3D views: framed in what sidebars leave free, in their colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import bpy
from mathutils import Euler, Vector

from ..scene.head.placement import Box

_SENSOR = 36.0
"""Millimetres: half of what a 3D view's lens sees along the longer side of its region."""
_MARGIN = 0.12  # of the free space, on each side
_ASLANT = math.radians(40.0)
"""Faces that are seen from farther aside than this are looked at from ahead."""
_AHEAD = Euler((math.radians(86.0), 0.0, math.radians(10.0))).to_quaternion()
_DARKER, _FOR_PAINTING = "Default", "paint.sl"
"""Blender's names of its studio lights: the first of a new scene, and the one for painting."""
_OVER = {"UI", "TOOLS", "HEADER", "TOOL_HEADER", "ASSET_SHELF", "ASSET_SHELF_HEADER"}

Free = tuple[float, float, float, float]
"""What is free of a region: left, bottom, right and top, pixels from its middle."""


def show(context: bpy.types.Context, heads: Iterable[bpy.types.Object]) -> None:
    """Frame these heads, with hair and clothes, in every 3D view, and show their colours.

    A view that looks at them from aside or behind is turned; views along an axis are not.
    """
    context.view_layer.update()
    found = [item for head in heads for item in (head, *head.children)]
    corners = [item.matrix_world @ Vector(c) for item in found for c in item.bound_box]
    for area in _views(context.window_manager):
        space = area.spaces.active
        if space.local_view is not None:
            for item in found:
                item.local_view_set(space, True)
        show_colours(space.shading)
        for view, free, longer in _regions(area, space):
            frame(view, corners, free, longer, space.lens)
        area.tag_redraw()


def show_colours(shading: Any) -> None:
    """Material preview in place of one colour for all, and light that leaves colours as they are.

    Of Blender's studio lights, that for painting shows skin as its swatch does; the one that it
    begins with takes a fifth of it, another that somebody chose stays. Outlines go: they are black,
    and of a strand of hair or beard, which is a pixel wide, nothing else is left."""
    if shading.type == "WIREFRAME" or (
        shading.type == "SOLID" and shading.color_type not in ("VERTEX", "TEXTURE")
    ):
        shading.type = "MATERIAL"
    elif shading.type == "SOLID":
        shading.show_object_outline = False
        if shading.light == "STUDIO" and shading.studio_light == _DARKER:
            shading.studio_light = _FOR_PAINTING


def frame(view: Any, corners: Sequence[Vector], free: Free, longer: float, lens: float) -> None:
    """Have a RegionView3D show these points (metres) within ``free``.

    longer: the longer side of its region, pixels; lens: millimetres.
    """
    if view.view_perspective == "CAMERA":
        view.view_perspective = "PERSP"
    turns = view.view_perspective == "PERSP" and not view.lock_rotation
    facing = view.view_rotation @ Vector((0.0, 0.0, 1.0))
    if turns and facing.angle(Vector((0.0, -1.0, 0.0))) > _ASLANT:
        view.view_rotation = _AHEAD
    rotation = view.view_rotation.copy()
    seen = Box.around(rotation.inverted() @ corner for corner in corners)
    middle = (seen.low + seen.high) / 2
    distance = _distance(seen, free, longer * lens / (2.0 * _SENSOR))
    pixel = 2.0 * _SENSOR / lens / longer * distance  # metres
    aside = Vector((free[0] + free[2], free[1] + free[3], 0.0)) * (0.5 * pixel)
    view.view_location = rotation @ (middle - aside)
    view.view_distance = distance


def _distance(seen: Box, free: Free, focal: float) -> float:
    """How far away a box in the view's axes fits; focal: pixels of a metre that is a metre away."""
    size = seen.high - seen.low
    room = ((free[2] - free[0], size.x), (free[3] - free[1], size.y))
    away = max(focal * length / (pixels * (1.0 - 2.0 * _MARGIN)) for pixels, length in room)
    return away + size.z / 2


def _views(manager: bpy.types.WindowManager) -> Iterator[bpy.types.Area]:
    for window in manager.windows:
        yield from (area for area in window.screen.areas if area.type == "VIEW_3D")


def _regions(area: bpy.types.Area, space: Any) -> Iterator[tuple[Any, Free, float]]:
    """The views of an area, four of a split one: what of their regions is free, the longer side."""
    windows = [region for region in area.regions if region.type == "WINDOW"]
    views = space.region_quadviews or [space.region_3d]
    over = [region for region in area.regions if region.type in _OVER]
    for view, region in zip(views, windows, strict=False):
        yield view, free_of(region, over), max(region.width, region.height, 1)


def free_of(region: Any, over: Iterable[Any]) -> Free:
    """What other regions (x, y, width, height in pixels) leave free of one that they lie over."""
    left, bottom = region.x, region.y
    right, top = left + max(region.width, 1), bottom + max(region.height, 1)
    middle = (left + right) / 2, (bottom + top) / 2
    for other in over:
        ends = other.x + other.width, other.y + other.height
        if (
            other.width <= 1
            or other.height <= 1
            or not (other.x < right and left < ends[0] and other.y < top and bottom < ends[1])
        ):
            continue
        if other.height > other.width:
            if other.x + other.width / 2 > middle[0]:
                right = max(min(right, other.x), middle[0] + 1)
            else:
                left = min(max(left, ends[0]), middle[0] - 1)
        elif other.y + other.height / 2 > middle[1]:
            top = max(min(top, other.y), middle[1] + 1)
        else:
            bottom = min(max(bottom, ends[1]), middle[1] - 1)
    return left - middle[0], bottom - middle[1], right - middle[0], top - middle[1]
