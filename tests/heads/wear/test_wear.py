# SPDX-License-Identifier: GPL-3.0-or-later
"""What is worn fits any head: nothing cuts into skin or eyes, and all necks end alike if asked."""

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.levels_of_detail import level_of_detail
from facegen_addon.heads.surface import open_loops
from facegen_addon.heads.wear.fitting import Fitting, head_turn
from facegen_addon.heads.wear.garments import NECKLINES, garment
from facegen_addon.heads.wear.glasses import GLASSES, glasses
from facegen_addon.heads.wear.headwear import HEADWEAR, flattened, headwear
from facegen_addon.heads.wear.neck import neck_cap, neck_rings, with_same_edge
from facegen_addon.heads.wear.outfit import Outfit
from facegen_addon.heads.wear.pieces import Piece
from facegen_addon.heads.wear.torso import Torso

MODEL = load_head_model("person")
HEADS = MODEL.sample_prior(np.random.default_rng(71), 50)
VERTICES = MODEL.forward(HEADS)
SKIN = MODEL.surface.vertices_of("skin")
EARS = MODEL.surface.masks["ears"] > 0.5


def normals(vertices: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3) of a head."""
    faces = MODEL.surface.faces
    a, b, c = vertices[faces].transpose(1, 0, 2)
    total = np.zeros_like(vertices)
    for corner in faces.T:
        np.add.at(total, corner, np.cross(b - a, c - a))
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def around(polygon: np.ndarray) -> list[tuple[int, int]]:
    """The directed edges of a polygon."""
    return list(zip(polygon, np.roll(polygon, -1), strict=True))


def between(rings: np.ndarray) -> np.ndarray:
    """Values of rings (R, K, 3), and one between any two of them, as rows."""
    share = np.arange(2)[:, None, None, None] / 2.0
    rows = np.concatenate(list(rings[:-1] + share * (rings[1:] - rings[:-1])))
    return np.concatenate(list(rows + share * (np.roll(rows, -1, 1) - rows))).reshape(-1, 3)


def deepest(thing: np.ndarray, skin: np.ndarray, out: np.ndarray, within: float) -> float:
    """How far, at most, points (N, 3) lie under skin (V, 3) with normals (V, 3), metres."""
    worst = 0.0
    for part in np.array_split(thing, max(len(thing) // 256, 1)):
        offset = part[:, None] - skin[None]
        squared = (offset**2).sum(2)
        nearest, rows = squared.argmin(1), np.arange(len(part))
        height = (offset[rows, nearest] * out[nearest]).sum(1)
        height = height[squared[rows, nearest] < within**2]
        worst = max(worst, float(-height.min(initial=0.0)))
    return worst


@pytest.mark.parametrize("neckline", NECKLINES)
def test_no_garment_cuts_into_a_neck(neckline: str) -> None:
    rings = neck_rings(MODEL).vertices[:5]
    for vertices in VERTICES:
        worn = garment(Torso.of(MODEL, vertices), neckline)
        assert np.isfinite(worn.vertices).all()
        skin, out = (between(values[rings]) for values in (vertices, normals(vertices)))
        near = worn.vertices[worn.vertices[:, 2] > skin[:, 2].min()][::2]
        assert deepest(near, skin, out, 0.004) < 0.0005


@pytest.mark.parametrize("name", GLASSES)
def test_glasses_keep_off_eyes_and_face(name: str) -> None:
    eyes = [MODEL.surface.vertices_of(f"cornea_{side}") for side in ("left", "right")]
    for parameters, vertices in zip(HEADS[:6], VERTICES[:6], strict=True):
        worn = glasses(Fitting.of(MODEL, vertices, parameters), name)
        face = SKIN & ~EARS & (vertices[:, 2] > worn.vertices[:, 2].min() - 0.01)
        assert deepest(worn.vertices, vertices[face], normals(vertices)[face], 0.006) < 0.002
        for eye in eyes:
            apart = worn.vertices[:, None] - vertices[eye][None]
            assert np.sqrt((apart**2).sum(2)).min() > 0.006


@pytest.mark.parametrize("name", HEADWEAR)
def test_hats_sit_on_the_skull_and_hair_lies_below(name: str) -> None:
    scalp = SKIN & (MODEL.surface.masks["scalp"] > 0.5) & ~EARS
    for parameters, vertices in zip(HEADS[:25], VERTICES[:25], strict=True):
        fitting = Fitting.of(MODEL, vertices, parameters)
        worn = headwear(fitting, name)
        out = normals(vertices)
        assert deepest(worn.vertices, vertices[scalp], out[scalp], 0.006) < 0.001
        assert worn.vertices[:, 2].max() > vertices[:, 2].max() + 0.004
        top = vertices[vertices[:, 2].argmax()]
        wild = top + np.array([[0.0, 0.0, 0.1], [0.05, 0.0, 0.06], [0.0, 0.0, -0.02]])
        flat = flattened(fitting, name, wild)
        assert (flat[:2, 2] < worn.vertices[:, 2].max()).all()
        np.testing.assert_allclose(flat[2], wild[2])  # inside the skull already


def test_glasses_and_hats_turn_with_the_head() -> None:
    head = HEADS[3].copy()
    still = [thing(head) for thing in (_glasses, _hat)]
    for slider, turn in (("head_z", 0.4), ("neck_x", 0.2), ("head_y", -0.2)):
        head[MODEL.table.index(slider)] = turn
    turn = head_turn(MODEL, head)
    assert not np.allclose(turn, np.eye(3), atol=0.1)
    for before, after in zip(still, (thing(head) for thing in (_glasses, _hat)), strict=True):
        upright = after.vertices @ turn
        moved = upright - before.vertices
        assert np.linalg.norm(moved - moved.mean(0), axis=1).max() < 0.015


def _glasses(parameters: np.ndarray) -> Piece:
    return glasses(Fitting.of(MODEL, MODEL.forward(parameters)[0], parameters), "round")


def _hat(parameters: np.ndarray) -> Piece:
    return headwear(Fitting.of(MODEL, MODEL.forward(parameters)[0], parameters), "beanie")


def test_the_shoulders_go_on_from_the_neck() -> None:
    for vertices in VERTICES[:10]:
        torso = Torso.of(MODEL, vertices)
        edge = torso.at(np.arange(0, 84, 2), np.zeros(42))
        np.testing.assert_allclose(edge, vertices[neck_rings(MODEL).vertices[0]], atol=1e-6)


def test_shoulders_slope_and_are_as_wide_as_people_have_them() -> None:
    men = HEADS[:, MODEL.table.index("gender")] < 0.5
    widths = []
    for vertices in VERTICES:
        torso = Torso.of(MODEL, vertices)
        head = float(np.ptp(vertices[SKIN & ~EARS & (vertices[:, 2] > 0.1), 0]))
        widths.append(2.0 * torso.points[..., 0].max() / head)
        column = int(np.abs(torso.turned - 0.5 * np.pi).argmin())
        ridge = torso.points[column][torso.way[column] > 0.0]
        ridge = ridge[ridge[:, 0] < 0.75 * ridge[:, 0].max()]  # as far as the shoulder's round
        falls = np.diff(ridge[:, 2]) / np.diff(ridge[:, 0])
        assert (falls < -0.2).all()
        assert (falls > -1.3).all()
    width = np.array(widths)
    assert 2.3 < width.min() < width.max() < 3.7
    assert np.median(width[men]) > np.median(width[~men])


@pytest.mark.parametrize("lod", [0, 1, 3])
def test_a_closed_neck_has_no_open_edge(lod: int) -> None:
    surface = MODEL.surface
    faces, uv = surface.polygons, surface.polygon_uv
    if lod:
        level = level_of_detail(MODEL, lod)
        faces, uv = level.of_corners(faces), level.of_corners(uv)
    cap = neck_cap(MODEL, faces)
    more = cap.faces_after(len(VERTICES[0]))
    every = np.concatenate([faces, more])
    edge = set(neck_rings(MODEL).vertices[0].tolist()) & set(faces.ravel().tolist())
    assert len(VERTICES[0]) + len(cap.mix) == every.max() + 1
    assert all(not edge & set(loop.tolist()) for loop in open_loops(every))
    # One way round in the one, the other way in the other: all faces look outwards.
    ahead = {(int(a), int(b)) for polygon in faces for a, b in around(polygon)}
    shared = {(int(a), int(b)) for polygon in more for a, b in around(polygon)}
    on_edge = {pair for pair in shared if set(pair) <= edge}
    assert len(on_edge) == len(edge)
    assert not on_edge & ahead
    # Each corner on the edge has the texture coordinates that the neck has there: no seam.
    known = zip(faces.ravel(), uv.reshape(-1, 2).tolist(), strict=True)
    places = {(int(v), *at) for v, at in known}
    corners = zip(more.ravel(), cap.uv.reshape(-1, 2).tolist(), strict=True)
    assert {(int(v), *at) for v, at in corners if int(v) in edge} <= places


def test_what_closes_a_neck_is_flat_and_inside() -> None:
    cap = neck_cap(MODEL, MODEL.surface.polygons)
    np.testing.assert_allclose(cap.mix.sum(1), 1.0)
    for vertices in VERTICES[:10]:
        places = cap.added_vertices(vertices)
        assert places.dtype == np.float32
        own = places[len(vertices) :]
        edge = vertices[cap.edge]
        assert (own.min(0) > edge.min(0) - 1e-6).all() and own[:, 2].max() < edge[:, 2].max() + 0.01
        quads = places[cap.faces_after(len(vertices))]
        normal = np.cross(quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1])
        assert (normal[:, 2] < 0.0).all()
        assert np.linalg.norm(normal, axis=1).min() > 1e-6  # none without an area, in m^2


def test_necks_end_alike_where_that_is_asked_for() -> None:
    fitted = with_same_edge(MODEL, VERTICES)
    assert fitted.dtype == np.float32
    rings = neck_rings(MODEL).vertices
    assert np.ptp(fitted[:, rings[:2]], axis=0).max() < 1e-6  # so normals at the edge are alike
    np.testing.assert_array_equal(fitted[:, rings[-1]], VERTICES[:, rings[-1]])
    others = np.ones(len(SKIN), bool)
    others[rings] = False
    np.testing.assert_array_equal(fitted[:, others], VERTICES[:, others])


def test_a_neck_with_the_same_edge_has_no_fold() -> None:
    """No two neighbouring faces of it turn away from each other more than on heads as they are."""
    quads = MODEL.surface.polygons
    near = quads[np.isin(quads, neck_rings(MODEL).vertices).any(1)]
    faces_at: dict[frozenset[int], list[int]] = {}
    for number, polygon in enumerate(near):
        for pair in around(polygon):
            faces_at.setdefault(frozenset(map(int, pair)), []).append(number)
    pairs = np.array([found for found in faces_at.values() if len(found) == 2])

    def flattest(heads: np.ndarray) -> float:
        """The least cosine between normals of neighbours, of all heads."""
        corners = heads[:, near].astype(float)
        normal = np.cross(corners[:, :, 2] - corners[:, :, 0], corners[:, :, 3] - corners[:, :, 1])
        normal /= np.linalg.norm(normal, axis=2, keepdims=True)
        return float((normal[:, pairs[:, 0]] * normal[:, pairs[:, 1]]).sum(2).min())

    assert flattest(with_same_edge(MODEL, VERTICES)) > min(flattest(VERTICES), 0.5)


@pytest.mark.parametrize(
    "wrong", [{"neckline": "toga"}, {"glasses": "x"}, {"hat": (0.0, 2.0, 0.0)}, {"pattern": "dots"}]
)
def test_outfits_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        Outfit(**wrong)  # type: ignore[arg-type]


def test_other_models_have_no_rings() -> None:
    with pytest.raises(UserError, match="take model person"):
        neck_rings(load_head_model("anny"))
