# SPDX-License-Identifier: GPL-3.0-or-later
"""The open head: FLAME's layout, Anny's people; and FLAME files as head models by path and name."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegen_addon.artifacts import load_npz
from facegen_addon.errors import UserError
from facegen_addon.heads.anny.head import AnnyHead
from facegen_addon.heads.catalogue import DEFAULT_FLAME, check_model_name, load_head_model
from facegen_addon.heads.flame.dressing import to_house
from facegen_addon.heads.flame.head import FlameHead
from facegen_addon.heads.flame.model import FlameParameters
from facegen_addon.heads.flame.open_head import flame_head_from_file
from facegen_addon.heads.landmarks import read_landmark_embedding


@pytest.fixture(scope="module")
def head() -> FlameHead:
    model = load_head_model(DEFAULT_FLAME)
    assert isinstance(model, FlameHead)
    return model


@pytest.fixture(scope="module")
def anny() -> AnnyHead:
    model = load_head_model("anny")
    assert isinstance(model, AnnyHead)
    return model


@pytest.fixture(scope="module")
def people(head: FlameHead, anny: AnnyHead) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Anny's heads that the bake has not drawn: parameters, offsets from the mean, scores."""
    parameters = anny.sample_prior(np.random.default_rng(99), 400)
    vertices = anny.forward(parameters)
    vertices -= vertices[:, anny.surface.part == 0].mean(1, keepdims=True)
    offsets = (vertices - to_house(head.flame.arrays.template)).reshape(len(parameters), -1)
    basis = to_house(head.flame.arrays.shape_basis.transpose(2, 0, 1)).reshape(-1, offsets.shape[1])
    # The bake weighs the face twice; components are orthogonal in that measure.
    face = (anny.surface.rest_position[:, 1] < -0.09) & (anny.surface.part == 0)
    weight = np.repeat(np.where(face, 4.0, 1.0), 3)
    scores = np.linalg.solve((basis * weight) @ basis.T, (basis * weight) @ offsets.T).T
    return parameters, offsets, scores


def test_components_explain_anny(
    head: FlameHead, people: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    _, offsets, scores = people
    basis = to_house(head.flame.arrays.shape_basis.transpose(2, 0, 1)).reshape(-1, offsets.shape[1])
    left = offsets - scores @ basis
    assert (left**2).sum() / (offsets**2).sum() < 0.012
    assert np.linalg.norm(left.reshape(len(left), -1, 3), axis=2).mean() < 7e-4


def test_components_are_of_unit_variance(
    people: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    _, _, scores = people
    assert np.abs(scores.mean(0)).max() < 0.25
    assert scores.std(0).min() > 0.8 and scores.std(0).max() < 1.25
    correlation = np.corrcoef(scores.T) - np.eye(scores.shape[1])
    assert np.abs(correlation).max() < 0.3


def test_phenotypes_are_read_off_the_components(
    head: FlameHead, anny: AnnyHead, people: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    parameters, _, scores = people
    for name, read in head.phenotypes(scores).items():
        assert np.corrcoef(read, parameters[:, anny.table.index(name)])[0, 1] > 0.9, name


def test_expressions_are_annys(head: FlameHead, anny: AnnyHead) -> None:
    """The same 52 actions by the same names, and the same displacement."""
    names = [head.table.names[i] for i in head.table.columns("expression")]
    assert names == [anny.table.names[i] for i in anny.table.columns("expression")]
    for column, name in enumerate(names):
        row = anny.table.default()
        row[anny.table.index(name)] = 1.0
        rest, acted = anny.forward(np.stack([anny.table.default(), row]))
        ours = to_house(head.flame.arrays.expression_basis[:, :, column])
        assert np.abs(ours - (acted - rest)).max() < 1e-6, name


def test_same_anatomy_as_anny(head: FlameHead, anny: AnnyHead) -> None:
    """The mean heads are different people, but of one anatomy."""
    ours = head.forward(head.table.default()[None])
    theirs = anny.forward(anny.table.default()[None])
    assert np.array_equal(head.flame.arrays.faces, anny.surface.faces)
    between = head.five_points(ours)[0] - anny.five_points(theirs)[0]
    assert np.linalg.norm(between - between.mean(0), axis=1).max() < 0.008
    apart = head.landmarks(ours)[0] - anny.landmarks(theirs)[0]
    assert np.linalg.norm(apart - apart.mean(0), axis=1).max() < 0.015


def test_jaw_neck_and_eyes_turn_what_is_theirs(head: FlameHead) -> None:
    rest = head.forward(head.table.default()[None])[0]
    for name, value in (("jaw_pose_x", 0.3), ("neck_pose_y", 0.5), ("leye_pose_y", 0.3)):
        row = head.table.default()
        row[head.table.index(name)] = value
        moved = np.linalg.norm(head.forward(row[None])[0] - rest, axis=1)
        marks = np.linalg.norm(
            head.landmarks(head.forward(row[None])[0]) - head.landmarks(rest), axis=1
        )
        left_eye = head.surface.part == head.surface.part_names.index("eye_left")
        if name == "jaw_pose_x":
            assert marks[8] > 0.02 and marks[30] < 1e-3 and not moved[left_eye].max() > 1e-6
        elif name == "neck_pose_y":
            assert marks[30] > 0.03 and moved[left_eye].min() > 0.02
            assert moved[rest[:, 2].argmin()] < 0.01, "the neck's edge stays"
        else:
            assert moved[left_eye].max() > 4e-3, "the lids follow a little"
            assert moved[~left_eye].max() < 1e-3


def test_joints_lie_inside_the_head(head: FlameHead) -> None:
    joints = head.flame.forward(FlameParameters.from_mapping({})).joints[0]
    vertices = head.flame.arrays.template
    assert (joints > vertices.min(0)).all() and (joints < vertices.max(0)).all()
    eyes = [vertices[head.surface.part == part].mean(0) for part in (2, 3)]
    assert np.linalg.norm(joints[3:] - eyes, axis=1).max() < 0.012


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_sliders_to_flame_and_back(seed: int) -> None:
    model = load_head_model(DEFAULT_FLAME)
    assert isinstance(model, FlameHead)
    rows = model.table.sample_uniform(np.random.default_rng(seed), 3)
    again = model.from_flame(model.to_flame(rows), rows[0])
    for group in ("shape", "expression", "pose"):
        columns = model.table.columns(group)
        assert np.allclose(again[:, columns], rows[:, columns])


def test_from_flame_clips_and_fills(head: FlameHead) -> None:
    """Few components are the leading ones; what is beyond a slider stays at its end."""
    given_ = FlameParameters.from_mapping({"betas": [[9.0, -1.0]], "jaw_pose": [2.0, 0, 0]})
    row = head.from_flame(given_, head.table.default())[0]
    assert row[head.table.index("shape_001")] == 3.0
    assert row[head.table.index("shape_002")] == -1.0
    assert not row[head.table.columns("shape")[2:]].any()
    jaw = head.table.index("jaw_pose_x")
    assert row[jaw] == head.table.maximum[jaw]


def test_prior_is_such_as_people_are(head: FlameHead) -> None:
    table = head.table
    prior = head.sample_prior(np.random.default_rng(1), 3000)
    assert table.validate(prior).shape == prior.shape
    shape = prior[:, table.columns("shape")]
    assert np.abs(shape.std(0) - 1.0).max() < 0.1
    read = head.phenotypes(shape)
    fair, dark = read["caucasian"] > 0.7, read["african"] > 0.7
    melanin = prior[:, table.index("skin_melanin")]
    assert melanin[dark].mean() > melanin[fair].mean() + 0.2
    beard = prior[:, table.index("facial_hair")]
    assert beard[read["gender"] < 0.2].min() == 1.0 and beard[read["gender"] > 0.7].max() == 0.0


def test_women_have_no_beard_where_its_share_is_zero(head: FlameHead) -> None:
    row = head.table.default()
    row[head.table.index("facial_hair")] = 0.0
    style = head.hair_style(row)
    assert style.beard_density == 0.0 and style.moustache_density == 0.0


def test_same_parameters_same_bytes(head: FlameHead) -> None:
    rows = head.sample_prior(np.random.default_rng(2), 4)
    assert head.forward(rows).tobytes() == head.forward(rows.copy()).tobytes()


def test_a_file_is_known_by_its_hash(tmp_path: Path, user_folder: Path) -> None:
    """The open head's own file, given by path: another name, the same head; found without it."""
    path = tmp_path / "mine.npz"
    np.savez(path, **load_npz("open_flame"))  # type: ignore[arg-type]
    model = load_head_model(str(path))
    assert model.name.startswith("flame_") and len(model.name) == len("flame_") + 12
    ours = load_head_model(DEFAULT_FLAME)
    row = model.table.default()
    assert np.array_equal(model.forward(row[None]), ours.forward(row[None]))
    path.unlink()
    assert load_head_model(model.name).table.names == model.table.names
    shutil.rmtree(user_folder / "flame")
    with pytest.raises(UserError, match="choose the FLAME file again"):
        load_head_model(model.name + "0")


def test_the_open_heads_file_carries_its_landmarks(project: Path, head: FlameHead) -> None:
    """Whoever has the file alone has the 68 points, under DECA's names."""
    embedding = read_landmark_embedding(project / "models/open_flame.npz", len(head.surface.faces))
    vertices = head.forward(head.table.default()[None])[0]
    assert np.allclose(embedding.points(vertices, head.surface.faces), head.landmarks(vertices))


def test_official_landmarks_beside_the_file_are_used(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, **load_npz("open_flame"))  # type: ignore[arg-type]
    table = {
        "full_lmk_faces_idx": np.arange(68)[None],
        "full_lmk_bary_coords": np.tile([1.0, 0.0, 0.0], (1, 68, 1)),
    }
    np.save(tmp_path / "landmark_embedding.npy", np.array(table, object), allow_pickle=True)
    model = flame_head_from_file(path)
    vertices = model.forward(model.table.default()[None])[0]
    assert np.allclose(model.landmarks(vertices), vertices[model.surface.faces[:68, 0]])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("bob", "'bob'; choose from open_flame, anny, person, open_person, or give a FLAME file"),
        ("nowhere.pkl", "nowhere.pkl"),
        ("flame_0123456789ab", "choose the FLAME file again"),
        ("flame_x", "choose the FLAME file again"),
    ],
)
def test_unknown_models_are_named(name: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        load_head_model(name)


def test_a_path_that_no_disk_takes_is_one_line() -> None:
    name = "x" * 5000 + ".pkl"
    with pytest.raises(UserError, match="is not there; name a FLAME file"):
        check_model_name(name)
    with pytest.raises(UserError, match="cannot be read"):
        load_head_model(name)


def test_names_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    check_model_name(DEFAULT_FLAME)
    with pytest.raises(UserError, match=r"there\.pkl is not there; name a FLAME file"):
        check_model_name(str(tmp_path / "there.pkl"))
    with pytest.raises(UserError, match="choose from open_flame"):
        check_model_name("bob")
