# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the labels of one image agree with each other, and where they do not.

Landmarks come from the head's vertices and the camera, label images from the renderer: nothing but
the truth makes them agree. Lengths are metres and image coordinates pixels, as in `camera`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import AnyArray, BoolArray, FloatArray, IntArray
from ..heads.landmarks import LANDMARK_COUNT
from .camera import Camera
from .maps import CLASSES, LabelMaps, LandmarkLabels

OUTSIDE, HIDDEN, VISIBLE = range(3)
"""Values of LandmarkLabels.visibility."""
HEAD_CLASSES = ("skin", "lips", "mouth", "eyes", "ears", "neck")
"""Classes of the head's own surface, and of the bare chest below it."""
WORN_CLASSES = ("clothes", "glasses", "headwear")

DEPTH_TOLERANCE = 1e-3
"""Metres by which a landmark's depth may differ from that of the surface rendered there."""
_FLAT_DEPTH, _FLAT_NORMALS = 5e-4, np.cos(np.radians(10.0))
"""A patch of 3 x 3 pixels resolves the surface if no depth leaves their common plane by more
metres, and no normal their mean by more. Else it is an edge, a groove, or too curved for its
pixels; on a sphere, the plane misses the middle by as much as the depths leave it."""
_STEEPEST = 3e-3
"""Metres of depth a pixel, at most: each depth is that of some place within its pixel, which few
samples may put a tenth of a pixel off its middle."""
_GROOVE = 1.5
"""Pixels: how deep a groove may be that is too narrow for the image to show."""
_PROJECTION_TOLERANCE = 1e-3  # pixels
_SEEN_TOLERANCE = 1e-5  # metres
_NEAR_PIXELS, _NEAR_METRES = 1.5, 0.0025
"""How far a landmark may lie from the class it belongs to, whichever is more."""
_RESOLVABLE = 3.0
"""Pixels between the corners and between the lids from which on an eye has a pixel of its own."""
_TURNED = 10.0
"""Degrees between the normals and those of the depth: more is a step within a pixel, or an error
where it is the median."""
_AWAY = 0.2
"""Cosine between a normal and the ray that sees it: interpolated normals bend back at outlines."""
_STRAY, _SEAMS, _STRAY_PIXELS = 0.01, 0.2, 16
"""Shares of the head's pixels that may break rules which hold but on outlines and on seams of its
texture, and how many more, for heads of few pixels."""
_FEW = 5
"""Points that a median needs."""


def _square(reach: int) -> IntArray:
    """Rows and columns (N, 2) of a square of pixels, from its middle."""
    steps = np.arange(-reach, reach + 1)
    return np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)


@dataclass(frozen=True)
class _Group:
    """Landmarks that lie on or beside some classes.

    Skin is one of them unless the image resolves what they surround: unless both of each of
    ``pairs`` are visible, more than _RESOLVABLE pixels apart.
    """

    name: str
    members: tuple[int, ...]
    classes: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...] = ()


_GROUPS = (
    _Group("jaw", tuple(range(17)), ("skin", "neck", "ears", "beard", "hair")),
    _Group("brow", tuple(range(17, 27)), ("brows", "skin", "hair")),
    _Group("nose", tuple(range(27, 36)), ("skin", "beard")),
    _Group("eye's corner", (36, 39, 42, 45), ("eyes", "skin")),
    _Group("right lid", (37, 38, 40, 41), ("eyes",), ((36, 39), (37, 41), (38, 40))),
    _Group("left lid", (43, 44, 46, 47), ("eyes",), ((42, 45), (43, 47), (44, 46))),
    _Group("lips", tuple(range(48, 68)), ("lips", "mouth"), ((48, 54), (51, 57))),
)


@dataclass(frozen=True)
class LabelCheck:
    """What a check found: problems, one line each; the largest difference in depth, millimetres,
    among the landmarks (and dense points) whose depth could be compared, and their number."""

    problems: tuple[str, ...]
    worst_depth_mm: float
    landmarks_checked: int


def check_labels(maps: LabelMaps, camera: Camera, landmarks: LandmarkLabels) -> LabelCheck:
    """Compare label images, camera and landmarks (68 and more, the iBUG ones first).

    Pixels and depths of all points follow from the camera. The depth image has the depth of each
    visible point to DEPTH_TOLERANCE, where the image resolves the surface; landmarks lie on, or
    within 2.5 mm or 1.5 pixels of, classes that they belong to, and no point in the midst of the
    head on background. Depth, normals and texture coordinates are there where the segmentation has
    a surface that has them, and nowhere else; normals face the camera and are those of the depth.
    """
    problems = list(_shape_problems(maps, camera, landmarks))
    if problems:
        return LabelCheck(tuple(problems), 0.0, 0)
    points = _Points(maps, camera, landmarks)
    depths = _Depths.of(points)
    problems = [
        *_projection_problems(camera, landmarks),
        *depths.problems(),
        *_class_problems(points),
        *_hole_problems(points),
        *_pixel_problems(maps, camera),
    ]
    return LabelCheck(tuple(problems), depths.worst_mm, int(depths.resolved.sum()))


def _shape_problems(maps: LabelMaps, camera: Camera, landmarks: LandmarkLabels) -> Iterator[str]:
    """Arrays that do not fit together; nothing else can be checked then."""
    size, count = (camera.height, camera.width), len(landmarks.world)
    expected: dict[str, tuple[AnyArray, tuple[int, ...]]] = {
        "segmentation": (maps.segmentation, size),
        "depth": (maps.depth, size),
        "normals": (maps.normals, (*size, 3)),
        "uv": (maps.uv, (*size, 2)),
        "uv_valid": (maps.uv_valid, size),
        "world": (landmarks.world, (count, 3)),
        "pixels": (landmarks.pixels, (count, 2)),
        "landmarks' depth": (landmarks.depth, (count,)),
        "visibility": (landmarks.visibility, (count,)),
    }
    for name, (array, shape) in expected.items():
        if array.shape != shape:
            yield f"{name} is of shape {array.shape}, {shape} expected"
        elif not np.isfinite(array).all():
            yield f"{name} has NaN or infinite values"
    if count < LANDMARK_COUNT:
        yield f"{count} landmarks, {LANDMARK_COUNT} or more expected"
    if maps.segmentation.max(initial=0) >= len(CLASSES):
        yield f"the segmentation has class {maps.segmentation.max()}, {len(CLASSES) - 1} at most"


def _name(point: int) -> str:
    return f"landmark {point}" if point < LANDMARK_COUNT else f"dense point {point}"


class _Points:
    """The visible points: rows (M,) of the landmarks, and the pixel (M, 2) row, column of each."""

    def __init__(self, maps: LabelMaps, camera: Camera, landmarks: LandmarkLabels) -> None:
        self.maps, self.camera, self.landmarks = maps, camera, landmarks
        pixel = np.floor(landmarks.pixels[:, ::-1]).astype(np.intp)
        inside = ((pixel >= 0) & (pixel < maps.depth.shape)).all(1)
        self.rows = np.flatnonzero((landmarks.visibility == VISIBLE) & inside)
        self.pixel = pixel[self.rows]

    def place(self, point: int) -> str:
        """A point and its pixel, in words."""
        x, y = self.landmarks.pixels[point]
        return f"{_name(point)} at pixel ({x:.1f}, {y:.1f})"

    def patches(self, image: AnyArray, reach: int = 1) -> AnyArray:
        """The 3 x 3 pixels (M, 9, ...) of an image around each, or more; 0 beyond its border."""
        padded = np.pad(image, [(reach, reach)] * 2 + [(0, 0)] * (image.ndim - 2))
        around = self.pixel[:, None] + reach + _square(reach)
        found: AnyArray = padded[around[..., 0], around[..., 1]]
        return found


@dataclass(frozen=True)
class _Depths:
    """The depth around points (K,) in the midst of 3 x 3 pixels of the head.

    rows (K,) of the landmarks; plane (K, 3) of inverse depth, fitted to the nine: slopes along x
    and y in pixels, and the value at the image's corner; flat (K,): whether both depths and normals
    are those of a plane; turn (K,): degrees between these two planes; around (K, 2): the least and
    the largest depth of the 5 x 5 pixels, as those on an edge are means of both its sides.
    """

    points: _Points
    rows: Annotated[IntArray, "K"]
    plane: Annotated[FloatArray, "K 3"]
    flat: Annotated[BoolArray, "K"]
    turn: Annotated[FloatArray, "K"]
    around: Annotated[FloatArray, "K 2"]

    @classmethod
    def of(cls, points: _Points) -> _Depths:
        """Those of the visible points around which all nine pixels are the head's."""
        depth = points.patches(points.maps.depth.astype(np.float64))
        head = np.isin(points.patches(points.maps.segmentation), _indices(HEAD_CLASSES))
        whole = (head & (depth > 0)).all(1)
        plane, off = _planes(depth[whole], points.pixel[whole, ::-1] + 0.5)
        steepness = np.hypot(plane[:, 0], plane[:, 1]) * depth[whole, 4] ** 2
        normals = points.patches(points.maps.normals)[whole]
        mean = _unit(normals.mean(1))
        spread = (normals * mean[:, None]).sum(2).min(1)
        flat = (off < _FLAT_DEPTH) & (spread > _FLAT_NORMALS) & (steepness < _STEEPEST)
        # Where inverse depth is p . (u, v, 1), the plane is (K^T p) . X = 1: it points away.
        facing = _unit(-plane @ points.camera.intrinsics)
        turn = np.degrees(np.arccos(np.clip((facing * mean).sum(1), -1.0, 1.0)))
        wide = points.patches(points.maps.depth, reach=2)[whole].astype(np.float64)
        least = np.where(wide > 0, wide, np.inf).min(1)
        around = np.stack([least, wide.max(1)], axis=1)
        return cls(points, points.rows[whole], plane, flat, turn, around)

    @property
    def resolved(self) -> Annotated[BoolArray, "K"]:
        """Where (K,) the patch shows the surface, and no step that looks like a slope."""
        return self.flat & (self.turn < _TURNED)

    @property
    def found(self) -> Annotated[FloatArray, "K"]:
        """Depth (K,) of the planes at the points; where there is none, what is expected, or the
        nearest to it of the depths around."""
        at = np.column_stack([self.points.landmarks.pixels[self.rows], np.ones(len(self.rows))])
        inverse = np.where(self.resolved, (self.plane * at).sum(1), 1.0)
        among = np.clip(self.expected, *self.around.T)
        return np.where(self.resolved, 1.0 / inverse, among)

    @property
    def expected(self) -> Annotated[FloatArray, "K"]:
        """Depth (K,) of the points by their labels."""
        return self.points.landmarks.depth[self.rows]

    @property
    def worst_mm(self) -> float:
        """The largest difference where there is a plane, millimetres; 0 where there is none."""
        error = np.abs(self.found - self.expected)[self.resolved]
        return 1000.0 * float(error.max(initial=0.0))

    @property
    def limit(self) -> Annotated[FloatArray, "K"]:
        """By how much depths (K,) may differ, metres."""
        pixel = self.expected / self.points.camera.intrinsics[0, 0]
        return DEPTH_TOLERANCE + np.where(self.resolved, 0.0, _GROOVE * pixel)

    def problems(self) -> Iterator[str]:
        """Points whose depth is not that of the surface rendered at their pixel."""
        found, expected = self.found, self.expected
        for k in np.flatnonzero(np.abs(found - expected) > self.limit):
            yield (
                f"{self.points.place(self.rows[k])}: the depth there is {found[k]:.4f} m,"
                f" {expected[k]:.4f} m expected"
            )
        if self.flat.sum() >= _FEW and np.median(self.turn[self.flat]) > _TURNED:
            turn = np.median(self.turn[self.flat])
            yield f"normals turn away from those of the depth by {turn:.0f} degrees in the median"


def _planes(depth: FloatArray, centre: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Planes (K, 3) of inverse depth through 3 x 3 depths (K, 9) around pixels with these centres
    (K, 2), and by how much a depth is off each (K,), metres.

    A plane's inverse depth is linear in pixel coordinates: fitted to the nine by least squares and
    read anywhere among them, it is exact where a surface slopes.
    """
    y, x = _square(1).T
    inverse = 1.0 / depth
    slope_x, slope_y, middle = inverse @ x / 6, inverse @ y / 6, inverse.mean(1)
    fitted = middle[:, None] + slope_x[:, None] * x + slope_y[:, None] * y
    # Where the plane's depth passes infinity, there is no plane.
    off = np.abs(1.0 / np.maximum(fitted, 1e-9) - depth).max(1)
    corner = middle - slope_x * centre[:, 0] - slope_y * centre[:, 1]
    return np.stack([slope_x, slope_y, corner], axis=1), off


def _unit(vectors: FloatArray) -> FloatArray:
    lengths: FloatArray = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)


def _indices(names: tuple[str, ...]) -> list[int]:
    return [CLASSES.index(name) for name in names]


def _projection_problems(camera: Camera, landmarks: LandmarkLabels) -> Iterator[str]:
    """Points that the camera sees elsewhere than their labels say."""
    pixels, depth = camera.project(landmarks.world), camera.seen(landmarks.world)[:, 2]
    off = np.abs(pixels - landmarks.pixels).max(1)
    for point in np.flatnonzero(off > _PROJECTION_TOLERANCE):
        (x, y), (right_x, right_y) = landmarks.pixels[point], pixels[point]
        yield f"{_name(point)}: pixel ({x:.3f}, {y:.3f}), ({right_x:.3f}, {right_y:.3f}) expected"
    for point in np.flatnonzero(np.abs(depth - landmarks.depth) > _SEEN_TOLERANCE):
        yield (
            f"{_name(point)}: depth {landmarks.depth[point]:.5f} m, {depth[point]:.5f} m expected"
        )
    inner = np.minimum(pixels, np.array([camera.width, camera.height]) - pixels).min(1)
    inside = (inner >= 0) & (depth > 0)
    wrong = ((landmarks.visibility != OUTSIDE) != inside) & (np.abs(inner) > _PROJECTION_TOLERANCE)
    for point in np.flatnonzero(wrong | (landmarks.visibility > VISIBLE)):
        x, y = pixels[point]
        yield (
            f"{_name(point)}: visibility {landmarks.visibility[point]} at pixel ({x:.1f}, {y:.1f})"
            f" of {camera.width} x {camera.height}"
        )


def _class_problems(points: _Points) -> Iterator[str]:
    """Landmarks with no class that they may lie on nearby.

    Those on background are left out: at an outline what they lie on may cover too little of any
    pixel, and anywhere else they are holes.
    """
    background = CLASSES.index("background")
    segmentation = points.maps.segmentation[tuple(points.pixel.T)]
    rows = points.rows[segmentation != background]
    for group in _GROUPS:
        names = group.classes if _is_resolved(points, group) else (*group.classes, "skin")
        for point in rows[np.isin(rows, group.members)]:
            limit = _near(points, point)
            if _distance_to(points, point, names) > limit:
                yield (
                    f"{points.place(point)} ({group.name}) lies on"
                    f" {CLASSES[_class_at(points, point)]}, {' or '.join(names)} within"
                    f" {limit:.1f} pixels expected"
                )


def _is_resolved(points: _Points, group: _Group) -> bool:
    """Whether the image shows what a group surrounds, large enough."""
    pairs = np.array(group.pairs, np.intp).reshape(-1, 2)
    ends = points.landmarks.pixels[pairs]
    large = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1) > _RESOLVABLE
    return bool(large.all() and np.isin(pairs, points.rows).all())


def _near(points: _Points, point: int) -> float:
    """How far, in pixels, a class may lie from a landmark of it."""
    focal = float(points.camera.intrinsics[0, 0])
    return max(_NEAR_PIXELS, _NEAR_METRES * focal / float(points.landmarks.depth[point]))


def _class_at(points: _Points, point: int) -> int:
    x, y = np.floor(points.landmarks.pixels[point]).astype(int)
    return int(points.maps.segmentation[y, x])


def _distance_to(points: _Points, point: int, names: tuple[str, ...]) -> float:
    """Pixels from a landmark to the nearest pixel of these classes; infinite beyond its limit."""
    x, y = points.landmarks.pixels[point]
    reach = int(np.ceil(_near(points, point)))
    top, left = max(int(y) - reach, 0), max(int(x) - reach, 0)
    window = points.maps.segmentation[top : int(y) + reach + 1, left : int(x) + reach + 1]
    rows, columns = np.nonzero(np.isin(window, _indices(names)))
    across = np.maximum(np.abs(columns + left + 0.5 - x) - 0.5, 0.0)
    down = np.maximum(np.abs(rows + top + 0.5 - y) - 0.5, 0.0)
    return float(np.hypot(across, down).min(initial=np.inf))


def _hole_problems(points: _Points) -> Iterator[str]:
    """Visible points on background that are not at the head's outline: all around them is the
    head's surface, or nothing is. Beside hair, background may show through."""
    around = points.patches(points.maps.segmentation)
    beside = np.delete(around, 4, axis=1)
    amid = np.isin(beside, _indices(HEAD_CLASSES)).all(1) | (beside == 0).all(1)
    for point in points.rows[(around[:, 4] == 0) & amid]:
        yield f"{points.place(point)} lies on background, the head's surface expected"


def _pixel_problems(maps: LabelMaps, camera: Camera) -> Iterator[str]:
    """Pixels whose labels contradict each other."""
    segmentation = maps.segmentation
    background, head = segmentation == 0, np.isin(segmentation, _indices(HEAD_CLASSES))
    mesh = head | np.isin(segmentation, _indices(WORN_CLASSES))
    length = np.linalg.norm(maps.normals, axis=2)
    outside_uv = maps.uv_valid & ((maps.uv < 0) | (maps.uv > 1)).any(2)
    for wrong, what in (
        (background & (maps.depth != 0), "background that has a depth"),
        (~background & ~(maps.depth > 0), "surfaces without a depth"),
        (background & (length > 0), "background that has a normal"),
        (mesh & (np.abs(length - 1.0) > 0.01), "head or clothes without a unit normal"),
        (maps.uv_valid & ~head, "texture coordinates off the head"),
        (outside_uv, "texture coordinates out of range"),
    ):
        if wrong.any():
            yield f"{_count(wrong)}: {what}"
    yield from _share_problems(maps, camera, head)


def _share_problems(maps: LabelMaps, camera: Camera, head: BoolArray) -> Iterator[str]:
    """What holds for all of the head's pixels but those on outlines and seams."""
    row, column = np.nonzero(head)
    at = np.column_stack([column + 0.5, row + 0.5, np.ones(len(row))])
    rays = at @ np.linalg.inv(camera.intrinsics).T
    above = head & (maps.segmentation != CLASSES.index("neck"))  # a chest has no place there
    away = np.zeros_like(head)
    away[row, column] = (maps.normals[row, column] * _unit(rays)).sum(1) > _AWAY
    for wrong, share, what in (
        (away, _STRAY, "normals that face away from the camera"),
        (above & ~maps.uv_valid, _SEAMS, "the head without texture coordinates"),
    ):
        if wrong.sum() > share * len(row) + _STRAY_PIXELS:
            yield f"{_count(wrong)} of {len(row)}: {what}"


def _count(wrong: BoolArray) -> str:
    """How many pixels, and where the first is."""
    row, column = np.argwhere(wrong)[0]
    return f"{int(wrong.sum())} pixels, first ({column}, {row})"
