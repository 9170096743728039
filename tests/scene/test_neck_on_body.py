# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads exported with the same edge of the neck, set on a body that is modelled to one of them."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.wear.neck import neck_rings
from facegen_addon.scene.export.files import HeadSource, export_head
from facegen_addon.scene.export.parts import ExportSettings
from tests.scene.exported_files import read_alone

MODEL = load_head_model("person")
ON_BODY = ExportSettings(hair="none", textures=0, neck="same-edge")
WELD = 1e-5
"""Metres: nearer vertices are one, as Merge by Distance has them."""


@dataclass(frozen=True)
class Read:
    """A file's skin: vertices (V, 3) metres, the corners of each face and their normals (L, 3)."""

    vertices: np.ndarray
    faces: list[list[int]]
    corners: np.ndarray
    normals: np.ndarray


def exported(path: Path, parameters: np.ndarray) -> Read:
    """A head written to a file and read by Blender's importer."""
    done = export_head(path, HeadSource("Ada", MODEL, parameters), ON_BODY)
    read_alone(done.path, merge_vertices=True)
    (skin,) = (o for o in bpy.context.scene.objects if o.type == "MESH")
    matrix = np.array(skin.matrix_world)
    places = np.array([vertex.co[:] for vertex in skin.data.vertices])
    normals = np.array([one.vector[:] for one in skin.data.corner_normals]) @ matrix[:3, :3].T
    return Read(
        places @ matrix[:3, :3].T + matrix[:3, 3],
        [list(polygon.vertices) for polygon in skin.data.polygons],
        np.array([loop.vertex_index for loop in skin.data.loops]),
        normals / np.linalg.norm(normals, axis=1, keepdims=True),
    )


def body(edge: np.ndarray) -> tuple[np.ndarray, list[list[int]]]:
    """A torso modelled to a neck's edge (K, 3): rings that begin there, and their quads."""
    count = len(edge)
    rings = np.concatenate([edge - np.array([0.0, 0.0, 0.04 * row]) for row in range(3)])
    quads = [
        [row * count + at, (row + 1) * count + at, (row + 1) * count + beside, row * count + beside]
        for row in range(2)
        for at, beside in enumerate(np.roll(np.arange(count), -1))
    ]
    return rings, quads


@pytest.mark.parametrize("suffix", ["glb", "fbx"])
def test_one_body_fits_every_head(tmp_path: Path, suffix: str) -> None:
    """Welded to it each head leaves no gap, and the light goes over the seam alike."""
    default = MODEL.table.default()
    edge = MODEL.forward(default)[0][neck_rings(MODEL).vertices[0]].astype(float)
    rings, quads = body(edge)
    seen = []
    for number, parameters in enumerate(MODEL.sample_prior(np.random.default_rng(7), 2)):
        head = exported(tmp_path / f"{number}.{suffix}", parameters)
        places = np.concatenate([head.vertices, rings])
        faces = head.faces + [[len(head.vertices) + at for at in quad] for quad in quads]
        nearest = [int(np.argmin(np.linalg.norm(head.vertices - at, axis=1))) for at in edge]
        assert np.linalg.norm(head.vertices[nearest] - edge, axis=1).max() < WELD
        one = np.arange(len(places))
        for at, found in enumerate(nearest):  # glTF may keep several at a seam of the texture
            near = np.linalg.norm(head.vertices - head.vertices[found], axis=1) < WELD
            one[np.append(np.flatnonzero(near), len(head.vertices) + at)] = found
        used = Counter(
            frozenset((int(one[a]), int(one[b])))
            for face in faces
            for a, b in zip(face, [*face[1:], face[0]], strict=True)
        )
        seam = [frozenset(pair) for pair in zip(nearest, [*nearest[1:], nearest[0]], strict=True)]
        assert [used[pair] for pair in seam] == [2] * len(edge), "one face of each side at a seam"
        corner = [np.flatnonzero(one[head.corners] == found) for found in nearest]
        seen.append([head.normals[at].mean(0) for at in corner])
    np.testing.assert_allclose(seen[0], seen[1], atol=0.01)


def test_heads_as_they_are_do_not_fit_one_body() -> None:
    """Else the test above would pass whatever an export does."""
    ring = neck_rings(MODEL).vertices[0]
    heads = MODEL.forward(MODEL.sample_prior(np.random.default_rng(7), 2))
    assert np.linalg.norm(heads[0][ring] - heads[1][ring], axis=1).max() > 100 * WELD
