# SPDX-License-Identifier: GPL-3.0-or-later
"""The Anny head in NumPy: deterministic, batched, symmetric, and equal to anny's own forward."""

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.heads import strands
from facegen_addon.heads.anny.head import AnnyHead
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.skinning import rotation_matrices


@pytest.fixture(scope="module")
def model() -> AnnyHead:
    head = load_head_model("anny")
    assert isinstance(head, AnnyHead)
    return head


def test_unknown_model_is_named() -> None:
    with pytest.raises(UserError, match="'bob'; choose from open_flame, anny"):
        load_head_model("bob")


def test_the_table_holds_what_was_promised(model: AnnyHead) -> None:
    table = model.table
    assert len(table.columns("expression")) == 52
    assert "jawOpen" in table.names
    assert [n for n in table.names if n.startswith("neck_")][-3:] == ["neck_x", "neck_y", "neck_z"]
    for appearance in ("skin_melanin", "skin_redness", "lip_colour", "iris_melanin"):
        assert table.parameters[table.index(appearance)].guided
    paired = [n for n in table.names if n.endswith("_asymmetry")]
    assert len(paired) == 31
    assert all(n.removesuffix("_asymmetry") in table.names for n in paired)


def test_a_batch_is_its_heads(model: AnnyHead, rng: np.random.Generator) -> None:
    rows = rng.uniform(model.table.minimum, model.table.maximum, (5, len(model.table)))
    together = model.forward(rows)
    for row, vertices in zip(rows, together, strict=True):
        np.testing.assert_allclose(model.forward(row)[0], vertices, atol=1e-6)


def test_same_parameters_same_bytes(model: AnnyHead, rng: np.random.Generator) -> None:
    rows = model.sample_prior(rng, 3)
    assert model.forward(rows).tobytes() == model.forward(rows.copy()).tobytes()


def test_symmetric_sliders_keep_the_mirror_asymmetric_ones_break_it(model: AnnyHead) -> None:
    def mirror_gap(vertices: np.ndarray) -> float:
        skin = vertices[model.surface.part == 0]
        mirrored = skin * [-1, 1, 1]
        return max(np.linalg.norm(skin - point, axis=1).min() for point in mirrored[::50])

    head = model.table.default()
    head[model.table.index("ear_lobe_incr")] = 1.0
    assert mirror_gap(model.forward(head)[0]) < 2e-4
    head[model.table.index("cheek_volume_incr_asymmetry")] = 0.5
    assert mirror_gap(model.forward(head)[0]) > 1e-3


def test_eyes_turn_about_their_centres(model: AnnyHead) -> None:
    head = model.table.default()
    neutral = model.forward(head)[0]
    head[model.table.index("eye_left_z")] = 0.3
    turned = model.forward(head)[0]
    eye = model.surface.part == model.surface.part_names.index("eye_left")
    moved = np.linalg.norm(turned - neutral, axis=1)
    assert 2e-3 < moved[eye].max() < 6e-3
    # Eyes share no weight with other bones, so their size stays what it was.
    np.testing.assert_allclose(np.ptp(turned[eye][:, 2]), np.ptp(neutral[eye][:, 2]), atol=1e-4)


def test_rotations_are_rotations(rng: np.random.Generator) -> None:
    matrices = rotation_matrices(rng.normal(size=(50, 3)))
    np.testing.assert_allclose(
        matrices @ matrices.transpose(0, 2, 1), np.tile(np.eye(3), (50, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0)
    assert np.array_equal(rotation_matrices(np.zeros(3)), np.eye(3))


def test_five_points_lie_where_a_face_has_them(model: AnnyHead, rng: np.random.Generator) -> None:
    for vertices in model.forward(model.sample_prior(rng, 20)):
        left_eye, right_eye, nose, mouth_left, mouth_right = model.five_points(vertices)
        assert left_eye[0] < nose[0] < right_eye[0]
        assert mouth_left[0] < nose[0] < mouth_right[0]
        assert left_eye[2] > nose[2] > mouth_left[2]
        assert nose[1] < min(left_eye[1], mouth_left[1])


def test_prior_heads_are_valid_and_natural(model: AnnyHead, rng: np.random.Generator) -> None:
    heads = model.sample_prior(rng, 3000)
    model.table.validate(heads)
    column = {name: heads[:, model.table.index(name)] for name in model.table.names}
    assert np.corrcoef(column["skin_melanin"], column["african"])[0, 1] > 0.7
    assert np.corrcoef(column["hair_grey"], column["age"])[0, 1] > 0.4
    assert (column["jawOpen"] == 0).all()


def test_women_grow_no_beard_and_density_shows_in_the_strands(model: AnnyHead) -> None:
    head = model.table.default()
    head[model.table.index("beard_density")] = 1.0

    def visible(gender: float, region: int) -> int:
        head[model.table.index("gender")] = gender
        vertices = model.forward(head)[0]
        grown = strands.grow(model.strands, model.hair_style(head), vertices, model.surface.faces)
        return int(
            (grown.radius.reshape(-1, strands.POINTS)[model.strands.region == region, 0] > 0).sum()
        )

    assert visible(1.0, strands.BEARD) == 0
    assert visible(0.0, strands.BEARD) > 500
    full = visible(0.0, strands.SCALP)
    head[model.table.index("hair_density")] = 0.0
    assert visible(0.0, strands.SCALP) == 0 < full


def test_strands_start_on_the_skin_and_have_their_length(model: AnnyHead) -> None:
    head = model.table.default()
    vertices = model.forward(head)[0]
    grown = strands.grow(model.strands, model.hair_style(head), vertices, model.surface.faces)
    corners = vertices[model.surface.faces[model.strands.triangle]]
    roots = (corners * model.strands.bary[:, :, None]).sum(1)
    points = grown.points.reshape(-1, strands.POINTS, 3)
    np.testing.assert_allclose(points[:, 0], roots, atol=1e-6)
    length = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(1)
    shown = grown.radius[:: strands.POINTS] > 0
    assert np.isfinite(grown.points).all()
    assert (length[~shown] == 0).all()
    assert 0.001 < length[shown].min() < length[shown].max() < 0.05


def test_colours_follow_pigment(model: AnnyHead) -> None:
    head = model.table.default()

    def look(**values: float):
        row = head.copy()
        for name, value in values.items():
            row[model.table.index(name)] = value
        return model.appearance(row)

    forehead = model.surface.masks["cheeks"] > 0.5
    pale, dark = look(skin_melanin=0.0), look(skin_melanin=1.0)
    assert pale.vertex_colour[forehead].mean() > 3 * dark.vertex_colour[forehead].mean()
    assert (dark.vertex_colour >= 0).all()
    assert (pale.vertex_colour <= 1).all()
    red, pallid = look(skin_redness=1.0), look(skin_redness=0.0)
    assert (red.vertex_colour[forehead, 1] < pallid.vertex_colour[forehead, 1]).all()
    blue, brown = look(iris_melanin=0.0, iris_green=0.0).iris, look(iris_melanin=1.0).iris
    assert blue[2] > blue[0]
    assert brown[0] > brown[2]
    assert look(hair_grey=1.0, hair_melanin=1.0).hair.min() > 0.5


@pytest.mark.torch
@pytest.mark.slow
def test_agrees_with_anny_itself(model: AnnyHead) -> None:
    """200 random vectors, expressions and pose included: at most 1e-5 m from anny's forward."""
    anny = pytest.importorskip("anny", reason="runs in the training environment")
    import roma
    import torch

    reference = anny.Anny(
        rig="makehuman-head", topology="head", local_changes="all", facial_actions="all",
        phenotypes="all",
    )  # fmt: skip
    table, rng = model.table, np.random.default_rng(0)
    rows = rng.uniform(table.minimum, table.maximum, (200, len(table)))
    column = {name: torch.tensor(rows[:, table.index(name)]) for name in table.names}
    local = {}
    for label in reference.local_change_labels:
        sided = label[:2] in ("l-", "r-")
        name = (label[2:] if sided else label).replace("-", "_")
        if name in column:
            sign = {"l": 1.0, "r": -1.0}[label[0]] if sided else 0.0
            local[label] = column[name] + sign * column.get(f"{name}_asymmetry", 0.0)
    bones = {
        "neck01": "neck",
        "head": "head",
        "jaw": "jaw",
        "eye.L": "eye_left",
        "eye.R": "eye_right",
    }
    pose = {}
    for bone, name in bones.items():
        axis_angle = torch.stack([column[f"{name}_{axis}"] for axis in "xyz"], dim=1)
        pose[bone] = torch.eye(4, dtype=torch.float64).repeat(len(rows), 1, 1)
        pose[bone][:, :3, :3] = roma.rotvec_to_rotmat(axis_angle)
    expected = reference(
        pose_parameters=pose,
        phenotype_kwargs={n: column[n] for n in reference.phenotype_labels if n in column},
        local_changes_kwargs=local,
        facial_actions={name: column[name] for name in reference.facial_action_labels},
    )["vertices"].numpy()
    assert np.abs(model.forward(rows) - expected).max() < 1e-5


def test_joints_move_with_the_skin_that_follows_them_alone(
    model: AnnyHead, rng: np.random.Generator
) -> None:
    """Turning the head keeps every such point as far from its joint as it was."""
    rest = model.sample_prior(rng, 3)
    turned = rest.copy()
    pose = [i for i, p in enumerate(model.table.parameters) if p.unit == "rad"]
    low, high = model.table.minimum[pose], model.table.maximum[pose]
    turned[:, pose] = rng.uniform(low, high, (3, len(pose)))
    before, after = model.joints(rest), model.joints(turned)
    moved = np.linalg.norm(after - before, axis=2).max(0)
    assert (before[:, 0] == 0.0).all() and moved.max() > 0.01
    points = {"before": (model.forward(rest), before), "after": (model.forward(turned), after)}
    checked = 0
    for joint in range(before.shape[1]):
        own = model.anny.arrays.weights[:, joint] > 0.9999
        far = {
            when: np.linalg.norm(vertices[:, own] - joints[:, joint, None], axis=2)
            for when, (vertices, joints) in points.items()
        }
        np.testing.assert_allclose(far["after"], far["before"], atol=1e-5)
        checked += own.sum()
    assert checked > 500
