# SPDX-License-Identifier: GPL-3.0-or-later
"""The FLAME head: equal to its definition, batched, incremental, and clear about bad values."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facegen_addon.errors import UserError
from facegen_addon.heads.flame.file import FlameArrays, from_arrays, read_flame_file
from facegen_addon.heads.flame.model import (
    LIMITS,
    POSES,
    Flame,
    FlameParameters,
    IncrementalFlame,
    clamp_pose,
)
from tests.heads.flame.synthetic import flame_table


def make_flame(rng: np.random.Generator, **sizes: int) -> Flame:
    return Flame(from_arrays(flame_table(rng, **sizes), "synthetic", "0" * 64, "synthetic"))


def random_parameters(rng: np.random.Generator, arrays: FlameArrays, count: int) -> FlameParameters:
    values: dict[str, Any] = {
        "betas": rng.normal(size=(count, arrays.shape_basis.shape[2])),
        "expression": rng.normal(size=(count, arrays.expression_basis.shape[2])),
        "transl": rng.normal(size=(count, 3)),
    }
    poses = {name: rng.normal(0.0, 0.5, (count, 3)) for name in POSES}
    return FlameParameters.from_mapping(values | poses, arrays)


def row(parameters: FlameParameters, index: int) -> FlameParameters:
    rows = {name: values[index] for name, values in parameters.as_mapping().items()}
    return FlameParameters.from_mapping(rows)


@pytest.fixture
def flame(rng: np.random.Generator) -> Flame:
    return make_flame(rng)


@pytest.fixture(scope="module")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Flame:
    path = shared_data / "flame" / "flame2023open_60id_f32.npz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGEN_DATA", str(tmp_path_factory.mktemp("user")))
        return Flame(read_flame_file(path))


def rotation(axis_angle: NDArray[Any]) -> NDArray[Any]:
    """The matrix exponential of the cross product, summed as a series."""
    x, y, z = axis_angle
    generator = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    total = term = np.eye(3)
    for order in range(1, 40):
        term = term @ generator / order
        total = total + term
    return total


def definition(
    arrays: FlameArrays, parameters: FlameParameters
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Equations 1 to 5 of the paper for one head, with 4 x 4 matrices and a loop over joints."""
    shaped = arrays.template + arrays.shape_basis.astype(float) @ parameters.betas[0]
    shaped = shaped + arrays.expression_basis.astype(float) @ parameters.expression[0]
    joints = arrays.joint_regressor @ shaped
    turns = [rotation(getattr(parameters, name)[0]) for name in POSES]
    features = np.concatenate([(turn - np.eye(3)).ravel() for turn in turns[1:]])
    posed = shaped + arrays.pose_basis.astype(float) @ features
    world: list[NDArray[Any]] = []
    for joint, parent in enumerate(arrays.parents):
        local = np.eye(4)
        local[:3, :3] = turns[joint]
        local[:3, 3] = joints[joint] - (joints[parent] if parent >= 0 else 0.0)
        world.append(world[parent] @ local if parent >= 0 else local)
    vertices = np.zeros_like(posed)
    for joint, matrix in enumerate(world):
        moved = (posed - joints[joint]) @ matrix[:3, :3].T + matrix[:3, 3]
        vertices += arrays.weights[:, joint, None] * moved
    shift = parameters.transl[0]
    return vertices + shift, np.array([matrix[:3, 3] for matrix in world]) + shift


@given(
    seed=st.integers(0, 2**32 - 1),
    vertices=st.integers(1, 40),
    identity=st.integers(1, 12),
    expression=st.integers(0, 6),
)
def test_forward_is_the_paper_s_definition(
    seed: int, vertices: int, identity: int, expression: int
) -> None:
    rng = np.random.default_rng(seed)
    flame = make_flame(rng, vertices=vertices, identity=identity, expression=expression)
    parameters = random_parameters(rng, flame.arrays, 1)
    mesh = flame.forward(parameters)
    expected, joints = definition(flame.arrays, parameters)
    np.testing.assert_allclose(mesh.vertices[0], expected, atol=2e-6)
    np.testing.assert_allclose(mesh.joints[0], joints, atol=2e-6)
    assert mesh.vertices.dtype == mesh.joints.dtype == np.float32


def test_a_batch_is_its_heads_posed_or_not(flame: Flame, rng: np.random.Generator) -> None:
    parameters = random_parameters(rng, flame.arrays, 6)
    values = parameters.as_mapping() | {
        name: getattr(parameters, name) * [[1], [0], [1], [0], [0], [1]] for name in POSES
    }
    parameters = FlameParameters.from_mapping(values)
    together = flame.forward(parameters)
    for index in range(6):
        alone = flame.forward(row(parameters, index))
        np.testing.assert_allclose(alone.vertices[0], together.vertices[index], atol=1e-6)
        np.testing.assert_allclose(alone.joints[0], together.joints[index], atol=1e-6)
    assert together.vertices.flags.c_contiguous


def test_same_parameters_same_bytes_and_no_array_is_changed(
    flame: Flame, rng: np.random.Generator
) -> None:
    parameters = random_parameters(rng, flame.arrays, 3)
    before = {name: values.copy() for name, values in parameters.as_mapping().items()}
    first = flame.forward(parameters)
    assert first.vertices.tobytes() == flame.forward(parameters).vertices.tobytes()
    assert first.joints.tobytes() == flame.forward(parameters).joints.tobytes()
    for name, values in parameters.as_mapping().items():
        assert np.array_equal(values, before[name])


def test_without_parameters_the_template_comes_back(flame: Flame) -> None:
    mesh = flame.forward(FlameParameters.from_mapping({}))
    assert np.array_equal(mesh.vertices[0], flame.arrays.template.astype(np.float32))


def test_fewer_components_are_the_leading_ones(flame: Flame, rng: np.random.Generator) -> None:
    betas, expression = rng.normal(size=(2, 3)), rng.normal(size=(2, 2))
    short = flame.forward(FlameParameters.from_mapping({"betas": betas, "expression": expression}))
    betas, expression = np.pad(betas, ((0, 0), (0, 4))), np.pad(expression, ((0, 0), (0, 2)))
    padded = {"betas": betas, "expression": expression}
    whole = flame.forward(FlameParameters.from_mapping(padded, flame.arrays))
    assert np.array_equal(short.vertices, whole.vertices)


def test_global_orient_turns_the_head_rigidly_about_its_root(
    flame: Flame, rng: np.random.Generator
) -> None:
    betas, turn = rng.normal(size=7), np.array([0.3, -0.8, 1.1])
    rest = flame.forward(FlameParameters.from_mapping({"betas": betas}))
    mesh = flame.forward(FlameParameters.from_mapping({"betas": betas, "global_orient": turn}))
    root = rest.joints[0, 0]
    np.testing.assert_allclose(
        mesh.vertices[0], (rest.vertices[0] - root) @ rotation(turn).T + root, atol=1e-6
    )


def test_rows_of_one_head_serve_all(flame: Flame) -> None:
    given_rows = {"betas": np.arange(6.0).reshape(3, 2), "jaw_pose": [0.2, 0, 0]}
    parameters = FlameParameters.from_mapping(given_rows, flame.arrays)
    assert len(parameters) == 3
    assert parameters.betas.shape == (3, 2)
    assert parameters.expression.shape == (3, 0)
    assert np.array_equal(parameters.jaw_pose, np.tile([0.2, 0, 0], (3, 1)))
    again = FlameParameters.from_mapping(parameters.as_mapping(), flame.arrays)
    for name, values in parameters.as_mapping().items():
        assert np.array_equal(getattr(again, name), values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shape": [1.0]}, "unknown FLAME parameter 'shape': choose from betas, expression, glob"),
        ({"betas": [np.nan]}, "'betas' holds NaN"),
        ({"transl": [0, np.inf, 0]}, "'transl' holds NaN or infinite"),
        ({"betas": np.zeros(8)}, "'betas' has 8 components and the model 'synthetic' only 7"),
        ({"expression": np.zeros((2, 5))}, "'expression' has 5 components .* only 4: give the fir"),
        ({"jaw_pose": [0.1]}, "'jaw_pose' has 1 values a head: give 3"),
        ({"jaw_pose": np.zeros((2, 3, 3))}, r"'jaw_pose' has the shape \(2, 3, 3\)"),
        ({"betas": 1.0}, r"'betas' has the shape \(\)"),
        ({"betas": np.zeros((0, 7))}, r"'betas' has the shape \(0, 7\)"),
        ({"betas": ["a"]}, "'betas' does not hold numbers"),
        ({"betas": [[1.0], [1.0, 2.0]]}, "'betas' does not hold numbers"),
        (
            {"betas": np.zeros((2, 7)), "transl": np.zeros((3, 3))},
            "'betas' has 2 rows and 'transl' 3",
        ),
    ],
)
def test_bad_parameters_are_named(flame: Flame, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        FlameParameters.from_mapping(values, flame.arrays)


def test_poses_beyond_the_anatomical_range_are_clamped_with_a_warning() -> None:
    given_poses = {
        "jaw_pose": [[0.2, 0, 0], [1.5, 0, 0.5]],
        "neck_pose": [[-0.3, 0.3, 0.1]],
        "leye_pose": [[0.0, -2.0, 0.0]],
        "global_orient": [[0.0, 3.1, 0.0]],
        "betas": [[1.0, 2.0]],
    }
    clamped, warnings = clamp_pose(FlameParameters.from_mapping(given_poses))
    assert warnings == [
        "jaw_pose 1.50 rad about x is beyond the anatomical range -0.05 to 0.61 and was clamped"
        " (1 of 2 heads)",
        "leye_pose -2.00 rad about y is beyond the anatomical range -0.91 to 0.91 and was clamped"
        " (2 of 2 heads)",
    ]
    np.testing.assert_allclose(
        clamped.jaw_pose, [[0.2, 0, 0], [np.radians(35), 0, np.radians(5)]], atol=1e-12
    )
    assert np.array_equal(clamped.neck_pose, [[-0.3, 0.3, 0.1]] * 2)
    assert np.array_equal(clamped.global_orient, [[0.0, 3.1, 0.0]] * 2)
    assert np.array_equal(clamped.betas, [[1.0, 2.0]] * 2)
    again, none = clamp_pose(clamped)
    assert not none
    assert np.array_equal(again.pose, clamped.pose)
    for limits in LIMITS.values():
        assert (limits[:, 0] < 0).all()
        assert (limits[:, 1] > 0).all()


def test_10_000_moves_of_one_slider_at_a_time_stay_exact(rng: np.random.Generator) -> None:
    flame = make_flame(rng, vertices=200, identity=30, expression=10)
    start = random_parameters(rng, flame.arrays, 1)
    incremental = IncrementalFlame(flame, start)
    values = {name: rows.copy() for name, rows in start.as_mapping().items()}
    for _ in range(10_000):
        kind = rng.integers(20)
        if kind == 0:
            name = POSES[rng.integers(len(POSES))]
            values[name][0] = rng.normal(0.0, 0.5, 3) * rng.integers(2)
            incremental.set_pose(name, values[name][0])
        elif kind < 15:
            index, value = int(rng.integers(30)), rng.normal(0.0, 3.0)
            values["betas"][0, index] = value
            incremental.set_shape(index, value)
        else:
            index, value = int(rng.integers(10)), rng.normal(0.0, 3.0)
            values["expression"][0, index] = value
            incremental.set_expression(index, value)
    expected, joints = definition(flame.arrays, FlameParameters.from_mapping(values))
    assert np.abs(incremental.vertices - expected).max() < 1e-6
    assert np.abs(incremental.mesh.joints[0] - joints).max() < 1e-6


def test_every_move_shows_and_none_does_not(flame: Flame, rng: np.random.Generator) -> None:
    incremental = IncrementalFlame(flame)
    assert np.array_equal(incremental.vertices, flame.arrays.template.astype(np.float32))
    moves = [
        lambda: incremental.set_shape(6, 1.0),
        lambda: incremental.set_expression(3, 1.0),
        lambda: incremental.set_pose("jaw_pose", (0.2, 0.0, 0.0)),
        lambda: incremental.set_all(random_parameters(rng, flame.arrays, 1)),
    ]
    for move in moves:
        before = incremental.vertices
        assert incremental.vertices is not None
        assert np.array_equal(before, incremental.vertices)
        move()
        assert np.abs(incremental.vertices - before).max() > 1e-4


def test_a_template_s_parameters_are_not_shared(flame: Flame) -> None:
    parameters = FlameParameters.from_mapping({"betas": np.ones(7)}, flame.arrays)
    incremental = IncrementalFlame(flame, parameters)
    incremental.set_shape(0, 9.0)
    incremental.set_pose("neck_pose", (0.1, 0.2, 0.3))
    assert (parameters.betas == 1.0).all()
    assert (parameters.pose == 0.0).all()


def test_the_real_head_opens_its_mouth_nods_and_looks_about(real: Flame) -> None:
    """Signs of the rotations, upon which LIMITS and the sliders' names rest."""

    def moved(**values: Any) -> NDArray[Any]:
        return real.forward(FlameParameters.from_mapping(values)).vertices[0] - rest

    rest = real.arrays.template.astype(np.float32)
    assert LIMITS["jaw_pose"][0, 1] > -LIMITS["jaw_pose"][0, 0]
    opened = moved(jaw_pose=[0.3, 0, 0])
    assert opened[:, 1].min() < -0.02
    jaw = np.linalg.norm(opened, axis=1) > 0.01
    assert rest[jaw, 1].max() < 0.0
    nose = rest[:, 2].argmax()
    assert moved(neck_pose=[0.3, 0, 0])[nose, 1] < -0.01  # down
    assert moved(neck_pose=[0, 0.3, 0])[nose, 0] > 0.01  # to the subject's left
    left_eye = real.arrays.weights[:, 3] > 0.9
    pupil = np.flatnonzero(left_eye)[rest[left_eye, 2].argmax()]
    assert rest[pupil, 0] > 0.02
    assert moved(leye_pose=[0.3, 0, 0])[pupil, 1] < -0.002
    assert np.abs(moved(leye_pose=[0.3, 0, 0])[real.arrays.weights[:, 4] > 0.9]).max() < 1e-3
