# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the overlay of the roundtrip shift: rings around heads, and the map in a corner.

Batches are made when the overlay's signature changes and drawn as they are otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import blf
import bpy
import gpu
import numpy as np
from bpy.app.translations import pgettext_iface as translated
from bpy_extras.view3d_utils import location_3d_to_region_2d
from gpu_extras.batch import batch_for_shader
from mathutils import Matrix, Vector

from ..arrays import Float32Array
from . import shift_overlay
from .shift_map import FULL, TICKS, ShiftMap, arrow_heads, colour, degrees, discs
from .shift_overlay import Box, Disc, OverlayData, Rings, Signature
from .translations import filled

_FONT = 0
_TEXT, _DIM = (0.92, 0.92, 0.92, 1.0), (0.7, 0.7, 0.7, 1.0)
_SHADE, _PANEL = (0.0, 0.0, 0.0, 0.6), (0.08, 0.08, 0.08, 0.82)
_REQUESTED, _BEFORE, _NATURAL = (
    (0.95, 0.95, 0.95, 1.0),
    (0.6, 0.6, 0.6, 0.55),
    (1.0, 1.0, 1.0, 0.16),
)
_MEAN = (1.0, 0.55, 0.25, 1.0)
_RING_WIDTH, _LINE_WIDTH, _TEXT_SIZE = 3.5, 1.5, 11  # pixels at a scale of 1
_CORNERS = 64
_FORWARD = 0.5  # of its radius
_LEAST_RING = 20  # pixels; the label of a smaller one would hide the head


@dataclass(frozen=True)
class _Batches:
    """Batches of the map: below the arrows, the arrows' lines, and above them.

    None where there is nothing to draw.
    """

    below: Any
    lines: Any
    above: Any


@dataclass(frozen=True)
class _Shown:
    """The overlay's data and batches, made for a signature."""

    signature: Signature
    data: OverlayData
    batches: _Batches | None


_shown: _Shown | None = None
_handlers: list[Any] = []


def _up_to_date(context: bpy.types.Context) -> _Shown | None:
    """The overlay as it is to be drawn, made anew if it changed; None where it is off."""
    global _shown
    if not (context.scene.facegen_overlay.show and context.space_data.overlay.show_overlays):
        return None
    heads = shift_overlay.heads_of(context.visible_objects)
    signature = shift_overlay.signature(heads)
    if _shown is None or _shown.signature != signature:
        found = shift_overlay.subjects(heads)
        if _shown is not None and _shown.signature.latents == signature.latents:
            data, batches = shift_overlay.moved(_shown.data, found), _shown.batches
        else:
            data = shift_overlay.extract(found)
            batches = _map_batches(data.map) if data.map is not None else None
        _shown = _Shown(signature, data, batches)
    return _shown


def draw_rings() -> None:
    """Draw in the scene's space."""
    context = bpy.context
    shown = _up_to_date(context)
    view = context.region_data
    if shown is None or view is None:
        return
    facing = view.view_rotation.to_matrix().to_4x4()
    scale = context.preferences.system.ui_scale
    rings = shown.data.rings
    with _state(depth_test="LESS_EQUAL"):
        for centre, radius, ring_colour in zip(
            rings.centres, rings.radii, rings.colours, strict=True
        ):
            middle = _in_front(Vector(centre), float(radius), view)
            place = Matrix.Translation(middle) @ facing @ Matrix.Scale(float(radius), 4)
            _draw_ring(place, _SHADE, (_RING_WIDTH + 2.0) * scale)
            _draw_ring(place, tuple(ring_colour), _RING_WIDTH * scale)


def draw_figures() -> None:
    """Draw in the region's pixels."""
    context = bpy.context
    shown = _up_to_date(context)
    if shown is None or context.region_data is None:
        return
    scale = context.preferences.system.ui_scale
    with _state():
        places = _discs(shown.data.rings, context)
        _draw_labels(shown.data.rings.labels, places, scale)
        if shown.batches is None or not context.scene.facegen_overlay.show_map:
            return
        window, others = _boxes(context.area, context.region)
        heads = [place for place in places if place is not None]
        box = shift_overlay.map_box(window, others, scale, heads)
        if box is not None:
            assert shown.data.map is not None, "batches were made of it"
            _draw_map(shown.data.map, shown.batches, box, scale)


def _in_front(centre: Vector, radius: float, view: bpy.types.RegionView3D) -> Vector:
    """The ring's centre, nearer to the viewer than the hair that it would be lost in."""
    towards = view.view_rotation @ Vector((0.0, 0.0, 1.0))
    if view.is_perspective:
        towards = (view.view_matrix.inverted().translation - centre).normalized()
    return centre + _FORWARD * radius * towards


@contextmanager
def _state(depth_test: str = "NONE") -> Iterator[None]:
    """Transparency on, and afterwards all as it was."""
    blend, depth = gpu.state.blend_get(), gpu.state.depth_test_get()
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set(depth_test)
    try:
        yield
    finally:
        gpu.state.blend_set(blend)
        gpu.state.depth_test_set(depth)


@cache
def _shader(name: str) -> Any:
    return gpu.shader.from_builtin(name)


@cache
def _circle() -> Any:
    turn = np.linspace(0.0, 2.0 * np.pi, _CORNERS + 1)
    rim = np.stack([np.cos(turn), np.sin(turn), np.zeros_like(turn)], axis=1)
    positions = rim.astype(np.float32)
    return batch_for_shader(_shader("POLYLINE_UNIFORM_COLOR"), "LINE_STRIP", {"pos": positions})


@cache
def _square() -> Any:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], np.float32)
    return batch_for_shader(_shader("UNIFORM_COLOR"), "TRI_STRIP", {"pos": corners})


def _draw_ring(place: Matrix, ring_colour: tuple[float, ...], width: float) -> None:
    with gpu.matrix.push_pop():
        gpu.matrix.multiply_matrix(place)
        _draw_lines(_circle(), _shader("POLYLINE_UNIFORM_COLOR"), width, ring_colour)


def _draw_lines(
    batch: Any, shader: Any, width: float, line_colour: tuple[float, ...] | None = None
) -> None:
    shader.bind()
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    shader.uniform_float("lineWidth", width)
    if line_colour is not None:
        shader.uniform_float("color", line_colour)
    batch.draw(shader)


def _draw_box(box: Box, fill: tuple[float, ...]) -> None:
    shader = _shader("UNIFORM_COLOR")
    with gpu.matrix.push_pop():
        gpu.matrix.translate((box.x, box.y))
        gpu.matrix.scale((box.width, box.height))
        shader.bind()
        shader.uniform_float("color", fill)
        _square().draw(shader)


def _draw_text(
    text: str, x: float, y: float, size: float, fill: tuple[float, ...], align: float = 0.0
) -> None:
    """Text whose lower left corner, or another share of its width, is at x, y."""
    blf.size(_FONT, size)
    blf.color(_FONT, *fill)
    blf.position(_FONT, x - align * blf.dimensions(_FONT, text)[0], y, 0.0)
    blf.draw(_FONT, text)
    gpu.state.blend_set("ALPHA")  # drawing text has switched it off


def _discs(rings: Rings, context: bpy.types.Context) -> list[Disc | None]:
    """Where rings show in the region; None for those behind the viewer."""
    view = context.region_data
    down = view.view_rotation @ Vector((0.0, -1.0, 0.0))
    found: list[Disc | None] = []
    for centre, radius in zip(rings.centres, rings.radii, strict=True):
        ring = _in_front(Vector(centre), float(radius), view)
        middle, lowest = (
            location_3d_to_region_2d(context.region, view, point)
            for point in (ring, ring + float(radius) * down)
        )
        seen = middle is not None and lowest is not None
        found.append((middle.x, middle.y, (middle - lowest).length) if seen else None)
    return found


def _draw_labels(labels: Iterable[str], places: Iterable[Disc | None], scale: float) -> None:
    """Each ring's figure, on its lowest point."""
    for label, place in zip(labels, places, strict=True):
        if place is None or place[2] < _LEAST_RING * scale:
            continue
        x, y = place[0], place[1] - place[2]
        size = _TEXT_SIZE * scale
        blf.size(_FONT, size)
        width, height = blf.dimensions(_FONT, label)
        edge = 0.4 * size
        back = Box(
            x - 0.5 * width - edge, y - 0.5 * height - edge, width + 2 * edge, height + 2 * edge
        )
        _draw_box(back, _PANEL)
        _draw_text(label, x, y - 0.5 * height, size, _TEXT, 0.5)


def _boxes(area: bpy.types.Area, region: bpy.types.Region) -> tuple[Box, list[Box]]:
    """The region and those that lie over it, window pixels."""
    others = [
        Box(other.x, other.y, other.width, other.height)
        for other in area.regions
        if other.type not in ("WINDOW", "HUD")
    ]
    return Box(region.x, region.y, region.width, region.height), others


def _map_batches(shifts: ShiftMap) -> _Batches:
    """The map in coordinates -1 to 1."""
    below = [(discs(shifts.backdrop, 0.012, 6), _NATURAL)]
    lines = [(shifts.before, _BEFORE), (shifts.shifts, shifts.colours), (shifts.mean, _MEAN)]
    above = [
        (arrow_heads(shifts.before, 0.07), _BEFORE),
        (discs(shifts.shifts[:, 0], 0.022), _REQUESTED),
        (discs(shifts.lone, 0.022), _BEFORE),
        (arrow_heads(shifts.shifts, 0.09), shifts.colours),
        (arrow_heads(shifts.mean, 0.09), _MEAN),
    ]
    return _Batches(
        _batch("SMOOTH_COLOR", "TRIS", below),
        _batch("POLYLINE_SMOOTH_COLOR", "LINES", lines),
        _batch("SMOOTH_COLOR", "TRIS", above),
    )


def _batch(shader: str, kind: str, parts: list[tuple[Float32Array, Any]]) -> Any | None:
    """One batch of shapes (N, K, 2), each part in one colour (4,) or in one a shape (N, 4).

    None where there is nothing to draw, which not every graphics card takes for a batch.
    """
    positions, colours = [], []
    for shapes, fill in parts:
        flat = np.zeros((shapes.shape[0] * shapes.shape[1], 3), np.float32)
        flat[:, :2] = shapes.reshape(-1, 2)
        each = np.broadcast_to(np.asarray(fill, np.float32), (len(shapes), 4))
        positions.append(flat)
        colours.append(np.repeat(each, shapes.shape[1], axis=0))
    content = {"pos": np.concatenate(positions), "color": np.concatenate(colours)}
    if not len(content["pos"]):
        return None
    return batch_for_shader(_shader(shader), kind, content)


def _draw_map(shifts: ShiftMap, batches: _Batches, box: Box, scale: float) -> None:
    """The map with its title, colour bar and figures."""
    _draw_box(box, _PANEL)
    size, edge, side = _TEXT_SIZE * scale, 8 * scale, box.width
    top = box.y + box.height
    _draw_text(translated("How Far Off"), box.x + edge, top - edge - size, size * 1.1, _TEXT)
    plane = Box(box.x, top - 20 * scale - side, side, side)
    with gpu.matrix.push_pop():
        gpu.matrix.translate((plane.x + 0.5 * side, plane.y + 0.5 * side))
        gpu.matrix.scale_uniform(0.5 * side)
        if batches.below is not None:
            batches.below.draw(_shader("SMOOTH_COLOR"))
        if batches.lines is not None:
            _draw_lines(batches.lines, _shader("POLYLINE_SMOOTH_COLOR"), _LINE_WIDTH * scale)
        if batches.above is not None:
            batches.above.draw(_shader("SMOOTH_COLOR"))
    bar = Box(box.x + edge, plane.y - 2 * scale, side - 2 * edge, 6 * scale)
    _draw_bar(bar, scale)
    if len(shifts.shifts):
        _draw_mean(shifts, bar.x, box.y + edge, size)


def _draw_bar(bar: Box, scale: float) -> None:
    """The colours and the angles that they stand for."""
    steps = 48
    for step in range(steps):
        fill = colour((step + 0.5) / steps * FULL)
        piece = Box(bar.x + bar.width * step / steps, bar.y, bar.width / steps + 1, bar.height)
        _draw_box(piece, tuple(fill))
    for tick in TICKS:
        share = np.radians(tick) / FULL
        _draw_text(
            f"{tick}°", bar.x + bar.width * share, bar.y - 13 * scale, 9 * scale, _DIM, share
        )


def _draw_mean(shifts: ShiftMap, x: float, y: float, size: float) -> None:
    """The mean in words; what all shifts have in common is in the colour of its arrow."""
    before, now = shifts.mean_angle_before, degrees(shifts.mean_angle)
    if before is None:
        mean = filled("On average {now}", now=now)
    else:
        mean = filled("On average {now}, before {then}", now=now, then=degrees(before))
    _draw_text(mean, x, y + 1.5 * size, size, _TEXT)
    if len(shifts.mean):
        common = filled("All the same way {angle}", angle=degrees(shifts.common))
        _draw_text(common, x, y, size, _MEAN)


def register() -> None:
    """Draw in all 3D viewports from now on; not where there is no window."""
    if bpy.app.background:
        return
    add = bpy.types.SpaceView3D.draw_handler_add
    _handlers.append(add(draw_rings, (), "WINDOW", "POST_VIEW"))
    _handlers.append(add(draw_figures, (), "WINDOW", "POST_PIXEL"))


def unregister() -> None:
    """Undo register, and let go of what lies on the graphics card."""
    global _shown
    for handler in _handlers:
        bpy.types.SpaceView3D.draw_handler_remove(handler, "WINDOW")
    _handlers.clear()
    _shown = None
    for made in (_circle, _square, _shader):
        made.cache_clear()
