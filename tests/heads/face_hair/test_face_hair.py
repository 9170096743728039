# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest

from facegen_addon.heads.face_hair.face_hair import FaceColours
from facegen_addon.heads.face_hair.named import BEARDS, BROWS
from facegen_addon.heads.face_hair.parameters import FACE_HAIR_HELP, FACE_HAIR_NAMES
from facegen_addon.heads.person.head import PersonHead, person_head
from facegen_addon.heads.strands import BEARD, BROW, MOUSTACHE, POINTS
from facegen_addon.heads.surface import Surface

_BUDGET = 5000
"""Strands of a face."""


@pytest.fixture(scope="module")
def person() -> PersonHead:
    return person_head()


def of(person: PersonHead, **values: float) -> np.ndarray:
    """The mean head with some parameters changed."""
    row = person.table.default()
    for name, value in values.items():
        row[person.table.index(name)] = value
    return row


def face_of(person: PersonHead, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (S, 6, 3) and radius (S, 6) of the strands of a head's face alone."""
    vertices = person.forward(row)[0]
    grown = person.face_hair.grow(person.face_values(row), person.neutral(row), vertices)
    return grown.points.reshape(-1, POINTS, 3), grown.radius.reshape(-1, POINTS)


def shown(person: PersonHead, row: np.ndarray, region: int) -> int:
    of_region = person.face_hair.strands.region == region
    return int((face_of(person, row)[1][of_region, 0] > 0).sum())


def off_the_surface(points: np.ndarray, vertices: np.ndarray, surface: Surface) -> np.ndarray:
    """Distance (S,) of points to the nearest of 60 samples on each triangle of skin about them."""
    faces = surface.faces[(surface.part == 0)[surface.faces].all(1)]
    spots = vertices[faces]
    low, high = points.min(0) - 0.01, points.max(0) + 0.01
    near = ((spots > low) & (spots < high)).all((1, 2))
    weights = np.random.default_rng(0).dirichlet((1.0, 1.0, 1.0), 60)
    samples = np.einsum("wk,tkd->twd", weights, spots[near]).reshape(-1, 3)
    return np.array([np.sqrt(((samples - p) ** 2).sum(1).min()) for p in points])


def test_every_parameter_is_in_the_table_with_a_line_of_help(person: PersonHead) -> None:
    assert set(FACE_HAIR_NAMES) <= set(person.table.names)
    assert all(FACE_HAIR_HELP[name] for name in FACE_HAIR_NAMES)


@pytest.mark.parametrize("table", [BROWS, BEARDS])
def test_named_styles_are_points_of_the_table(
    person: PersonHead, table: dict[str, dict[str, float]]
) -> None:
    assert len(table) >= 8
    rows = [of(person, **values) for values in table.values()]
    person.table.validate(np.stack(rows))
    assert len({row.tobytes() for row in rows}) == len(rows)


def test_named_beards_differ_in_what_shows(person: PersonHead) -> None:
    hairs = {
        style: [
            shown(person, of(person, gender=0.0, **values), region) for region in (BEARD, MOUSTACHE)
        ]
        for style, values in BEARDS.items()
    }
    assert hairs["clean"] == [0, 0]
    assert hairs["moustache"][0] < 20 < 200 < hairs["moustache"][1]
    assert 300 < hairs["goatee"][0] < 0.5 * hairs["short full"][0]
    assert hairs["sideburns"][0] > 50
    assert hairs["long full"][0] > 1500


def test_faces_are_within_their_budget_of_strands(person: PersonHead) -> None:
    assert len(person.face_hair.strands) <= _BUDGET


def test_women_have_no_facial_hair_and_it_comes_gradually(person: PersonHead) -> None:
    beard = BEARDS["short full"]
    counts = [
        shown(person, of(person, **(beard | {"gender": g})), BEARD) for g in (1.0, 0.6, 0.5, 0.4, 0)
    ]
    assert counts[:2] == [0, 0]
    assert counts == sorted(counts)
    assert 0 < counts[2] < counts[4]


def test_strands_are_finite_and_begin_on_the_skin(person: PersonHead) -> None:
    strands = person.face_hair.strands
    brow, corners = strands.region == BROW, person.surface.faces[strands.triangle]
    for row in person.sample_prior(np.random.default_rng(2), 4):
        (points, radius), vertices = face_of(person, row), person.forward(row)[0]
        assert np.isfinite(points).all()
        assert np.isfinite(radius).all()
        on_skin = (vertices[corners] * strands.bary[..., None]).sum(1)
        assert np.abs(points[:, 0] - on_skin)[~brow].max() < 0.0005
        roots = points[brow & (radius[:, 0] > 0), 0][::10]
        assert off_the_surface(roots, vertices, person.surface).max() < 0.0015


def test_brows_are_over_the_eyes_and_level(person: PersonHead) -> None:
    """Whatever the head: nobody scowls, as the inner ends are not below the outer ones."""
    brow = person.face_hair.strands.region == BROW
    for row in person.sample_prior(np.random.default_rng(4), 12):
        row[person.table.index("brow_slant")] = 0.0
        row[person.table.index("brow_asymmetry")] = 0.0
        vertices = person.forward(row)[0]
        eyes = person.landmarks(vertices[None])[0, 42:48]
        roots = face_of(person, row)[0][brow, 0]
        left = roots[roots[:, 0] > 0] - eyes.mean(0)
        assert (left[:, 2] > 0.008).all()
        outwards = left[left[:, 0].argsort(), 2]
        third = len(outwards) // 3
        assert abs(outwards[:third].mean() - outwards[-third:].mean()) < 0.005


def test_brows_are_mirrored_unless_one_is_to_be_higher(person: PersonHead) -> None:
    half = int((person.face_hair.strands.region == BROW).sum()) // 2
    even = face_of(person, of(person, brow_asymmetry=0.0))[0]
    mirrored = even[:half] * [-1, 1, 1]
    assert np.abs(mirrored - even[half : 2 * half]).max() < 2e-4
    odd = face_of(person, of(person, brow_asymmetry=1.0))[0]
    rise = odd[half : 2 * half, 0, 2].mean() - odd[:half, 0, 2].mean()
    assert 0.001 < rise < 0.006


def test_brows_go_with_the_skin_when_a_face_moves(person: PersonHead) -> None:
    brow = person.face_hair.strands.region == BROW
    rest = face_of(person, of(person))[0][brow, 0]
    raised = face_of(
        person, of(person, browInnerUp=1.0, browOuterUpLeft=1.0, browOuterUpRight=1.0)
    )[0][brow, 0]
    assert (raised - rest)[:, 2].mean() > 0.002


def test_the_same_head_has_the_same_strands(person: PersonHead) -> None:
    row = of(person, **(BEARDS["long full"] | {"gender": 0.1}))
    first, again = face_of(person, row), face_of(person_head(), row)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


@pytest.mark.parametrize("name", FACE_HAIR_NAMES)
def test_a_little_of_a_parameter_changes_a_little(person: PersonHead, name: str) -> None:
    """Tips move by at most what a step of 1/1000 of the range may do to a hair as it appears."""
    row = of(person, **(BEARDS["short full"] | {"gender": 0.2}))
    column = person.table.index(name)
    step = 1e-3 * (person.table.maximum[column] - person.table.minimum[column])
    moved = row.copy()
    moved[column] += step
    before, after = face_of(person, row), face_of(person, moved)
    assert np.abs(after[0] - before[0]).max() < 1.5e-3
    assert np.abs(after[0] - before[0]).mean() < 5e-5
    assert np.abs(after[1] - before[1]).max() < 2e-5


def test_grey_comes_hair_by_hair(person: PersonHead) -> None:
    values = person.face_values(of(person, beard_grey=0.5, brow_grey=0.0, hair_melanin=0.9))
    rgb = person.face_hair.colours(FaceColours.of(values))[:, :3]
    beard = person.face_hair.strands.region != BROW
    light = rgb.mean(1) > 0.3
    assert 0.3 < light[beard].mean() < 0.7
    assert not light[~beard].any()


def test_drawn_faces_are_such_as_people_have(person: PersonHead) -> None:
    drawn = person.sample_prior(np.random.default_rng(6), 2000)
    column = {name: drawn[:, person.table.index(name)] for name in person.table.names}
    men = column["gender"] < 0.5
    visible = (column["beard_density"] > 0.3) | (column["moustache_density"] > 0.3)
    assert not visible[~men].any()
    assert 0.35 < visible[men].mean() < 0.55
    assert column["brow_thickness"][men].mean() > column["brow_thickness"][~men].mean() + 0.1
    assert column["brow_height"][men].mean() < column["brow_height"][~men].mean()
    assert np.corrcoef(column["brow_melanin"], column["hair_melanin"])[0, 1] > 0.7
    young = column["age"] < 0.7
    assert column["brow_grey"][young].max() < 0.2


def test_the_skin_under_a_beard_and_a_brow_is_shaded(person: PersonHead) -> None:
    full = BEARDS["short full"] | {"beard_shadow": 0.0, "hair_melanin": 0.9, "gender": 0.0}
    bare = full | dict.fromkeys(("beard_density", "moustache_density", "soul_patch"), 0.0)
    bearded, shaved = (person.appearance(of(person, **v)).vertex_colour for v in (full, bare))
    rest = person.surface.rest_position
    chin = (np.abs(rest[:, 0]) < 0.015) & (rest[:, 2] < 0.625) & (rest[:, 1] < -0.13)
    chin &= person.surface.vertices_of("skin")
    assert bearded[chin].mean() < 0.8 * shaved[chin].mean()
    browed, plucked = (
        person.appearance(of(person, brow_density=d)).vertex_colour for d in (1.0, 0.0)
    )
    assert (browed < plucked - 0.01).any()


def test_a_goatee_meets_its_moustache_beside_the_mouth(person: PersonHead) -> None:
    place = person.face_hair.beard.zones.place
    x, z = np.abs(place[:, 0]), place[:, 2]
    beside = (x > 0.026) & (x < 0.032) & (z > 0.638) & (z < 0.654)
    beard = np.flatnonzero(person.face_hair.strands.region != BROW)

    def hairs(style: str) -> float:
        row = of(person, **(BEARDS[style] | {"gender": 0.0}))
        return float((face_of(person, row)[1][beard, 0] > 0)[beside].mean())

    assert beside.sum() > 40
    assert hairs("goatee") > 0.5
    assert hairs("clean") == 0.0


def test_beards_end_in_single_hairs_on_skin_that_is_bare(person: PersonHead) -> None:
    """Where hairs get few, the skin is shaded less than in proportion: no smudge without hairs."""
    zones = person.face_hair.beard.zones
    for style in ("short full", "goatee"):
        values = {name: 0.0 for name in FACE_HAIR_NAMES} | BEARDS[style]
        cover, shade = zones.cover(values), zones.shade(values)
        edge, middle = (cover > 0.1) & (cover < 0.4) & (zones.lip < 0.1), cover > 0.8
        assert edge.sum() > 30
        share = shade[edge] / cover[edge]
        assert share.mean() < 0.6 * (shade[middle & (zones.lip < 0.1)] / 0.95).mean()


def test_hairs_of_a_short_beard_are_seen(person: PersonHead) -> None:
    """At a head's 512 pixels, of half a millimetre, hairs of a tenth of one would be a smudge."""
    radius = face_of(person, of(person, **(BEARDS["short full"] | {"gender": 0.0})))[1]
    beard = person.face_hair.strands.region == BEARD
    shown = radius[beard, 0][radius[beard, 0] > 0]
    assert 0.8e-4 < np.median(shown) < 1.4e-4


def test_women_of_the_prior_have_brows_that_are_seen(person: PersonHead) -> None:
    drawn = person.sample_prior(np.random.default_rng(7), 1000)
    column = {name: drawn[:, person.table.index(name)] for name in person.table.names}
    women = column["gender"] > 0.8
    young = women & (column["age"] < 0.65)
    assert column["brow_density"][women].min() > 0.44
    assert column["brow_density"][young].min() > 0.59
    assert column["brow_thickness"][women].min() > 0.25
    assert column["brow_thickness"][young].min() > 0.35
