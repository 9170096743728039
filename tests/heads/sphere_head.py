# SPDX-License-Identifier: GPL-3.0-or-later
"""A head model as a user would add one: an egg with eyes, a mouth, hair and a neck that turns.

One file and one entry in HEAD_MODELS: tests add it and nothing else.
"""

from functools import cached_property

import numpy as np

from facegen_addon.heads.appearance_parameters import appearance_parameters
from facegen_addon.heads.correspondence import SurfacePoints, Target, stack_features
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.parameters import Parameter, ParameterTable
from facegen_addon.heads.rig import JointSliders, Rig
from facegen_addon.heads.strands import BEARD, BROW, MOUSTACHE, SCALP, StrandSet
from facegen_addon.heads.surface import PART_NAMES, Surface

HALF_AXES = np.array([0.075, 0.095, 0.115])
CENTRE = np.array([0.0, 0.0, 0.09])
NECK = np.array([0.0, 0.0, 0.02])
ROWS, COLUMNS = 36, 48
EYE_RADIUS = 0.013
ABOVE, ASIDE = 8.0, 24.0
"""Degrees from straight ahead to where the eyes are."""

OWN_ROWS = (
    Parameter("width", "Width", "shape", 0.8, 1.2, 1.0, 0.07, "", True),
    Parameter("height", "Height", "shape", 0.9, 1.1, 1.0, 0.03, "", True),
    Parameter("smile", "Smile", "expression", 0.0, 1.0, 0.0, 0.0, "", False),
    Parameter("nod", "Nod", "pose", -0.6, 0.6, 0.0, 0.0, "rad", False),
    Parameter("turn", "Turn", "pose", -0.8, 0.8, 0.0, 0.0, "rad", False),
    Parameter("tilt", "Tilt", "pose", -0.4, 0.4, 0.0, 0.0, "rad", False),
)


def on_egg(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """Degrees (N,), to the viewer's right and up -> points (N, 3)."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return CENTRE + HALF_AXES * np.stack(
        [np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)], axis=1
    )


def angles(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of `on_egg`."""
    x, y, z = ((points - CENTRE) / HALF_AXES).T
    return np.degrees(np.arctan2(x, -y)), np.degrees(np.arctan2(z, np.hypot(x, y)))


def shell(lowest: float, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Azimuth and elevation (N, 2) of a pole and rings below it, triangles (T, 3), uv (T, 3, 2)."""
    elevation, azimuth = np.meshgrid(
        np.linspace(90.0, lowest, rows + 1)[1:],
        np.linspace(-180.0, 180.0, columns, endpoint=False),
        indexing="ij",
    )
    grid = np.concatenate([[[0.0, 90.0]], np.stack([azimuth.ravel(), elevation.ravel()], 1)])
    row, column = (i.ravel() for i in np.meshgrid(range(rows), range(columns), indexing="ij"))

    def corners(*steps: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (C, 3) and uv (C, 3, 2) of triangles, by the steps down and right in a cell."""
        at, place = (
            i[:, None] + step for i, step in zip((row, column), np.transpose(steps), strict=True)
        )
        index = np.where(at == 0, 0, 1 + (at - 1) * columns + place % columns)
        return index, np.stack([place / columns, 1.0 - at / rows], axis=2)

    halves = corners((0, 0), (1, 0), (1, 1)), corners((0, 0), (1, 1), (0, 1))
    faces, uv = (np.concatenate(both) for both in zip(*halves, strict=True))
    whole = np.array([len(set(face)) == 3 for face in faces.tolist()])
    return grid, faces[whole], uv[whole].astype(np.float32)


def eye_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions (N, 3) of an eyeball's vertices, its pole ahead; triangles; uv."""
    grid, faces, uv = shell(-80.0, 8, 12)
    a, e = np.radians(grid).T
    return np.stack([np.sin(a) * np.cos(e), -np.sin(e), -np.cos(a) * np.cos(e)], 1), faces, uv


def box(azimuth: np.ndarray, elevation: np.ndarray, *within: float) -> np.ndarray:
    """Whether directions lie in a box: half a width about 0 or both sides, low and high."""
    low, high, down, up = within
    side = np.abs(azimuth)
    return ((side >= low) & (side <= high) & (elevation >= down) & (elevation <= up)).astype(float)


def landmark_angles() -> np.ndarray:
    """Azimuth and elevation (68, 2) of the iBUG points."""
    around = np.radians(np.arange(180, -180, -60))
    jaw = [(a, -8.0 - 46.0 * np.cos(np.radians(a)) ** 2) for a in np.linspace(-80, 80, 17)]
    brows = [(a, 26.0) for a in (-38, -32, -25, -18, -12, 12, 18, 25, 32, 38)]
    nose = [(0, 16), (0, 9), (0, 2), (0, -5), (-6, -11), (-3, -12), (0, -12), (3, -12), (6, -11)]
    size = 0.8 * np.degrees(EYE_RADIUS / HALF_AXES[0])  # what of the balls stands out
    eyes = [
        (side * ASIDE + size * np.cos(t), ABOVE + 0.8 * size * np.sin(t))
        for side in (-1, 1)
        for t in around
    ]
    outer = [(12 * np.cos(t), -28 + 5 * np.sin(t)) for t in np.radians(np.arange(180, -180, -30))]
    inner = [(8 * np.cos(t), -28 + 2 * np.sin(t)) for t in np.radians(np.arange(180, -180, -45))]
    return np.array([*jaw, *brows, *nose, *eyes, *outer, *inner])


class SphereHead(HeadModel):
    """An egg of some 2,000 vertices."""

    name = "sphere"

    def __init__(self) -> None:
        self.table = ParameterTable([*OWN_ROWS, *appearance_parameters()])

    @property
    def sources(self) -> dict[str, str]:
        """The code alone makes it; a version stands for it."""
        return {"sphere head": "version 1"}

    @cached_property
    def surface(self) -> Surface:
        """An egg that is open at the neck, and two eyeballs; no tongue."""
        grid, faces, uv = shell(-62.0, ROWS, COLUMNS)
        ball, ball_faces, ball_uv = eye_grid()
        centres = 0.97 * (on_egg(np.array([ASIDE, -ASIDE]), np.full(2, ABOVE)) - CENTRE) + CENTRE
        eyes = [centre + EYE_RADIUS * ball for centre in centres]
        skin, count = on_egg(*grid.T), len(ball)
        part = np.repeat(np.array([0, 2, 3], np.int8), [len(skin), count, count])
        first = (len(skin), len(skin) + count)
        return Surface(
            faces=np.concatenate([faces, *(ball_faces + start for start in first)]).astype(
                np.int32
            ),
            uv=np.concatenate([uv, ball_uv, ball_uv]),
            part=part,
            part_names=PART_NAMES,
            masks=self._masks(*grid.T, len(part)),
            fields=self._fields(*grid.T, len(part)),
            rest_position=np.concatenate([skin, *eyes]).astype(np.float32),
            gaze=np.concatenate([np.zeros_like(skin), ball, ball]).astype(np.float32),
        )

    @staticmethod
    def _masks(azimuth: np.ndarray, elevation: np.ndarray, count: int) -> dict[str, np.ndarray]:
        boxes = {
            "lips": (0, 14, -35, -21),
            "mouth": (400, 401, 0, 0),
            "ears": (83, 100, -6, 10),
            "cheeks": (18, 45, -25, -5),
            "nose": (0, 8, -15, 5),
            "orbit": (10, 38, -4, 20),
            "lid": (12, 36, -2, 18),
            "scalp": (0, 180, 45, 90),
            "brow": (10, 40, 22, 30),
            "beard": (0, 70, -62, -16),
        }
        pad = (0, count - len(azimuth))
        return {
            name: np.pad(box(azimuth, elevation, *within), pad).astype(np.float32)
            for name, within in boxes.items()
        }

    @staticmethod
    def _fields(azimuth: np.ndarray, elevation: np.ndarray, count: int) -> dict[str, np.ndarray]:
        line = 10.0 + 35.0 * np.cos(np.radians(azimuth))
        degree = np.radians(1.0) * HALF_AXES[2]
        fields = {"hairline": degree * (elevation - line), "beard": degree * (-16.0 - elevation)}
        pad = (0, count - len(azimuth))
        return {name: np.pad(v, pad).astype(np.float32) for name, v in fields.items()}

    @cached_property
    def strands(self) -> StrandSet:
        """Some hundred of each kind, at the middle of triangles."""
        rng, surface = np.random.default_rng(0), self.surface
        skin = np.flatnonzero(surface.part[surface.faces[:, 0]] == 0)
        corners = surface.faces[skin]
        middle = surface.rest_position[corners].mean(1).astype(np.float64)
        side, elevation = angles(middle)
        hairline, beard = (surface.fields[n][corners].mean(1) for n in ("hairline", "beard"))
        kinds = (
            (SCALP, hairline > 0, hairline),
            (BROW, box(side, elevation, 10, 40, 22, 30) > 0, 0.002 * (elevation - 26.0)),
            (BEARD, (beard > 0) & (np.abs(side) < 70) & (elevation < -36), beard),
            (MOUSTACHE, box(side, elevation, 0, 12, -20, -16) > 0, beard),
        )
        rows = [rng.choice(np.flatnonzero(there), 150) for _, there, _ in kinds]
        return StrandSet(
            triangle=skin[np.concatenate(rows)],
            bary=np.full((600, 3), 1 / 3, np.float32),
            region=np.repeat(np.array([kind for kind, *_ in kinds], np.uint8), 150),
            field=np.concatenate(
                [field[row] for row, (*_, field) in zip(rows, kinds, strict=True)]
            ).astype(np.float32),
            rank=rng.random(600).astype(np.float32),
            jitter=rng.standard_normal((600, 3)).astype(np.float32),
        )

    @cached_property
    def landmark_embedding(self) -> SurfacePoints:
        """Where the 68 landmarks lie on the triangles of the skin."""
        surface = self.surface
        wanted = on_egg(*landmark_angles().T)
        normals = (wanted - CENTRE) / HALF_AXES**2
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        rest, none = surface.rest_position.astype(np.float64), np.zeros((len(surface.part), 0))
        skin = surface.part[surface.faces[:, 0]] == 0
        target = Target(rest, surface.faces, none, skin)
        return target.closest(wanted, stack_features(wanted, normals, none[: len(wanted)]))

    @property
    def joint_sliders(self) -> dict[str, JointSliders]:
        """The neck turns, the eyes do not."""
        return {"head": JointSliders(("nod", "turn", "tilt"), roll_sign=-1)}

    def forward(self, parameters: np.ndarray) -> np.ndarray:
        """Parameters (N, P) -> vertices (N, V, 3) float32."""
        rows = np.atleast_2d(parameters)
        return np.stack([self._head(row) for row in rows]).astype(np.float32)

    def _head(self, row: np.ndarray) -> np.ndarray:
        rest = self.surface.rest_position.astype(np.float64)
        scale = [self.value(row, "width"), 1.0, self.value(row, "height")]
        raised = self.surface.masks["lips"] * np.abs(rest[:, 0]) * 0.5 * self.value(row, "smile")
        rest = rest * scale + raised[:, None] * [0.0, 0.0, 1.0]
        return self.rig(row).posed(rest)

    def rig(self, parameters: np.ndarray) -> Rig:
        """The root and the neck, which all that is above it follows."""
        z = self.surface.rest_position[:, 2].astype(np.float64)
        above = np.clip((z - NECK[2]) / 0.02, 0.0, 1.0)
        nod, turn, tilt = (self.value(parameters, name) for name in ("nod", "turn", "tilt"))
        return Rig(
            names=("root", "neck"),
            parents=(-1, 0),
            joints=np.stack([np.zeros(3), NECK]),
            turns=np.array([[0.0, 0.0, 0.0], [nod, tilt, turn]]),
            weights=np.stack([1.0 - above, above], axis=1),
        )

    def five_points(self, vertices: np.ndarray) -> np.ndarray:
        """Vertices (..., V, 3) -> eyes, nose tip and mouth corners (..., 5, 3)."""
        points = self.landmarks(vertices)
        eyes = [points[..., 36:42, :].mean(-2), points[..., 42:48, :].mean(-2)]
        return np.stack([*eyes, *(points[..., k, :] for k in (30, 48, 54))], axis=-2)

    def sample_prior(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """n eggs (n, P): each slider by itself."""
        table = self.table
        values = table.mean + table.std * rng.standard_normal((n, len(table)))
        return np.clip(values, table.minimum, table.maximum)
