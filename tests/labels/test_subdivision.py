# SPDX-License-Identifier: GPL-3.0-or-later
"""The subdivided surface: Catmull and Clark's rules, and what Blender makes of the same mesh."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.correspondence import SurfacePoints
from facegen_addon.labels.subdivision import Subdivision

CLOSED = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [3, 2, 1]])
"""A tetrahedron."""
FAN = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4]])
"""Three triangles around vertex 0, all of whose vertices are on the open edge."""
SHARES = st.tuples(*[st.floats(0.01, 1.0)] * 3).map(lambda shares: np.array(shares) / sum(shares))


@pytest.fixture
def corners(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(5, 3))


def points_of(
    mesh: Subdivision, triangle: int, bary: np.ndarray, vertices: np.ndarray
) -> np.ndarray:
    """One point (3,) of a triangle, on the subdivided surface."""
    return mesh.points(SurfacePoints(np.array([triangle]), bary[None])).read(vertices)[0]


def test_a_closed_mesh_follows_the_rules(corners: np.ndarray) -> None:
    """Written out for vertex 0 and the edge from it to vertex 1."""
    p, q, r, s = corners[:4]
    result = Subdivision.of(CLOSED, 4).apply(corners[:4])
    assert result.shape == (4 + 6 + 4, 3)
    middles = [(p + q + r) / 3, (p + r + s) / 3, (p + s + q) / 3]
    np.testing.assert_allclose(result[10], middles[0])
    np.testing.assert_allclose(result[4], (p + q + middles[0] + middles[2]) / 4)
    around = np.mean([(p + other) / 2 for other in (q, r, s)], axis=0)
    np.testing.assert_allclose(result[0], (np.mean(middles, axis=0) + 2 * around) / 3)


def test_open_edges_are_cubic_splines_whatever_lies_inside(corners: np.ndarray) -> None:
    result = Subdivision.of(FAN, 5).apply(corners)
    np.testing.assert_allclose(result[0], (corners[1] + 6 * corners[0] + corners[4]) / 8)
    np.testing.assert_allclose(result[2], (corners[1] + 6 * corners[2] + corners[3]) / 8)
    np.testing.assert_allclose(result[5], (corners[0] + corners[1]) / 2)
    inner = (corners[0] + corners[1] + corners[2]) / 3, (corners[0] + corners[2] + corners[3]) / 3
    np.testing.assert_allclose(result[6], (corners[0] + corners[2] + sum(inner)) / 4)


@pytest.mark.parametrize("faces", [CLOSED, FAN])
def test_quads_tile_the_triangles(faces: np.ndarray) -> None:
    """Each triangle's three go round as it does and share its middle; edges are used twice."""
    count = int(faces.max()) + 1
    mesh = Subdivision.of(faces, count)
    assert mesh.quads.shape == (3 * len(faces), 4)
    np.testing.assert_array_equal(mesh.quads[:, 0], faces.ravel())
    middle = mesh.quads[:, 2].reshape(-1, 3)
    np.testing.assert_array_equal(middle, np.repeat(middle[:, :1], 3, axis=1))
    leaving = mesh.quads[:, [0, 1]]
    ends = np.stack([faces.ravel(), np.roll(faces, -1, axis=1).ravel()], axis=1)
    for (corner, edge), (start, end) in zip(leaving, ends, strict=True):
        arriving = mesh.quads[:, [0, 3]].tolist()
        assert corner == start and [end, edge] in arriving


def test_a_flat_mesh_stays_flat_and_moves_with_its_vertices(corners: np.ndarray) -> None:
    mesh = Subdivision.of(FAN, 5)
    np.testing.assert_allclose(mesh.apply(corners * [1, 1, 0])[:, 2], 0, atol=1e-15)
    turn = np.linalg.qr(corners[:3])[0]
    np.testing.assert_allclose(mesh.apply(corners @ turn + 2.0), mesh.apply(corners) @ turn + 2.0)


@given(bary=SHARES, triangle=st.integers(0, 3), seed=st.integers(0, 100))
def test_points_lie_on_the_subdivided_surface(bary: np.ndarray, triangle: int, seed: int) -> None:
    """In the half quad at the corner whose share is largest."""
    vertices = np.random.default_rng(seed).normal(size=(4, 3))
    mesh = Subdivision.of(CLOSED, 4)
    fine = mesh.apply(vertices)
    point = points_of(mesh, triangle, bary, vertices)
    corner, leaving, middle, coming = fine[mesh.quads[3 * triangle + bary.argmax()]]
    misses = []
    for edge in (leaving, coming):
        shares, *_ = np.linalg.lstsq(
            np.vstack([np.stack([corner, edge, middle], axis=1), np.ones(3)]),
            np.append(point, 1.0),
            rcond=None,
        )
        inside = (shares > -1e-9).all()
        miss = np.abs(np.stack([corner, edge, middle], axis=1) @ shares - point).max()
        misses.append(miss if inside else np.inf)
    assert min(misses) < 1e-9


@pytest.mark.parametrize("k", range(3))
def test_corners_edges_and_middles_are_read_exactly(corners: np.ndarray, k: int) -> None:
    mesh = Subdivision.of(FAN, 5)
    fine = mesh.apply(corners)
    corner, leaving, middle, _ = fine[mesh.quads[3 + k]]
    spots = {0: np.eye(3)[k], 1: (np.eye(3)[k] + np.eye(3)[(k + 1) % 3]) / 2, 2: np.full(3, 1 / 3)}
    for spot, expected in zip(spots.values(), (corner, leaving, middle), strict=True):
        np.testing.assert_allclose(points_of(mesh, 1, spot, corners), expected, atol=1e-12)


def test_points_of_quads_are_read_exactly() -> None:
    corners = np.random.default_rng(4).normal(size=(4, 3))
    mesh = Subdivision.of(np.array([[0, 1, 2, 3]]), 4)
    fine = mesh.apply(corners)
    origin, right, opposite, top = mesh.quads
    spots = {
        (0, (0.5, 0.0, 0.5)): origin[2],
        (1, (0.5, 0.5, 0.0)): origin[2],
        (0, (0.5, 0.5, 0.0)): origin[1],
        (0, (0.0, 0.5, 0.5)): right[2],
        (1, (0.0, 0.5, 0.5)): top[2],
        (1, (0.5, 0.0, 0.5)): origin[3],
        (0, (1.0, 0.0, 0.0)): origin[0],
        (0, (0.0, 1.0, 0.0)): right[1],
        (0, (0.0, 0.0, 1.0)): opposite[2],
        (1, (0.0, 0.0, 1.0)): top[3],
    }
    for (half, bary), place in spots.items():
        found = points_of(mesh, half, np.array(bary), corners)
        np.testing.assert_allclose(found, fine[place], atol=1e-12)


@given(bary=SHARES, seed=st.integers(0, 100))
def test_points_move_continuously(bary: np.ndarray, seed: int) -> None:
    """A little to the side on the triangle is a little to the side on the surface."""
    vertices = np.random.default_rng(seed).normal(size=(4, 3))
    mesh = Subdivision.of(CLOSED, 4)
    step = 1e-7 * np.array([1.0, -2.0, 1.0])
    near, far = (points_of(mesh, 2, spot, vertices) for spot in (bary, bary + step))
    assert np.linalg.norm(near - far) < 1e-5


def test_many_heads_are_read_at_once(rng: np.random.Generator) -> None:
    mesh = Subdivision.of(FAN, 5)
    heads = rng.normal(size=(2, 3, 5, 3))
    stencils = mesh.points(SurfacePoints(np.array([0, 2]), np.full((2, 3), 1 / 3)))
    assert len(stencils) == 2 and mesh.apply(heads).shape == (2, 3, 5 + 7 + 3, 3)
    np.testing.assert_allclose(stencils.read(heads)[1, 2], stencils.read(heads[1, 2]))
    np.testing.assert_allclose(mesh.apply(heads)[1, 2], mesh.apply(heads[1, 2]))


BROKEN = {
    "two triangles at a vertex": ([[0, 1, 2], [0, 3, 4]], 5),
    "three triangles at an edge": ([[0, 1, 2], [1, 0, 3], [0, 1, 4]], 5),
    "neighbours that go round differently": ([[0, 1, 2], [0, 1, 3]], 4),
    "a vertex of no triangle": ([[0, 1, 2]], 4),
}


@pytest.mark.parametrize(("faces", "count"), BROKEN.values(), ids=BROKEN)
def test_blender_makes_the_same_of_what_is_no_surface(
    faces: list[list[int]], count: int, rng: np.random.Generator
) -> None:
    """A user's FLAME file may hold anything."""
    bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")
    from facegen_addon.scene.head.objects import add_subdivision

    bpy.ops.wm.read_factory_settings(use_empty=True)
    vertices = rng.normal(size=(count, 3))
    data = bpy.data.meshes.new("Broken")
    data.from_pydata(vertices.tolist(), [], faces)
    owner = bpy.data.objects.new("Broken", data)
    bpy.context.scene.collection.objects.link(owner)
    add_subdivision(owner, 1)
    evaluated = owner.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    theirs = np.array([vertex.co[:] for vertex in evaluated.vertices])
    ours = Subdivision.of(np.array(faces), count).apply(vertices)
    distance = np.linalg.norm(ours[:, None] - theirs, axis=2)
    assert ours.shape == theirs.shape
    assert sorted(distance.argmin(1)) == list(range(len(ours)))
    assert distance.min(1).max() < 1e-6


@pytest.mark.parametrize("name", ["open_flame", "anny", "person"])
@pytest.mark.parametrize("seed", [0, 1])
def test_blender_makes_the_same_surface(name: str, seed: int) -> None:
    """Vertices, triangles' middles and triangulation in the same order; edges in another."""
    bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")
    from facegen_addon.scene.head.head_object import HeadObject

    bpy.ops.wm.read_factory_settings(use_empty=True)
    model = load_head_model(name)
    head = HeadObject.create(model, bpy.context.scene.collection)
    vertices = head.set_parameters(model.sample_prior(np.random.default_rng(seed), 1)[0])
    evaluated = head.mesh_object.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    theirs = np.empty((len(evaluated.vertices), 3), np.float32)
    evaluated.vertices.foreach_get("co", theirs.ravel())
    quads = np.empty((len(evaluated.polygons), 4), np.int32)
    evaluated.polygons.foreach_get("vertices", quads.ravel())

    mesh = Subdivision.of(model.surface.polygons, len(vertices))
    ours = mesh.apply(vertices)
    assert ours.shape == theirs.shape and quads.shape == mesh.quads.shape
    # Quads come in the same order: they say which of ours each of theirs is.
    place = np.full(len(theirs), -1)
    place[quads.ravel()] = mesh.quads.ravel()
    np.testing.assert_array_equal(np.sort(place), np.arange(len(ours)))
    np.testing.assert_array_equal(place[quads], mesh.quads)
    np.testing.assert_allclose(ours[place], theirs, rtol=0, atol=1e-6)

    evaluated.calc_loop_triangles()
    triangles = np.empty((len(evaluated.loop_triangles), 3), np.int32)
    evaluated.loop_triangles.foreach_get("vertices", triangles.ravel())
    cut = (triangles.reshape(-1, 2, 3) == quads[:, [[0, 1, 2], [0, 2, 3]]]).all((1, 2))
    assert cut.mean() > 0.999  # Blender cuts a quad with a dent the other way
