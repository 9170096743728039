# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest

from facegen_addon.heads.person import eyes
from facegen_addon.heads.person.head import PersonHead, person_head
from facegen_addon.heads.person.lids import edges_of_lids, middle_of_eye
from facegen_addon.heads.person.model import Lashes

_SIDES = ("left", "right")
_HEADS = 100


@pytest.fixture(scope="module")
def person() -> PersonHead:
    return person_head()


@pytest.fixture(scope="module")
def people(person: PersonHead) -> np.ndarray:
    return person.sample_prior(np.random.default_rng(1), _HEADS)


def middle(person: PersonHead, side: str) -> np.ndarray:
    """The point at rest around which an eye's directions of gaze go."""
    rows = person.surface.vertices_of(f"cornea_{side}")
    return eyes.middle(
        person.surface.rest_position[rows].astype(float), person.surface.gaze[rows].astype(float)
    )


def lids(person: PersonHead, side: str) -> np.ndarray:
    """Vertices of the skin of the lids, from the front edges of their rims outwards."""
    surface = person.surface
    rest, cornea = surface.rest_position.astype(float), surface.vertices_of(f"cornea_{side}")
    about = middle(person, side)
    near = np.linalg.norm(rest - about, axis=1) < 0.024
    near &= surface.vertices_of("skin") & (rest[:, 1] < about[1] - 0.004)
    near &= surface.masks["lid"] < 0.63
    rows = np.flatnonzero(near)
    gap = eyes.gaps(rest[rows], rest[cornea], about)
    return rows[(gap > 0.0021) & (gap < 0.005)]


def depths(person: PersonHead, rows: np.ndarray, side: str) -> np.ndarray:
    """How far the lids of heads (N, P) lie in front of an eye, (N, L) metres."""
    cornea, skin = person.surface.vertices_of(f"cornea_{side}"), lids(person, side)
    rest = person.surface.rest_position[cornea].astype(float)
    around = np.append(middle(person, side), 1.0)
    of_middle = around @ np.linalg.pinv(np.column_stack([rest, np.ones(len(rest))]))
    found = []
    for vertices in person.forward(rows).astype(float):
        eye = vertices[cornea]
        found.append(eyes.gaps(vertices[skin], eye, of_middle @ eye))
    return np.array(found)


@pytest.mark.parametrize(
    "pose",
    [
        *({"eyeBlink": amount} for amount in (0.0, 0.3, 0.5, 0.7, 1.0)),
        *({name: 1.0} for name in ("eyeLookUp", "eyeLookDown", "eyeLookIn", "eyeLookOut")),
        {"eyeBlink": 1.0, "eyeLookUp": 1.0},
        {"eyeWide": 1.0},
        {"eyeSquint": 1.0},
    ],
    ids=str,
)
def test_no_eyeball_comes_through_a_lid(
    person: PersonHead, people: np.ndarray, pose: dict[str, float]
) -> None:
    """Half a millimetre in the corner of two eyes of a hundred is what subdivision smooths away;
    of heavy old lids an eye that looks out as far as it can touches a little more."""
    posed = people[:: 1 if "eyeBlink" in pose else 4].copy()
    for name, amount in pose.items():
        for side in ("Left", "Right"):
            posed[:, person.table.index(name + side)] = amount
    for side in _SIDES:
        depth = depths(person, posed, side)
        assert depth.shape[1] > 60
        assert (depth < 0.0).mean() < (0.025 if "eyeLookOut" in pose else 0.008)
        deepest = -0.001 if "eyeLookOut" in pose else -0.0006
        assert np.quantile(depth.min(1), 0.05) > deepest


def test_lids_meet_when_they_close(person: PersonHead, people: np.ndarray) -> None:
    """Seen from the front, the upper lid's edge comes down to the lower one's."""
    open_eyes, closed = people.copy(), people.copy()
    for side in ("Left", "Right"):
        open_eyes[:, person.table.index(f"eyeBlink{side}")] = 0.0
        closed[:, person.table.index(f"eyeBlink{side}")] = 1.0
    surface = person.surface
    rest, about = surface.rest_position, middle(person, "left")
    skin = lids(person, "left")
    under_pupil = skin[np.abs(rest[skin, 0] - about[0]) < 0.005]
    upper = under_pupil[rest[under_pupil, 2] > about[2]]
    lower = under_pupil[rest[under_pupil, 2] < about[2]]
    apart = [
        v[:, upper, 2].min(1) - v[:, lower, 2].max(1)
        for v in (person.forward(open_eyes), person.forward(closed))
    ]
    assert np.median(apart[0]) > 0.004
    assert np.quantile(apart[1], 0.95) < 0.0005


def test_people_are_awake_whatever_the_shapes_of_their_eyes(
    person: PersonHead, people: np.ndarray
) -> None:
    """Over the pupil the upper lid leaves at least 2 mm, and all of the opening is 6 mm or more."""
    calm = people.copy()
    table = person.table
    calm[:, [*table.columns("expression"), *table.columns("resting")]] = 0.0
    narrowest = calm[:4].copy()
    for name in ("eye_height1_incr", "eye_height2_incr", "eye_height3_incr", "eye_scale_incr"):
        narrowest[:, table.index(name)] = -1.0
    surface, about = person.surface, middle(person, "left")
    cornea = surface.vertices_of("cornea_left")
    rest = surface.rest_position[cornea].astype(float)
    of_middle = np.append(about, 1.0) @ np.linalg.pinv(np.column_stack([rest, np.ones(len(rest))]))
    skin = lids(person, "left")
    place = surface.rest_position[skin] - about
    under_pupil = np.abs(place[:, 0]) < 0.003
    upper, lower = (skin[under_pupil & side] for side in (place[:, 2] > 0, place[:, 2] < 0))
    for rows in (calm, narrowest):
        vertices = person.forward(rows).astype(float)
        eye = (of_middle @ vertices[:, cornea])[:, 2]
        above = vertices[:, upper, 2].min(1) - eye
        below = eye - vertices[:, lower, 2].max(1)
        assert np.quantile(above, 0.02) > 0.002
        assert np.quantile(above + below, 0.02) > 0.006
        assert (above + below).max() < 0.013


def test_lids_follow_smoothly(person: PersonHead) -> None:
    """A thousandth of a slider never moves a lid by more than a thousandth of the eye's height."""
    table = person.table
    for name in ("eye_height2_incr", "eye_scale_incr", "age", "gender"):
        column = table.index(name)
        row = np.tile(table.default(), (1001, 1))
        row[:, column] = np.linspace(table.minimum[column], table.maximum[column], 1001)
        heights = person.forward(row)[:, lids(person, "left"), 2]
        assert np.abs(np.diff(heights, axis=0)).max() < 1e-4


def test_irises_of_six_names_differ() -> None:
    named = {
        "blue": eyes.iris_colour(0.05, 0.0),
        "grey": eyes.iris_colour(0.05, 0.5),
        "green": eyes.iris_colour(0.05, 1.0),
        "hazel": eyes.iris_colour(0.5, 0.5),
        "brown": eyes.iris_colour(0.75, 0.5),
        "near black": eyes.iris_colour(1.0, 0.5),
    }
    codes = np.array(list(named.values())) ** (1 / 2.2)
    apart = np.linalg.norm(codes[:, None] - codes, axis=2) + np.eye(len(codes))
    assert apart.min() > 0.1
    assert named["blue"].argmax() == 2
    assert named["green"].argmax() == 1
    assert named["grey"].max() < 1.3 * named["grey"].min()
    assert (np.diff([named[name].mean() for name in ("hazel", "brown", "near black")]) < 0).all()


def test_only_europeans_are_drawn_with_pale_eyes(person: PersonHead) -> None:
    drawn = person.sample_prior(np.random.default_rng(5), 400)
    melanin, european = (drawn[:, person.table.index(n)] for n in ("iris_melanin", "caucasian"))
    assert melanin[european < 0.4].min() > 0.5
    assert 0.3 < (melanin[european > 0.75] < 0.4).mean() < 0.8


def test_rims_of_lids_are_flesh_and_faces_are_not(person: PersonHead) -> None:
    rims = eyes.wet_rims(person.surface)
    assert (rims.amount > 0.5).sum() > 80
    far = person.surface.masks["cheeks"] + person.surface.masks["lips"] > 0.9
    assert rims.amount[far].max() == 0.0


def test_upper_lids_end_in_a_dark_line_of_lashes(person: PersonHead) -> None:
    """And lower ones do not; it has no gap from the middle to the outer corner."""
    surface, line = person.surface, eyes.lash_line(person.surface)
    rest, about = surface.rest_position, middle(person, "left")
    rows = np.flatnonzero((line > 0.5) & (rest[:, 0] > 0))
    x = np.sort(rest[rows, 0] - about[0])
    assert x[0] < -0.003 and x[-1] > 0.012
    assert np.diff(x).max() < 0.0045
    under = (np.abs(rest[:, 0] - about[0]) < 0.008) & (rest[:, 2] < about[2])
    assert line[under].max() == 0.0
    row = person.table.default()
    row[person.table.index("lash_density")] = 0.8
    colours = person.appearance(row).vertex_colour.mean(1)
    skin = colours[surface.masks["cheeks"] > 0.9].mean()
    assert np.median(colours[rows]) < 0.3 * skin
    assert person.appearance(row).vertex_colour[line > 0.9].max() < 0.5 * skin


def test_lower_lashes_are_shorter_and_fainter(person: PersonHead) -> None:
    surface, row = person.surface, person.table.default()
    lashes = Lashes.of(surface)
    vertices = person.forward(row)[0]
    length = np.linalg.norm(vertices[lashes.rows] - vertices[lashes.lids], axis=1)
    lower = lashes.share < 1.0
    assert np.quantile(length[lower], 0.9) < 0.6 * np.quantile(length[~lower], 0.9)
    colours = person.appearance(row).vertex_colour[lashes.rows].mean(1)
    assert colours[lower].min() > 1.2 * colours[~lower].max()


def test_upper_lids_hide_the_top_of_the_iris(person: PersonHead) -> None:
    """Of calm people, so that nobody stares; from the front it is half a millimetre less."""
    calm = np.vstack([person.table.default(), person.sample_prior(np.random.default_rng(8), 20)])
    calm[:, person.table.columns("expression")] = 0.0
    rows, share, about = middle_of_eye(person.surface, "left")
    edge = edges_of_lids(person.surface, "left", about)["upper"]
    vertices = person.forward(calm).astype(float)
    eye = (vertices[:, rows] * share[:, None]).sum(1)
    radius = np.median(np.linalg.norm(vertices[:, rows] - eye[:, None], axis=2), axis=1)
    hidden = eyes.IRIS * radius - (vertices[:, edge, 2].mean(1) - eye[:, 2])
    assert hidden.min() > 0.0008
    assert hidden.max() < 0.0036
