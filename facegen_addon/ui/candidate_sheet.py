# SPDX-License-Identifier: GPL-3.0-or-later
"""Arranges and draws a sheet of pictures in a 3D view.

Arranging knows rectangles only; drawing uploads what it needs once and needs Blender's window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import blf
import bpy
import gpu
import numpy as np
from bpy.app.translations import pgettext_iface as translated
from gpu_extras.batch import batch_for_shader

from ..arrays import ByteArray, Float32Array
from .sheet_marks import MARKS, Box, mark_box, outlines

COLUMNS = 3
TITLE = "Click a head, or press 1 to 9  ·  Esc to close"
HINTS = "S star  ·  L lock  ·  N nine more  ·  F filter  ·  arrows turn pages"
_DIGITS = ("ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")
# Pixels at a scale of 1.
_PICTURE, _SMALLEST, _GAP, _TITLE_HEIGHT, _TEXT_SIZE, _RADIUS, _FRAME = 150, 8, 8, 26, 12, 8, 3
_CORNER_STEPS = 8
_PANEL_COLOUR, _FRAME_COLOUR = (0.09, 0.09, 0.09, 0.98), (0.95, 0.62, 0.25, 1.0)
_TEXT_COLOUR = (0.9, 0.9, 0.9, 1.0)
_BEHIND_MARK, _NO_MARK = (0.05, 0.05, 0.05, 0.6), (0.75, 0.75, 0.75, 0.7)
_MARK_COLOURS = {"star": (0.98, 0.75, 0.2, 1.0), "lock": (0.45, 0.75, 1.0, 1.0)}
_FONT = 0
VIEWS_ENCODE = bpy.app.version < (5, 0)
"""Whether Blender makes sRGB of textures that are drawn over a view; else it shows their values."""


@dataclass(frozen=True)
class Arrangement:
    """Places of a sheet's parts; cells row by row from the top left."""

    panel: Box
    cells: tuple[Box, ...]
    title: tuple[float, float]
    hints: tuple[float, float]
    scale: float


def arrange(space: Box, scale: float) -> Arrangement:
    """A sheet in the middle of a free space, its pictures as large as fit and no larger than 150.

    ``scale`` is Blender's for its whole interface.
    """
    left, bottom, width, height = space
    gap, heading = _GAP * scale, _TITLE_HEIGHT * scale
    gaps = (COLUMNS + 1) * gap
    room = min(width - gaps, height - gaps - 2 * heading) / COLUMNS
    side = max(min(_PICTURE * scale, room), _SMALLEST)
    across = COLUMNS * side + gaps
    x, y = left + (width - across) / 2, bottom + (height - across - 2 * heading) / 2
    pitch, above = side + gap, y + heading
    cells = tuple(
        (x + gap + column * pitch, above + gap + (COLUMNS - 1 - row) * pitch, side, side)
        for row in range(COLUMNS)
        for column in range(COLUMNS)
    )
    title = (x + gap, above + across + 0.1 * heading)
    hints = (x + gap, y + 0.1 * heading)
    return Arrangement((x, y, across, across + 2 * heading), cells, title, hints, scale)


def cell_at(arrangement: Arrangement, x: float, y: float) -> int | None:
    """Index of the picture under a pixel; None where there is none."""
    for index, (left, bottom, width, height) in enumerate(arrangement.cells):
        if left <= x < left + width and bottom <= y < bottom + height:
            return index
    return None


def index_of_key(key: str) -> int | None:
    """Index of the picture that a key stands for, 1 being at the top left; None for other keys."""
    digits = (*_DIGITS, *(f"NUMPAD_{number}" for number in range(1, 10)))
    return digits.index(key) % len(_DIGITS) if key in digits else None


def free_space(window: Any, others: Iterable[Any]) -> Box:
    """The part of a region that no sidebar, toolbar or header of its area covers.

    Regions have type, x, y, width and height in pixels of the window.
    """
    left, bottom, right, top = 0, 0, window.width, window.height
    for other in others:
        x, y = other.x - window.x, other.y - window.y
        if other.width <= 1 or other.height <= 1:  # hidden
            continue
        if other.type in ("UI", "TOOLS"):
            if x + other.width / 2 > window.width / 2:
                right = min(right, max(x, left))
            else:
                left = max(left, min(x + other.width, right))
        elif other.type in ("HEADER", "TOOL_HEADER"):
            if y + other.height / 2 > window.height / 2:
                top = min(top, max(y, bottom))
            else:
                bottom = max(bottom, min(y + other.height, top))
    return left, bottom, right - left, top - bottom


def rounded(box: Box, radius: float) -> Annotated[Float32Array, "N 2"]:
    """Corners (4 * steps, 2) of a rectangle with round corners, counter-clockwise."""
    x, y, width, height = box
    radius = min(radius, width / 2, height / 2)
    quarter = np.linspace(0.0, np.pi / 2, _CORNER_STEPS)
    centres = (
        (x + width - radius, y + height - radius),
        (x + radius, y + height - radius),
        (x + radius, y + radius),
        (x + width - radius, y + radius),
    )
    arcs = [
        np.array(centre)
        + radius * np.stack([np.cos(quarter + turn), np.sin(quarter + turn)], axis=1)
        for centre, turn in zip(centres, np.arange(4) * np.pi / 2, strict=True)
    ]
    return np.concatenate(arcs).astype(np.float32)


def texels(
    picture: Annotated[ByteArray, "... 3"], encoded: bool = VIEWS_ENCODE
) -> Annotated[Float32Array, "... 3"]:
    """What a texture holds to show sRGB (..., 3): linear values 0 to 1 if the view encodes them."""
    values = picture.astype(np.float32) / np.float32(255.0)
    if not encoded:
        return values
    dark = values <= 0.04045
    return np.where(dark, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


class Sheet:
    """Up to nine pictures in one region of one 3D view, until ``close``.

    `hovered`: index of the picture under the mouse; `marked`: of each picture, the marks it has.
    """

    def __init__(self, area: bpy.types.Area, region: bpy.types.Region) -> None:
        self.hovered: int | None = None
        self.marked: list[set[str]] = []
        self._area, self._region = area.as_pointer(), region.as_pointer()
        self._pictures: Sequence[ByteArray] = ()
        self._title = ""
        self._textures: list[Any] = []
        self._handler = bpy.types.SpaceView3D.draw_handler_add(
            self._draw, (), "WINDOW", "POST_PIXEL"
        )
        area.tag_redraw()

    def show(
        self,
        pictures: Sequence[Annotated[ByteArray, "S S 3"]],
        marked: list[set[str]],
        title: str,
    ) -> None:
        """Show these pictures (S, S, 3) uint8 with their marks, and this line above them."""
        if [id(picture) for picture in pictures] != [id(picture) for picture in self._pictures]:
            self._textures.clear()
        self._pictures, self.marked, self._title = pictures, marked, title

    def close(self) -> None:
        """Take the sheet off the view."""
        if self._handler is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handler, "WINDOW")
            self._handler = None
            self._textures.clear()

    def place(
        self, screen: bpy.types.Screen
    ) -> tuple[bpy.types.Area, bpy.types.Region, Arrangement] | None:
        """The sheet's view, region and arrangement now; None if its view is gone."""
        for area in screen.areas:
            for region in area.regions if area.as_pointer() == self._area else ():
                if region.as_pointer() == self._region:
                    scale = bpy.context.preferences.system.ui_scale
                    space = free_space(region, (o for o in area.regions if o.type != "WINDOW"))
                    return area, region, arrange(space, scale)
        return None

    def _draw(self) -> None:
        context = bpy.context
        if context.region is None or context.region.as_pointer() != self._region:
            return
        place = self.place(context.screen)
        if place is None:
            return
        if not self._textures:
            self._textures = [_texture(picture) for picture in self._pictures]
        arrangement = place[2]
        with _transparency():
            radius = _RADIUS * arrangement.scale
            _fill(rounded(arrangement.panel, radius), _PANEL_COLOUR)
            if self.hovered is not None and self.hovered < len(self._textures):
                frame = _grown(arrangement.cells[self.hovered], _FRAME * arrangement.scale)
                _fill(rounded(frame, radius / 2), _FRAME_COLOUR)
            for texture, cell in zip(self._textures, arrangement.cells, strict=False):
                _paste(texture, cell)
            for index, marks in enumerate(self.marked):
                self._draw_marks(arrangement, index, marks)
        _write(self._title, arrangement.title, arrangement)
        _write(translated(HINTS), arrangement.hints, arrangement)

    def _draw_marks(self, arrangement: Arrangement, index: int, marks: set[str]) -> None:
        """Those that a picture has; those that it may get where the mouse is."""
        for mark in MARKS:
            if mark not in marks and index != self.hovered:
                continue
            box = mark_box(arrangement.cells[index], mark, arrangement.scale)
            _fill(rounded(box, box[2] / 4), _BEHIND_MARK)
            for outline in outlines(box, mark):
                _fill(outline, _MARK_COLOURS[mark] if mark in marks else _NO_MARK)


def _grown(box: Box, by: float) -> Box:
    x, y, width, height = box
    return x - by, y - by, width + 2 * by, height + 2 * by


def _texture(picture: ByteArray) -> Any:
    height, width, _ = picture.shape
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = texels(picture[::-1])
    values = gpu.types.Buffer("FLOAT", rgba.size, rgba.ravel().tolist())
    return gpu.types.GPUTexture((width, height), format="RGBA16F", data=values)


def _fill(corners: Float32Array, colour: tuple[float, ...]) -> None:
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    fan = [(0, number, number + 1) for number in range(1, len(corners) - 1)]
    batch = batch_for_shader(shader, "TRIS", {"pos": corners.tolist()}, indices=fan)
    shader.bind()
    shader.uniform_float("color", colour)
    batch.draw(shader)


def _paste(texture: Any, box: Box) -> None:
    x, y, width, height = box
    shader = gpu.shader.from_builtin("IMAGE")
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    content = {"pos": corners, "texCoord": [(0, 0), (1, 0), (1, 1), (0, 1)]}
    batch = batch_for_shader(shader, "TRI_FAN", content)
    shader.bind()
    shader.uniform_sampler("image", texture)
    batch.draw(shader)


def _write(text: str, place: tuple[float, float], arrangement: Arrangement) -> None:
    """A line, smaller where the sheet is narrower than it."""
    size = _TEXT_SIZE * arrangement.scale
    blf.size(_FONT, size)
    room = arrangement.panel[2] - 2 * _GAP * arrangement.scale
    width = blf.dimensions(_FONT, text)[0]
    if width > room > 0:
        blf.size(_FONT, size * room / width)
    blf.color(_FONT, *_TEXT_COLOUR)
    x, y = place
    blf.position(_FONT, x, y + 0.2 * _TITLE_HEIGHT * arrangement.scale, 0.0)
    blf.draw(_FONT, text)


@contextmanager
def _transparency() -> Iterator[None]:
    """Transparency on, and afterwards as it was."""
    before = gpu.state.blend_get()
    gpu.state.blend_set("ALPHA")
    try:
        yield
    finally:
        gpu.state.blend_set(before)
