# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every head model: what it declares is what it computes."""

from collections.abc import Callable, Collection
from functools import partial

import numpy as np
import pytest

from facegen_addon.heads.catalogue import HEAD_MODELS
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.incremental import IncrementalHead
from facegen_addon.heads.rig import at_rest
from facegen_addon.heads.skin.parameters import skin_values
from facegen_addon.heads.skin.textures import FineWeights
from facegen_addon.heads.surface import PART_NAMES
from tests.heads.sphere_head import SphereHead

HEADS = 8
MASKS = {"lips", "mouth", "ears", "cheeks", "nose", "orbit", "lid", "scalp", "brow", "beard"}


@pytest.fixture(
    scope="module", params=[*HEAD_MODELS.values(), SphereHead], ids=lambda m: m.__name__
)
def model(request: pytest.FixtureRequest) -> HeadModel:
    return request.param()


def in_range(model: HeadModel, count: int) -> np.ndarray:
    """Heads (count, P) from all over the ranges, expression and pose too."""
    table = model.table
    return np.random.default_rng(1).uniform(table.minimum, table.maximum, (count, len(table)))


Compute = Callable[[np.ndarray], np.ndarray]


def changes(model: HeadModel, compute: Compute, head: np.ndarray, names: Collection[str]) -> bool:
    """Whether what is computed of a head (P,) changes with parameters, all from end to end."""
    columns = [model.table.index(name) for name in names]
    low, high = head.copy(), head.copy()
    low[columns], high[columns] = model.table.minimum[columns], model.table.maximum[columns]
    return not np.array_equal(compute(low), compute(high))


def check_declared(model: HeadModel, compute: Compute, declared: frozenset[str]) -> None:
    """Nothing else changes it on any head, and each of them on one at least."""
    heads = in_range(model, HEADS)
    others = set(model.table.names) - declared
    assert not any(changes(model, compute, head, others) for head in heads)
    for name in declared:
        assert any(changes(model, compute, head, [name]) for head in heads), name


def colours(model: HeadModel, head: np.ndarray) -> np.ndarray:
    """All colours of a head (P,), in one row."""
    look = model.appearance(head)
    parts = (look.vertex_colour.ravel(), [look.roughness], look.iris, look.hair, look.brow)
    return np.concatenate([*parts, fine_detail(model, head)])


def fine_detail(model: HeadModel, head: np.ndarray) -> np.ndarray:
    """What a skin in texture space shows of a head (P,) besides its vertices' colours."""
    if model.skin is None:
        return np.zeros(0)
    fine = FineWeights.of(skin_values(model.table, head))
    return np.array([*fine.components, *fine.depths, *fine.shares, fine.pattern, fine.fade])


def test_vertices_follow_the_parameters_that_it_declares(model: HeadModel) -> None:
    check_declared(model, model.forward, model.shape_parameters)


def test_colours_follow_the_parameters_that_it_declares(model: HeadModel) -> None:
    check_declared(model, partial(colours, model), model.colour_parameters)


def test_moved_a_step_at_a_time_it_ends_where_it_would_begin(model: HeadModel) -> None:
    """A few sliders at once, all of them, and none."""
    rng, table = np.random.default_rng(2), model.table
    begun, parameters = IncrementalHead(model, table.default()), table.default()
    for count in (1, 1, 3, len(table), 2, 0, 1):
        columns = rng.choice(len(table), count, replace=False)
        before, parameters = parameters, parameters.copy()
        parameters[columns] = rng.uniform(table.minimum, table.maximum)[columns]
        moved = begun.move(parameters)
        assert np.abs(begun.vertices - model.forward(parameters)[0]).max() < 1e-6
        shapes = {table.names[c] for c in columns} & model.shape_parameters
        assert not moved or shapes
        assert begun.recolours(parameters != before) == any(
            table.names[c] in model.colour_parameters for c in columns
        )


def test_joints_are_those_of_the_rig(model: HeadModel) -> None:
    heads = in_range(model, 3)
    joints = model.joints(heads)
    assert joints.dtype == np.float32
    for row, found in zip(heads, joints, strict=True):
        assert np.abs(model.rig(row).posed_joints() - found).max() < 1e-6


@pytest.mark.parametrize(
    ("turn", "about"),
    [((0.2, 0, 0), (0.2, 0, 0)), ((0, 0.2, 0), (0, 0, 0.2)), ((0, 0, 0.2), (0, -0.2, 0))],
    ids=["down", "to the subject's left", "to the right shoulder"],
)
def test_joints_turn_the_way_that_their_sliders_say(
    model: HeadModel, turn: tuple[float, ...], about: tuple[float, ...]
) -> None:
    """``about``: the axis-angle in the house's axes, X to the subject's left, Y backwards, Z up."""
    turned = []
    for joint, sliders in model.joint_sliders.items():
        assert joint in ("head", "eye_left", "eye_right")
        parameters = at_rest(model.table, model.table.default())
        parameters[sliders.columns(model.table)] = sliders.values(np.array(turn))
        turns = model.rig(parameters).turns
        (row,) = np.flatnonzero(turns.any(1))
        np.testing.assert_allclose(turns[row], about, atol=1e-12)
        turned.append(int(row))
    assert len(turned) == len(set(turned)) >= 1


def test_its_surface_has_what_colours_labels_and_hair_are_told_by(model: HeadModel) -> None:
    surface = model.surface
    count = len(surface.part)
    assert surface.part_names[: len(PART_NAMES)] == PART_NAMES
    assert surface.masks.keys() == MASKS and surface.fields.keys() == {"hairline", "beard"}
    for values in (*surface.masks.values(), *surface.fields.values()):
        assert values.shape == (count,) and values.dtype == np.float32
    assert surface.faces.dtype == np.int32 and surface.uv.shape == (len(surface.faces), 3, 2)
    looks = [name.startswith(("eye_", "cornea_")) for name in surface.part_names]
    is_eye = np.array(looks)[surface.part]
    np.testing.assert_allclose(np.linalg.norm(surface.gaze, axis=1), is_eye, atol=1e-3)
    assert model.forward(model.table.default()).shape == (1, count, 3)
    assert model.landmark_embedding.bary.shape == (68, 3)


def test_a_model_that_lacks_something_is_told_what() -> None:
    class Unfinished(HeadModel):
        name = "unfinished"

    with pytest.raises(TypeError, match=r"landmark_embedding.*sources.*strands.*surface"):
        Unfinished()  # type: ignore[abstract]
