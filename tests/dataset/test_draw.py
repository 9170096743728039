# SPDX-License-Identifier: GPL-3.0-or-later
"""Shots drawn from recipes: each key's draws are its own, and people could look like that."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.dataset.draw import draw_shot
from batch.dataset.expressions import EXPRESSIONS, ExpressionDraw
from batch.dataset.gaze import turn_from_ahead
from batch.dataset.recipe import Recipe
from batch.dataset.recipe_fit import check_model
from facegen_addon.heads.catalogue import HEAD_MODELS, load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.parameters import Parameter, ParameterTable
from facegen_addon.labels.camera import Camera, middle_of_face
from facegen_addon.labels.shot import SENSOR_WIDTH, Shot, View

MODELS = pytest.mark.parametrize("name", HEAD_MODELS)
UNITS = {unit for expression in EXPRESSIONS.values() for unit in expression.all_units}


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return load_head_model("open_flame")


def recipe_of(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "drawn.toml"
    path.write_text(text, encoding="utf-8")
    return Recipe.read(str(path))


def shots(recipe: Recipe, model: HeadModel, count: int) -> list[Shot]:
    head = model.table.default()
    return [draw_shot(recipe, model, np.random.default_rng([1, i]), head) for i in range(count)]


def expression_of(shot: Shot, model: HeadModel) -> dict[str, float]:
    """The expression sliders that are not at rest."""
    columns = model.table.columns("expression")
    return {model.table.names[c]: shot.parameters[c] for c in columns if shot.parameters[c]}


def same(first: Shot, second: Shot) -> bool:
    """Whether two shots are the same to the last bit."""
    rest = (replace(shot, parameters=np.zeros(1)) for shot in (first, second))
    return len(set(map(repr, rest))) == 1 and bool((first.parameters == second.parameters).all())


@MODELS
def test_every_shot_of_the_named_recipes_is_valid(name: str) -> None:
    head_model = load_head_model(name)
    for recipe in map(Recipe.read, ("minimal", "portraits", "photos")):
        check_model(recipe, head_model)
        for shot in shots(recipe, head_model, 40):
            head_model.table.validate(shot.parameters)
            assert 0 <= shot.seed < 2**31
            assert abs(shot.view.yaw) <= math.radians(45)
            assert 0.3 <= shot.view.distance <= 3 and 1 <= shot.view.focal_length <= 500


def test_the_minimal_recipe_changes_nothing_but_the_noise(model: HeadModel) -> None:
    first, second = shots(Recipe.read("minimal"), model, 2)
    assert first.seed != second.seed
    assert same(replace(first, seed=0), Shot(model.table.default()))


def test_the_same_generator_gives_the_same_shot_and_takes_one_number(model: HeadModel) -> None:
    recipe, head = Recipe.read("photos"), model.table.default()
    rngs = [np.random.default_rng(3) for _ in range(3)]
    assert same(*(draw_shot(recipe, model, rng, head) for rng in rngs[:2]))
    rngs[2].integers(2**63)
    assert rngs[0].random() == rngs[2].random()
    assert not same(*shots(recipe, model, 2))
    assert (head == model.table.default()).all()


def test_only_who_can_wear_something_does() -> None:
    recipe = Recipe.read("photos")
    worn = [shot.outfit for shot in shots(recipe, load_head_model("person"), 60)]
    assert None not in worn
    assert len({outfit.neckline for outfit in worn}) >= 5
    assert {"none"} < {outfit.glasses for outfit in worn}
    assert {"none"} < {outfit.headwear for outfit in worn}
    for name, chosen in (("anny", recipe), ("person", Recipe.read("minimal"))):
        assert {shot.outfit for shot in shots(chosen, load_head_model(name), 3)} == {None}


CHANGES: Mapping[str, Mapping[str, Any]] = {
    "camera": {"yaw": "portraits"},
    "light": {"presets": "minimal", "azimuth": "minimal"},
    "background": {"colours": "minimal"},
    "expression": {"strength": "portraits", "active": "portraits"},
    "gaze": {"yaw": "minimal"},
}


@pytest.mark.parametrize("table", CHANGES)
def test_changing_a_table_changes_no_draw_of_another(table: str, model: HeadModel) -> None:
    recipe = Recipe.read("photos")
    recipe = replace(recipe, gaze=replace(recipe.gaze, at_camera=0.0))  # which depends on the view
    values = {k: getattr(getattr(Recipe.read(v), table), k) for k, v in CHANGES[table].items()}
    changed = replace(recipe, **{table: replace(getattr(recipe, table), **values)})
    expression, pose = (model.table.columns(group) for group in ("expression", "pose"))
    differing: set[str] = set()
    for before, after in zip(*(shots(r, model, 12) for r in (recipe, changed)), strict=True):
        parts = {
            "camera": (before.view, after.view),
            "light": (before.light, after.light),
            "background": (before.background, after.background),
            "expression": tuple(s.parameters[expression].tolist() for s in (before, after)),
            "gaze": tuple(s.parameters[pose].tolist() for s in (before, after)),
            "noise": (before.seed, after.seed),
        }
        differing |= {name for name, (first, second) in parts.items() if first != second}
    lids = {"expression"} if table == "gaze" else set()
    assert differing - lids == {table}


def test_changing_a_key_changes_no_draw_of_its_neighbours(model: HeadModel) -> None:
    recipe = Recipe.read("photos")
    changed = replace(
        recipe, camera=replace(recipe.camera, yaw=Recipe().camera.yaw, distance=recipe.camera.yaw)
    )
    for before, after in zip(*(shots(r, model, 5) for r in (recipe, changed)), strict=True):
        assert before.view.pitch == after.view.pitch and before.view.shift_x == after.view.shift_x
        assert before.view.yaw != after.view.yaw


def test_degrees_become_radians_and_framing_a_focal_length(
    tmp_path: Path, model: HeadModel
) -> None:
    text = """
    [camera]
    yaw = 30
    pitch = -10
    roll = 5
    distance = 2.0
    framing = 0.4
    shift_y = 0.1
    [light]
    azimuth = 20
    elevation = -5
    strength = 2
    """
    (shot,) = shots(recipe_of(tmp_path, text), model, 1)
    assert shot.view == View(
        math.radians(30), math.radians(-10), math.radians(5), 2.0, SENSOR_WIDTH * 5, 0.0, 0.1
    )
    assert (shot.light.azimuth, shot.light.elevation) == (math.radians(20), math.radians(-5))
    assert shot.light.strength == 2.0
    (shot,) = shots(recipe_of(tmp_path, "[camera]\nfocal_length = 85"), model, 1)
    assert shot.view.focal_length == 85.0


def test_presets_pictures_and_hdris_come_in_their_shares(tmp_path: Path, model: HeadModel) -> None:
    (tmp_path / "sky").mkdir()
    (tmp_path / "walls").mkdir()
    for name in ("a.hdr", "b.hdr"):
        (tmp_path / "sky" / name).write_bytes(b"#?RADIANCE")
    (tmp_path / "walls" / "c.jpg").write_bytes(b"\xff\xd8\xff")
    text = """
    [light]
    presets = {flash = 3, window = 1}
    hdri = "sky"
    hdri_share = 0.25
    rotation = {uniform = [-90, 90]}
    [background]
    pictures = "walls"
    share = 0.75
    colours = {uniform = [0.1, 0.2]}
    """
    drawn = shots(recipe_of(tmp_path, text), model, 400)
    hdris = [Path(shot.light.hdri) for shot in drawn if shot.light.hdri]
    assert {path.name for path in hdris} == {"a.hdr", "b.hdr"}
    assert all(path.is_absolute() and path.is_file() for path in hdris)
    assert len(hdris) / 400 == pytest.approx(0.25, abs=0.07)
    pictures = [shot.background.picture for shot in drawn]
    assert set(pictures) == {"", str((tmp_path / "walls" / "c.jpg").resolve())}
    assert pictures.count("") / 400 == pytest.approx(0.25, abs=0.07)
    colours = [shot.background.colour for shot in drawn]
    assert all(colour is not None and 0.1 <= colour[0] <= 0.2 for colour in colours)
    presets = [shot.light.preset for shot in drawn]
    assert set(presets) == {"flash", "window"}
    assert presets.count("flash") / 400 == pytest.approx(0.75, abs=0.07)


def test_a_share_of_samples_is_neutral(tmp_path: Path, model: HeadModel) -> None:
    drawn = shots(recipe_of(tmp_path, "[expression]\nneutral = 0.3"), model, 400)
    neutral = sum(not expression_of(shot, model) for shot in drawn)
    assert neutral / 400 == pytest.approx(0.3, abs=0.07)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions_use_units_that_models_have(name: str) -> None:
    units = EXPRESSIONS[name].all_units
    for head_model in map(load_head_model, HEAD_MODELS):
        assert set(units) <= set(head_model.table.names)
    assert all(0 < value <= 1 for value in EXPRESSIONS[name].units.values())
    assert EXPRESSIONS[name].one_sided <= set(EXPRESSIONS[name].units)


OPPOSED = (
    ("eyeWide", "eyeBlink"),
    ("eyeWide", "eyeSquint"),
    ("mouthSmile", "mouthFrown"),
    ("mouthSmile", "mouthPucker"),
    ("jawOpen", "mouthPress"),
    ("mouthFunnel", "mouthStretch"),
)


@given(st.integers(0, 2**32), st.floats(0, 1), st.integers(1, 3))
def test_what_is_drawn_could_be_shown(seed: int, strength: float, count: int) -> None:
    weights = {name: e.weight for name, e in EXPRESSIONS.items()}
    draw = ExpressionDraw(weights, tuple(sorted(UNITS)))
    values = draw.draw(np.random.default_rng(seed), strength, count)
    assert values and set(values) <= UNITS
    assert max(values.values()) <= strength
    for first, second in OPPOSED:
        shown = [any(unit.startswith(name) for unit in values) for name in (first, second)]
        assert not all(shown)
    assert values.get("eyeWideLeft") == values.get("eyeWideRight")
    pairs = [(values[u], values[u.replace("Left", "Right")]) for u in values if u in _PAIRED]
    assert all(0.65 <= left / right <= 1.55 for left, right in pairs if right)


_ONE_SIDED = {u for e in EXPRESSIONS.values() for n in e.one_sided for u in (f"{n}Left",)}
_PAIRED = {unit for unit in UNITS if unit.endswith("Left")} - _ONE_SIDED


def test_expressions_differ_from_each_other_and_in_strength(rng: np.random.Generator) -> None:
    draw = ExpressionDraw({"smile": 1.0}, tuple(UNITS))
    full = [draw.draw(rng, 1.0, 1)["mouthSmileLeft"] for _ in range(200)]
    half = [draw.draw(rng, 0.5, 1)["mouthSmileLeft"] for _ in range(200)]
    assert np.std(full) > 0.03
    assert np.mean(half) == pytest.approx(np.mean(full) / 2, rel=0.03)


def test_more_expressions_at_once_move_more_of_the_face(rng: np.random.Generator) -> None:
    draw = ExpressionDraw({"faint_smile": 1.0, "raised_brows": 1.0, "squint": 1.0}, tuple(UNITS))
    counts = [len(draw.draw(rng, 1.0, count)) for count in (1, 2, 3, 3)]
    assert counts[0] < counts[1] < counts[2] == counts[3]


@pytest.mark.parametrize(
    ("only", "avoid", "allowed"),
    [
        (["jawOpen", "eyeBlinkLeft"], [], {"jawOpen", "eyeBlinkLeft"}),
        (["tongueOut"], [], {"tongueOut"}),
        (["jawLeft"], [], {"jawLeft"}),
        (["noseSneerLeft", "noseSneerRight"], [], {"noseSneerLeft", "noseSneerRight"}),
        ([], sorted(UNITS - {"jawOpen"}), {"jawOpen"}),
        ([], ["mouthRight"], UNITS - {"mouthRight"}),
    ],
)
def test_only_allowed_units_are_shown(
    tmp_path: Path, model: HeadModel, only: list[str], avoid: list[str], allowed: set[str]
) -> None:
    text = f"[expression]\nneutral = 0\nactive = 3\nonly = {only}\navoid = {avoid}"
    recipe = recipe_of(tmp_path, text)
    check_model(recipe, model)
    shown = [set(expression_of(shot, model)) for shot in shots(recipe, model, 60)]
    assert all(units and units <= allowed for units in shown)
    if len(allowed) < 5:
        assert set().union(*shown) == allowed


def test_a_head_keeps_the_expression_that_it_has(tmp_path: Path, model: HeadModel) -> None:
    head = model.table.default()
    place = model.table.index("mouthSmileLeft")
    head[place] = 0.9
    recipe = recipe_of(tmp_path, "[expression]\nneutral = 1")
    assert draw_shot(recipe, model, np.random.default_rng(0), head).parameters[place] == 0.9
    recipe = recipe_of(tmp_path, "[expression]\nneutral = 0\nkinds = ['smile']\nstrength = 1")
    assert draw_shot(recipe, model, np.random.default_rng(0), head).parameters[place] == 1.0


def test_principal_components_are_drawn_as_they_were_learned(tmp_path: Path) -> None:
    rows = [
        Parameter(f"expression_{i:03d}", "", "expression", -3.0, 3.0, 0.0, 0.0, "", False)
        for i in range(50)
    ]
    components: Any = SimpleNamespace(name="flame_0", table=ParameterTable(rows), joint_sliders={})
    recipe = recipe_of(tmp_path, "[expression]\nneutral = 0\nstrength = 0.5")
    check_model(recipe, components)
    drawn = np.array([shot.parameters for shot in shots(recipe, components, 100)])
    assert drawn.std() == pytest.approx(0.5, abs=0.03) and abs(drawn.mean()) < 0.03
    assert np.abs(drawn).max() <= 3.0


def test_parameters_replace_everything_else(tmp_path: Path, model: HeadModel) -> None:
    text = """
    [expression]
    neutral = 0
    kinds = ["open_vowel"]
    [gaze]
    yaw = 20
    [parameters]
    jawOpen = 0.125
    leye_pose_y = {uniform = [-0.2, -0.1]}
    shape_001 = {choice = [-2, 2]}
    """
    recipe = recipe_of(tmp_path, text)
    check_model(recipe, model)
    drawn = shots(recipe, model, 20)
    read = {
        name: [s.parameters[model.table.index(name)] for s in drawn] for name in recipe.parameters
    }
    assert set(read["jawOpen"]) == {0.125} and set(read["shape_001"]) == {-2.0, 2.0}
    assert all(-0.2 <= value <= -0.1 for value in read["leye_pose_y"])
    assert len(set(read["leye_pose_y"])) == 20


def gaze_on_mesh(model: HeadModel, parameters: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Where each eye looks (3,) and its centre: that of the sphere through its vertices, and from
    there to where the iris is drawn."""
    surface, vertices = model.surface, model.forward(parameters)[0].astype(np.float64)
    found = []
    for side in ("left", "right"):
        eye = surface.part == surface.part_names.index(f"eye_{side}")
        points = vertices[eye]
        system = np.column_stack([2 * points, np.ones(len(points))])
        centre = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0][:3]
        directions = (points - centre) / np.linalg.norm(points - centre, axis=1, keepdims=True)
        u, _, vt = np.linalg.svd(directions.T @ surface.gaze[eye])  # Kabsch's rotation
        found.append((u @ vt @ [0.0, -1.0, 0.0], centre))
    return found


def people(model: HeadModel) -> np.ndarray:
    """The mean head and three others (4, P)."""
    others = model.sample_prior(np.random.default_rng(4), 3)
    return np.concatenate([model.table.default()[None], others])


@MODELS
@pytest.mark.parametrize(("yaw", "pitch"), [(25, 0), (-25, 0), (0, 15), (0, -15), (20, 12)])
def test_both_eyes_of_everybody_look_where_the_recipe_says(
    tmp_path: Path, name: str, yaw: float, pitch: float
) -> None:
    """Yaw to the subject's left, which is +X, and pitch up, which is +Z."""
    head_model = load_head_model(name)
    recipe = recipe_of(tmp_path, f"[expression]\nneutral = 1\n[gaze]\nyaw = {yaw}\npitch = {pitch}")
    for head in people(head_model):
        shot = draw_shot(recipe, head_model, np.random.default_rng(0), head)
        for direction, _ in gaze_on_mesh(head_model, shot.parameters):
            assert np.degrees(np.arcsin(direction[2])) == pytest.approx(pitch, abs=1.0)
            sideways = np.degrees(np.arctan2(direction[0], -direction[1]))
            assert sideways == pytest.approx(yaw, abs=1.0)


NECKS = {
    "open_flame": "neck_pose_y",
    "anny": "neck_z",
    "person": "neck_z",
    "open_person": "neck_pose_y",
}


@MODELS
@pytest.mark.parametrize(
    "camera", ["", "yaw = 20\npitch = 10", "yaw = -25\nroll = 10\nshift_x = 0.2", "distance = 0.5"]
)
@pytest.mark.parametrize("neck", [0.0, 0.25])
def test_eyes_of_everybody_look_into_the_camera(
    tmp_path: Path, name: str, camera: str, neck: float
) -> None:
    head_model = load_head_model(name)
    text = f"[camera]\n{camera}\n[expression]\nneutral = 1\n[gaze]\nat_camera = 1.0"
    recipe = recipe_of(tmp_path, f"{text}\n[parameters]\n{NECKS[name]} = {neck}")
    for head in people(head_model):
        shot = draw_shot(recipe, head_model, np.random.default_rng(0), head)
        five = head_model.five_points(head_model.forward(shot.parameters))[0]
        position = Camera.of(shot.view, middle_of_face(five), 256, 256).position
        for direction, centre in gaze_on_mesh(head_model, shot.parameters):
            ray = (position - centre) / np.linalg.norm(position - centre)
            assert np.degrees(np.arccos(np.clip(direction @ ray, -1, 1))) < 1.2


def test_without_a_word_on_gaze_the_eyes_stay(tmp_path: Path, model: HeadModel) -> None:
    head = model.table.default()
    head[model.table.index("leye_pose_y")] = 0.3
    recipe = recipe_of(tmp_path, "[expression]\nneutral = 1")
    assert (draw_shot(recipe, model, np.random.default_rng(0), head).parameters == head).all()


def test_eyes_turn_no_further_than_they_can(tmp_path: Path, model: HeadModel) -> None:
    text = "[camera]\nyaw = 80\n[gaze]\nat_camera = 1.0"
    (shot,) = shots(recipe_of(tmp_path, text), model, 1)
    place = model.table.index("leye_pose_y")
    assert shot.parameters[place] == model.table.minimum[place]


def test_a_gaze_does_not_twist_the_eye() -> None:
    assert turn_from_ahead(0.0, 0.0).tolist() == [0.0, 0.0]
    np.testing.assert_allclose(turn_from_ahead(0.3, 0.0), [0.0, 0.3], atol=1e-15)
    np.testing.assert_allclose(turn_from_ahead(0.0, 0.3), [-0.3, 0.0], atol=1e-15)


@MODELS
def test_lids_follow_the_gaze(tmp_path: Path, name: str) -> None:
    head_model = load_head_model(name)
    openings = []
    for pitch in (-15, 0, 15):
        text = f"[expression]\nneutral = 1\n[gaze]\npitch = {pitch}\nyaw = 1"
        (shot,) = shots(recipe_of(tmp_path, text), head_model, 1)
        landmarks = head_model.landmarks(head_model.forward(shot.parameters))[0]
        openings.append(float((landmarks[[37, 43], 2] - landmarks[[41, 47], 2]).mean()))
    assert openings[0] < 0.8 * openings[1] < openings[1] < 0.9 * openings[2]
