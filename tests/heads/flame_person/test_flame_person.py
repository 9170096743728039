# SPDX-License-Identifier: GPL-3.0-or-later
"""Person's look on FLAME-type heads: what moves as ever, and what person's parts do on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.artifacts import load_npz
from facegen_addon.errors import UserError
from facegen_addon.heads.anny.head import anny_head
from facegen_addon.heads.catalogue import check_model_name, load_head_model
from facegen_addon.heads.correspondence import SurfacePoints
from facegen_addon.heads.flame.dressing import Dressing, to_flame, to_house
from facegen_addon.heads.flame.head import FlameHead
from facegen_addon.heads.flame.open_head import open_flame, open_flame_head
from facegen_addon.heads.flame_person.head import (
    ARTIFACT,
    FlamePerson,
    OpenPerson,
    open_person_head,
)
from facegen_addon.heads.flame_person.people import READ, ComponentsOfPeople
from facegen_addon.heads.flame_person.wider import Widening
from facegen_addon.heads.person.head import PersonHead, person_head
from facegen_addon.heads.person.model import LIPS_CLOSED


@pytest.fixture(scope="module")
def model() -> OpenPerson:
    return open_person_head()


@pytest.fixture(scope="module")
def person() -> PersonHead:
    return person_head()


@pytest.fixture(scope="module")
def file_of_others(person: PersonHead) -> FlamePerson:
    """The open head as somebody's file: triangles in another order, each of another first corner,
    and nothing known of whose mesh it is."""
    flame, dressing = open_flame()
    count = len(flame.faces)

    def faces(of_triangles: np.ndarray) -> np.ndarray:
        return np.roll(of_triangles, 1, axis=1)[::-1]

    def points(found: SurfacePoints) -> SurfacePoints:
        return SurfacePoints(count - 1 - found.triangle, np.roll(found.bary, 1, axis=1))

    strands = dressing.strands
    surface = replace(
        dressing.surface, faces=faces(dressing.surface.faces), uv=faces(dressing.surface.uv)
    )
    other = Dressing(
        surface,
        replace(
            strands,
            triangle=count - 1 - strands.triangle,
            bary=np.roll(strands.bary, 1, axis=1),
        ),
        points(dressing.five_points),
        points(dressing.landmarks),
        dressing.phenotypes,
    )
    bare = FlameHead("flame_0123456789ab", replace(flame, faces=faces(flame.faces)), other)
    return FlamePerson(bare.name, bare, person, load_npz(ARTIFACT))


def moved_alike(model: FlamePerson, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Drawn heads with expressions and poses, of a model and of the open head."""
    bare = open_flame_head()
    rng = np.random.default_rng(1)
    rows = model.sample_prior(rng, count)
    for name in (*model.table.names,):
        row = model.table.parameters[model.table.index(name)]
        if row.group in ("expression", "pose"):
            rows[:, model.table.index(name)] = rng.uniform(row.minimum, row.maximum, count) * 0.4
    same = np.tile(bare.table.default(), (count, 1))
    shared = [name for name in bare.table.names if name in model.table.names]
    same[:, [bare.table.index(name) for name in shared]] = rows[
        :, [model.table.index(name) for name in shared]
    ]
    return model.forward(rows), bare.forward(same)


def test_the_open_heads_vertices_are_where_they_ever_were(model: OpenPerson) -> None:
    mine, theirs = moved_alike(model)
    assert model.file_vertices == theirs.shape[1] == 4538
    assert np.abs(mine[:, : model.file_vertices] - theirs).max() < 1e-6


def test_its_triangles_are_the_open_heads_but_for_eyeballs(model: OpenPerson) -> None:
    surface = open_flame()[1].surface
    own = {tuple(sorted(face)) for face in model.surface.faces.tolist()}
    eyes = surface.vertices_of("eye_left") | surface.vertices_of("eye_right")
    skin = ~eyes[surface.faces].any(1)
    assert {tuple(sorted(face)) for face in surface.faces[skin].tolist()} <= own
    assert not any(tuple(sorted(face)) in own for face in surface.faces[~skin].tolist())


def test_its_skin_has_persons_texture(model: OpenPerson, person: PersonHead) -> None:
    theirs = person.surface
    assert np.array_equal(model.surface.uv, theirs.uv)
    assert np.array_equal(model.makehuman, person.makehuman)
    row = model.table.default()
    look = model.appearance(row).vertex_colour
    assert look.shape == (len(model.surface.part), 3)


def test_persons_parts_follow_from_annys_skin(model: OpenPerson, person: PersonHead) -> None:
    """On heads of person's prior: Anny's vertices of the same sliders carry them to where person
    has them."""
    anny = anny_head()
    rows = person.sample_prior(np.random.default_rng(3), 40)
    rows[:, person.table.columns("resting")] = 0.0
    rows[:, person.table.index("lash_length")] = 0.45
    same = np.tile(anny.table.default(), (len(rows), 1))
    shared = sorted(anny.shape_parameters & set(person.table.names))
    same[:, [anny.table.index(n) for n in shared]] = rows[
        :, [person.table.index(n) for n in shared]
    ]
    same[:, anny.table.index("mouthClose")] = LIPS_CLOSED
    wide = Widening(*open_flame(), person, load_npz(ARTIFACT))
    errors = []
    for skin, whole in zip(anny.forward(same), person.forward(rows), strict=True):
        found = to_house(wide.anchors.template(to_flame(skin.astype(float))))
        errors.append(np.linalg.norm(found - whole[wide.anchors.added], axis=1))
    part = person.surface.part[wide.anchors.added]
    millimetres = {
        name: 1000 * np.mean(np.array(errors)[:, part == number])
        for number, name in enumerate(person.surface.part_names)
        if (part == number).any()
    }
    assert millimetres["cornea_left"] < 0.4 and millimetres["cornea_right"] < 0.4
    assert millimetres["lashes"] < 1.7
    assert millimetres["teeth"] < 2.5 and millimetres["gums"] < 2.5
    assert millimetres["skin"] < 5.0, "the neck below Anny's"


@pytest.mark.parametrize("name", ["jawOpen", "jaw_pose_x"])
def test_lower_teeth_go_with_the_jaw_and_upper_ones_stay(model: OpenPerson, name: str) -> None:
    rows = np.tile(model.table.default(), (2, 1))
    rows[1, model.table.index(name)] = 0.7 * model.table.maximum[model.table.index(name)]
    shut, wide = model.forward(rows)
    down = (shut - wide)[model.surface.vertices_of("teeth"), 2]
    assert ((np.abs(down) < 1e-4) | (down > 0.003)).mean() > 0.99
    assert 0.3 < (down > 0.003).mean() < 0.7


def test_eyes_turn_with_their_sliders(model: OpenPerson) -> None:
    rows = np.tile(model.table.default(), (2, 1))
    rows[1, model.table.index("leye_pose_y")] = 0.4
    ahead, aside = model.forward(rows)
    moved = np.linalg.norm(aside - ahead, axis=1)
    assert moved[model.surface.vertices_of("cornea_left")].max() > 0.004
    assert moved[model.surface.vertices_of("cornea_right")].max() < 1e-6


def test_men_have_beards_and_people_are_who_they_were_drawn_as(model: OpenPerson) -> None:
    rows = model.sample_prior(np.random.default_rng(5), 400)
    sex, age, lightness = model.attributes(rows).T
    woman = sex > 0.5
    assert 0.4 < woman.mean() < 0.6
    assert np.percentile(age, 5) < 27 and np.percentile(age, 95) > 70
    beard = rows[:, model.table.index("beard_density")] * rows[:, model.table.index("facial_hair")]
    assert (beard[woman] > 0.05).mean() < 0.02 < (beard[~woman] > 0.05).mean()
    grey = rows[:, model.table.index("hair_grey")]
    assert np.corrcoef(age, grey)[0, 1] > 0.5
    assert np.percentile(lightness, 5) < 40 and np.percentile(lightness, 95) > 65


def test_lids_of_people_are_open(model: OpenPerson) -> None:
    """Hardly more than at the ends of the range that `person`'s bend into; blinks close them."""
    rows = model.sample_prior(np.random.default_rng(4), 60)
    asleep = rows.copy()
    asleep[:, model.table.columns("expression")] = 0.0
    openings = []
    for heads in (rows, asleep):
        marks = model.landmarks(model.forward(heads))
        openings.append((marks[:, [37, 38], 2] - marks[:, [41, 40], 2]).mean(1))
    awake, tired = openings
    assert awake.std() < 0.6 * tired.std() and np.percentile(awake, 5) > 0.006
    assert (awake > tired - 0.003).all()


def test_its_characteristics_are_the_open_heads(model: OpenPerson) -> None:
    known = model.characteristics
    assert known is not None
    older = known.changed(model.table.default(), {"age": 70.0})
    model.table.validate(older)
    assert known.value(older, "age") == pytest.approx(70.0, abs=0.5)
    assert 60.0 < model.attributes(older[None])[0, 1] < 80.0


def test_components_of_people_say_who_they_are() -> None:
    """A file of which only a reading is known: people drawn by it are read so, loosely."""
    rng = np.random.default_rng(2)
    reading = np.column_stack([0.1 * rng.standard_normal((5, 30)), [0.5, 0.8, 0.3, 0.3, 0.4]])
    people = ComponentsOfPeople.read_by(reading)
    shares = rng.dirichlet((1.0, 1.0, 1.0), 500).T
    who = dict(zip(READ, (rng.random(500), rng.uniform(0.6, 1.0, 500), *shares), strict=True))
    components = people.draw(rng, who)
    assert components.std(0).mean() == pytest.approx(1.0, abs=0.15)
    for name, read in people.read(components).items():
        assert np.corrcoef(read, who[name])[0, 1] > 0.6, name


def test_a_file_of_others_looks_the_same(file_of_others: FlamePerson, model: OpenPerson) -> None:
    """By correspondence alone: textures where they are, and eyes and teeth in their places."""
    mine, theirs = file_of_others.surface, model.surface
    assert not file_of_others.dressed and mine.corners == 3 and not model.table.default()[0]
    skin = (mine.part == 0)[mine.faces].all(1) & (mine.faces < file_of_others.file_vertices).all(1)
    by_corners = {tuple(sorted(face)): row for row, face in enumerate(theirs.faces.tolist())}
    rows = [by_corners[tuple(sorted(face))] for face in mine.faces[skin].tolist()]
    off = np.abs(mine.uv[skin].mean(1) - theirs.uv[rows].mean(1)).max(1)
    assert (off < 1e-4).mean() > 0.88 and (off < 0.02).mean() > 0.98
    default = file_of_others.table.default()
    heads = file_of_others.forward(default)[0], model.forward(model.table.default())[0]
    for part, bar in (("cornea_left", 0.0012), ("teeth", 0.003), ("lashes", 0.0015)):
        places = [
            head[head_model.surface.vertices_of(part)]
            for head, head_model in zip(heads, (file_of_others, model), strict=True)
        ]
        assert np.linalg.norm(places[0] - places[1], axis=1).mean() < bar, part
    grown = file_of_others.grow(default, heads[0])
    assert np.isfinite(grown.points).all() and len(grown.sizes) == len(file_of_others.strands)


def test_teeth_stay_behind_closed_lips(file_of_others: FlamePerson, model: OpenPerson) -> None:
    for head in (file_of_others, model):
        vertices = head.forward(head.table.default())[0]
        lips = head.landmarks(vertices[None])[0][[61, 62, 63, 65, 66, 67]]
        assert vertices[head.surface.vertices_of("teeth"), 1].min() > lips[:, 1].min()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("anny+person", r"\+person is for FLAME files, and anny is none; choose open_person"),
        ("open_flame+person", r"and open_flame is none; choose open_person"),
        ("bob+person", "unknown head model 'bob'"),
        ("nowhere.pkl+person", r"nowhere\.pkl is missing"),
    ],
)
def test_only_files_are_asked_for_persons_look(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_head_model(name)


@pytest.mark.slow
def test_the_real_flame_looks_like_a_person(shared_data: Path) -> None:
    """The FLAME 2023 Open subset: found again by name; eyes, teeth and skin where they belong."""
    path = shared_data / "flame" / "flame2023open_60id_f32.npz"
    if not path.exists():
        pytest.skip("the FLAME 2023 Open subset is not in the research data")
    check_model_name(f"{path}+person")
    model = load_head_model(f"{path}+person")
    assert isinstance(model, FlamePerson) and model.name.endswith("+person")
    assert load_head_model(model.name) is model
    bare = load_head_model(str(path))
    vertices = model.forward(model.table.default())[0]
    assert np.abs(vertices[:5023] - bare.forward(bare.table.default())[0]).max() < 1e-6
    marks = model.landmarks(vertices[None])[0]
    for side, eye in (("right", slice(36, 42)), ("left", slice(42, 48))):
        cornea = vertices[model.surface.vertices_of(f"cornea_{side}")]
        assert np.linalg.norm(cornea[cornea[:, 1].argmin()] - marks[eye].mean(0)) < 0.008
    teeth = vertices[model.surface.vertices_of("teeth")]
    assert 0.003 < teeth[:, 1].min() - marks[[62, 66], 1].mean() < 0.010
    low = (vertices[:, 2] < 0.01) & (model.surface.part == 0)
    regions = model.skin.vertices.regions
    assert max(regions[name][low].max() for name in ("lips", "mouth", "nose")) < 0.05
