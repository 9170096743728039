# SPDX-License-Identifier: GPL-3.0-or-later
from dataclasses import replace

import numpy as np
import pytest

from facegen_addon.heads.anny.head import AnnyHead, anny_head
from facegen_addon.heads.appearance_parameters import APPEARANCE_NAMES
from facegen_addon.heads.face_hair.parameters import FACE_HAIR_NAMES
from facegen_addon.heads.hair.parameters import HAIR_NAMES
from facegen_addon.heads.parameters import Parameter
from facegen_addon.heads.person.head import PersonHead, age_of, person_head
from facegen_addon.heads.person.model import LIPS_CLOSED
from facegen_addon.heads.person.resting import RESTING_HELP
from facegen_addon.heads.skin.parameters import SKIN_NAMES
from facegen_addon.heads.surface import open_loops, sorted_edges

_SAME = 1e-6  # metres


@pytest.fixture(scope="module")
def person() -> PersonHead:
    return person_head()


@pytest.fixture(scope="module")
def anny() -> AnnyHead:
    return anny_head()


@pytest.fixture(scope="module")
def rows(anny: AnnyHead) -> np.ndarray:
    """Heads of the prior, none past forty, when the person's age by themselves, each with some
    expressions and turned joints."""
    rng = np.random.default_rng(0)
    drawn = anny.sample_prior(rng, 6)
    age = drawn[:, anny.table.index("age")]
    np.minimum(age, age_of(39.0), out=age)
    expressions, pose = anny.table.columns("expression"), anny.table.columns("pose")
    drawn[:, expressions] = rng.random((6, len(expressions))) * (rng.random(len(expressions)) < 0.2)
    drawn[3:, pose] = rng.uniform(-0.3, 0.3, (3, len(pose)))
    return drawn


def of_person(person: PersonHead, anny: AnnyHead, rows: np.ndarray) -> np.ndarray:
    """Anny's parameters (N, P) as the person's, whose rows of skin are its own and whose lips close
    by themselves."""
    result = np.tile(person.table.default(), (len(rows), 1))
    result[:, person.table.columns("resting")] = 0.0
    for column, name in enumerate(anny.table.names):
        if name in person.table.names:
            result[:, person.table.index(name)] = rows[:, column]
    result[:, person.table.index("mouthClose")] -= LIPS_CLOSED
    return result


def own_at_rest(person: PersonHead) -> np.ndarray:
    """Vertices (V,) that the person moves itself: of the lids that follow, and of the lips."""
    still = person.table.default()
    moved = [still.copy() for _ in range(4)]
    for row, name in zip(
        moved, ("eyeWideLeft", "eyeWideRight", "eyeSquintLeft", "eyeSquintRight"), strict=True
    ):
        row[person.table.index(name)] = 1.0
    apart = np.abs(person.forward(np.stack(moved)) - person.forward(still)).max((0, 2))
    return (apart > 0.5 * _SAME) | (person.surface.masks["lips"] > 0.0)


@pytest.fixture(scope="module")
def shared(person: PersonHead, anny: AnnyHead) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of vertices, Anny's and the person's, found by MakeHuman's texture coordinates."""
    theirs = {
        tuple(np.round(uv, 5)): int(vertex)
        for uv, vertex in zip(
            anny.surface.uv.reshape(-1, 2), anny.surface.faces.ravel(), strict=True
        )
    }
    mine = {}
    skin = person.surface.part[person.surface.polygons[:, 0]] < 2
    for uv, vertex in zip(
        person.texture_uv[skin].reshape(-1, 2),
        person.surface.polygons[skin].ravel(),
        strict=True,
    ):
        partner = theirs.get(tuple(np.round(uv, 5)))
        if partner is not None:
            mine[int(vertex)] = partner
    return np.array(list(mine.values())), np.array(list(mine))


def test_parameters_are_annys_bar_those_of_skin_hair_and_rest(
    person: PersonHead, anny: AnnyHead
) -> None:
    def plain(row: Parameter) -> Parameter:
        return replace(row, mean=0.0, std=0.0)

    own = SKIN_NAMES | HAIR_NAMES | frozenset(FACE_HAIR_NAMES) | set(RESTING_HELP)
    theirs = [
        plain(row)
        for row in anny.table.parameters
        if row.name not in APPEARANCE_NAMES or row.group == "iris"
    ]
    mine = [plain(row) for row in person.table.parameters if row.name not in own]
    assert mine == theirs
    assert own <= {row.name for row in person.table.parameters}


def test_drawn_skins_follow_ancestry_and_age(person: PersonHead) -> None:
    drawn = person.sample_prior(np.random.default_rng(5), 400)
    column = {name: drawn[:, person.table.index(name)] for name in person.table.names}
    assert np.corrcoef(column["skin_melanin"], column["african"])[0, 1] > 0.7
    assert np.corrcoef(column["skin_lines"], column["age"])[0, 1] > 0.6
    women = column["gender"] > 0.5
    assert column["beard_shadow"][women].max() < 0.5 < column["skin_femininity"][women].mean()


def test_drawn_lips_have_more_blood_than_cheeks(person: PersonHead) -> None:
    """A few blush more than their lips; none has the lips of a corpse."""
    surface = person.surface
    redder = []
    for row in person.sample_prior(np.random.default_rng(11), 40):
        colour = person.appearance(row).vertex_colour
        lips, cheeks = (
            colour[(surface.masks[name] > 0.9) & surface.vertices_of("skin")].mean(0)
            for name in ("lips", "cheeks")
        )
        redder.append(lips[0] / lips[1] * cheeks[1] / cheeks[0])
    assert np.median(redder) > 1.1
    assert min(redder) > 0.85


def test_its_vertices_show_its_skin(person: PersonHead) -> None:
    head = person.table.default()
    fair, dark = head.copy(), head.copy()
    fair[person.table.index("skin_melanin")], dark[person.table.index("skin_melanin")] = 0.1, 0.9
    light, deep = (person.appearance(row).vertex_colour for row in (fair, dark))
    bare = person.surface.vertices_of("skin") & (person.surface.masks["cheeks"] > 0.5)
    teeth = person.surface.vertices_of("teeth")
    assert light[bare].mean() > 3.0 * deep[bare].mean()
    assert np.array_equal(light[teeth], deep[teeth])


def test_what_both_have_moves_alike(
    person: PersonHead, anny: AnnyHead, rows: np.ndarray, shared: tuple[np.ndarray, np.ndarray]
) -> None:
    theirs, mine = shared
    assert len(mine) >= 4102
    others = ~own_at_rest(person)[mine]
    theirs, mine = theirs[others], mine[others]
    assert len(mine) >= 3000
    apart = np.abs(
        person.forward(of_person(person, anny, rows))[:, mine] - anny.forward(rows)[:, theirs]
    )
    assert apart.max() < _SAME


def test_landmarks_lie_where_annys_do(person: PersonHead, anny: AnnyHead, rows: np.ndarray) -> None:
    mine, theirs = person.forward(of_person(person, anny, rows)), anny.forward(rows)
    apart = np.abs(person.landmarks(mine) - anny.landmarks(theirs)).max((0, 2))
    assert apart[:36].max() < _SAME
    assert apart[36:].max() < 0.004  # of lids that follow, and of lips that touch
    assert np.abs(person.five_points(mine) - anny.five_points(theirs)).max() < 0.003
    for head, vertices in ((person, mine), (anny, theirs)):
        assert np.isfinite(vertices).all(), head.name


def test_the_neck_ends_in_one_edge_loop(person: PersonHead) -> None:
    surface = person.surface
    skin = surface.polygons[surface.part[surface.polygons[:, 0]] == 0]
    loops = open_loops(skin)
    assert len(loops) == 1
    edges, uses = np.unique(sorted_edges(skin), axis=0, return_counts=True)
    assert (np.bincount(edges[uses == 1].ravel()) <= 2).all()
    assert surface.rest_position[loops[0], 2].max() < 0.60


def test_the_layout_folds_nowhere_and_no_two_texels_share_skin(person: PersonHead) -> None:
    a, b, c, d = np.moveaxis(person.surface.polygon_uv, 1, 0)

    def area(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return (q - p)[:, 0] * (r - p)[:, 1] - (q - p)[:, 1] * (r - p)[:, 0]

    skin = person.surface.part[person.surface.polygons[:, 0]] < 2
    assert (area(a, b, c)[skin] > 0).all()
    assert (area(a, c, d)[skin] > 0).all()
    assert person.surface.uv.min() >= 0
    assert person.surface.uv.max() <= 1
    size = 512
    claimed = np.zeros((size, size), int)
    for quad in person.surface.polygon_uv[skin] * size:
        for triangle in (quad[[0, 1, 2]], quad[[0, 2, 3]]):
            columns, lines = _inside(triangle)
            claimed[lines, columns] += 1
    assert claimed.max() == 1


def _inside(triangle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Texels whose middles lie in a triangle (3, 2)."""
    low, high = np.floor(triangle.min(0)).astype(int), np.ceil(triangle.max(0)).astype(int)
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    sides = [
        (q[0] - p[0]) * (y + 0.5 - p[1]) - (q[1] - p[1]) * (x + 0.5 - p[0])
        for p, q in zip(triangle, np.roll(triangle, -1, axis=0), strict=True)
    ]
    within = np.min(sides, axis=0) > 1e-9
    return x[within], y[within]


@pytest.mark.parametrize("name", ["jawOpen", "jaw_x"])
def test_lower_teeth_go_with_the_jaw_and_upper_ones_stay(person: PersonHead, name: str) -> None:
    table = person.table
    opened = table.default()
    opened[table.index(name)] = table.maximum[table.index(name)]
    before, after = person.forward(np.stack([table.default(), opened]))
    rest = person.surface.rest_position
    teeth = np.flatnonzero(person.surface.vertices_of("teeth"))
    moved = np.linalg.norm(after - before, axis=1)[teeth]
    height = rest[teeth, 2]
    half = len(teeth) // 2
    upper, lower = sorted((moved[:half], moved[half:]), key=lambda part: float(part.max()))
    assert upper.max() < 1e-4
    assert lower.min() > 0.004
    assert height.min() > 0.6


def test_eyes_keep_their_shape_when_they_turn(person: PersonHead) -> None:
    table = person.table
    looking = table.default()
    looking[table.index("eye_left_z")] = 0.4
    before, after = person.forward(np.stack([table.default(), looking]))
    eye = person.surface.vertices_of("cornea_left")
    spans = [np.linalg.norm(v[eye] - v[eye][0], axis=1) for v in (before, after)]
    assert np.abs(spans[0] - spans[1]).max() < 1e-6
    assert np.linalg.norm((after - before)[eye], axis=1).max() > 0.003


def test_moved_in_steps_it_is_where_it_would_be_at_once(
    person: PersonHead, anny: AnnyHead, rows: np.ndarray
) -> None:
    move = person.incremental_forward()
    for row in of_person(person, anny, rows):
        assert np.abs(move(row) - person.forward(row)[0]).max() < _SAME


def test_skinning_weights_are_of_all_vertices(person: PersonHead) -> None:
    rig = person.rig(person.table.default())
    assert rig.weights.shape == (len(person.surface.part), len(rig.names))
    assert np.allclose(rig.weights.sum(1), 1.0, atol=1e-5)
