# SPDX-License-Identifier: GPL-3.0-or-later
"""A take becomes the sliders of the models that have ARKit's curves."""

from pathlib import Path

import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.exchange.arkit.sliders import axis_angle, import_take
from facegen_addon.heads.exchange.arkit.take import NAMES
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.skinning import rotation_matrices
from tests.heads.exchange.arkit import takes

MODELS = ("open_flame", "anny")


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> HeadModel:
    """A model that has ARKit's sliders."""
    return load_head_model(request.param)


def test_curves_are_the_sliders_of_the_same_names(
    tmp_path: Path, model: HeadModel, rng: np.random.Generator
) -> None:
    values = takes.weights(rng, 4)
    imported = import_take(takes.live_link(tmp_path / "a.csv", values), model)
    columns = [model.table.index(name) for name in NAMES]
    np.testing.assert_array_equal(imported.values[:, columns], values)
    others = np.setdiff1d(np.arange(len(model.table)), columns)
    np.testing.assert_array_equal(
        imported.values[:, others], np.tile(model.table.mean[others], (4, 1))
    )
    assert imported.sequence and imported.fps == pytest.approx(60.0)
    assert not imported.clamped


def test_one_face_is_no_sequence(tmp_path: Path, model: HeadModel) -> None:
    imported = import_take(takes.write_json(tmp_path / "a.json", {"jawOpen": 0.5}), model)
    assert not imported.sequence and imported.fps is None
    assert imported.values[0, model.table.index("jawOpen")] == 0.5


def test_turns_about_all_axes(rng: np.random.Generator) -> None:
    """Yaw of pitch of roll, about FLAME's axes: X the subject's left, Y up, Z ahead."""
    turns = rng.uniform(-1.2, 1.2, (50, 3))
    about = [rotation_matrices(turns[:, [axis]] * np.eye(3)[axis]) for axis in range(3)]
    np.testing.assert_allclose(
        rotation_matrices(axis_angle(turns)), about[1] @ about[0] @ about[2], atol=1e-12
    )
    np.testing.assert_array_equal(axis_angle(np.zeros((1, 3))), np.zeros((1, 3)))


@pytest.mark.parametrize(
    ("column", "axis", "sign"),
    [("HeadYaw", 0, -1.0), ("HeadPitch", 2, 1.0), ("HeadRoll", None, 1.0)],
)
def test_the_head_turns_as_live_link_face_means(
    tmp_path: Path, model: HeadModel, column: str, axis: int | None, sign: float
) -> None:
    """Yaw takes the nose to the subject's right, pitch up, roll the crown to the left shoulder."""
    turns = np.zeros((2, 9))
    turns[1, takes.TURNS.index(column)] = 0.3
    path = takes.live_link(tmp_path / "a.csv", np.zeros((2, 52)), turns)
    rest, turned = model.forward(import_take(path, model).values).astype(np.float64)
    moved = model.five_points(turned[None])[0] - model.five_points(rest[None])[0]
    if axis is None:  # the eye on the subject's left, second of the five, goes down
        assert moved[0, 2] > 0.005 > -0.005 > moved[1, 2]
    else:
        assert sign * moved[2, axis] > 0.01


def test_eyes_follow_the_curves_or_else_their_turns(tmp_path: Path, model: HeadModel) -> None:
    turns = np.zeros((2, 9))
    turns[1, 3:] = [0.2, 0.1, 0.0] * 2  # to the subject's right, and down
    path = takes.live_link(tmp_path / "a.csv", np.zeros((2, 52)), turns)
    imported = import_take(path, model)
    np.testing.assert_array_equal(imported.values[1], imported.values[0])
    assert "the eyes follow the eyeLook curves; their turns say the same" in imported.notes
    header, *rows = path.read_text().splitlines()
    kept = [i for i, name in enumerate(header.split(",")) if "EyeLook" not in name]
    lines = [",".join(np.array(line.split(","))[kept]) for line in (header, *rows)]
    path.write_text("\n".join(lines))
    rest, turned = model.forward(import_take(path, model).values)
    moved = model.five_points(turned[None])[0] - model.five_points(rest[None])[0]
    assert (moved[:2, 0] < -1e-3).all() and (moved[:2, 2] < -5e-4).all()
    np.testing.assert_array_equal(moved[2:], 0.0)


def test_what_is_clamped_is_said(tmp_path: Path, model: HeadModel) -> None:
    frames = [{"jawOpen": 0.5, "cheekPuff": -0.1}, {"jawOpen": 1.25, "cheekPuff": 0.0}]
    imported = import_take(takes.write_json(tmp_path / "a.json", frames), model)
    assert imported.clamped == [
        "expression: 2 values beyond the sliders, first cheekPuff of frame 0, -0.1 kept as 0"
    ]
    turns = np.zeros((2, 9))
    turns[:, 1] = 1.5
    path = takes.live_link(tmp_path / "a.csv", np.zeros((2, 52)), turns)
    (line,) = import_take(path, model).clamped
    assert line.startswith("pose: 2 values beyond the sliders, first ")
    model.table.validate(import_take(path, model).values)


def test_turns_that_a_model_has_no_sliders_for_are_left_out_and_said(
    tmp_path: Path, model: HeadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(model), "joint_sliders", {})
    turns = np.zeros((2, 9))
    turns[1, takes.TURNS.index("HeadYaw")] = 0.3
    imported = import_take(takes.live_link(tmp_path / "a.csv", np.zeros((2, 52)), turns), model)
    np.testing.assert_array_equal(imported.values, np.tile(model.table.default(), (2, 1)))
    assert f"{model.name} has no sliders for the turns of head: left out" in imported.notes
