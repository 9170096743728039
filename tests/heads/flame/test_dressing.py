# SPDX-License-Identifier: GPL-3.0-or-later
"""What the open head knows of its surface, found again on heads of other topology."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.flame import dressing, registration
from facegen_addon.heads.flame.dressing import Dressing, dress, to_house
from facegen_addon.heads.flame.file import FlameArrays, from_arrays
from facegen_addon.heads.flame.head import FlameHead
from facegen_addon.heads.flame.model import FlameParameters
from facegen_addon.heads.flame.open_head import UserHead, open_flame
from facegen_addon.heads.surface import neck_edge, open_loops

ANOTHER_TOPOLOGY = pytest.mark.slow
"""Of tests for which a head of another topology is dressed, which takes 20 s, once."""


@pytest.fixture(scope="module")
def donor() -> tuple[FlameArrays, Dressing]:
    return open_flame()


def other_topology(flame: FlameArrays, betas: np.ndarray) -> FlameArrays:
    """The open head of another person, vertices in another order, every triangle cut in three."""
    person = flame.template + flame.shape_basis @ betas
    order = np.random.default_rng(0).permutation(len(person))
    place = np.argsort(order)

    def cut(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[order], values[flame.faces].mean(1)])

    a, b, c = place[flame.faces].T
    middle = len(person) + np.arange(len(flame.faces))
    faces = np.concatenate(
        [np.stack(f, 1) for f in ((a, b, middle), (b, c, middle), (c, a, middle))]
    )
    regressor = np.zeros((len(flame.joint_regressor), len(person) + len(flame.faces)))
    regressor[:, : len(person)] = flame.joint_regressor[:, order]
    vertices = regressor.shape[1]
    return from_arrays(
        {
            "v_template": cut(person),
            "f": faces,
            "shapedirs": cut(flame.shape_basis),
            "posedirs": np.zeros((vertices, 3, 36)),
            "J_regressor": regressor,
            "weights": cut(flame.weights),
            "parents": np.array(flame.parents),
        },
        "other",
        "0" * 64,
        "other.npz",
    )


@pytest.fixture(scope="module")
def other(donor: tuple[FlameArrays, Dressing]) -> tuple[FlameArrays, Dressing]:
    rng = np.random.default_rng(4)
    flame = other_topology(donor[0], rng.normal(size=donor[0].shape_basis.shape[2]))
    return flame, dress(flame, *donor)


def test_the_donor_dresses_itself_unchanged(donor: tuple[FlameArrays, Dressing]) -> None:
    assert dress(donor[0], *donor) is donor[1]


def test_the_donors_mesh_with_fewer_components_is_dressed_anew(
    donor: tuple[FlameArrays, Dressing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What components say of gender and age is said of the file's own, after any fit."""
    monkeypatch.setattr(registration, "_MODEL_STEPS", registration._MODEL_STEPS[:1])
    monkeypatch.setattr(registration, "_FREE_STEPS", registration._FREE_STEPS[:0])
    fewer = replace(donor[0], shape_basis=donor[0].shape_basis[:, :, :20])
    dressed = dress(fewer, *donor)
    assert dressed.phenotypes.shape == (len(donor[1].phenotypes), 21)
    np.testing.assert_array_equal(dressed.surface.faces, donor[1].surface.faces)


def true_points(name: str, flame: FlameArrays, donor: tuple[FlameArrays, Dressing]) -> np.ndarray:
    """Where the donor's points lie on the other person, whose first vertices are the donor's."""
    order = np.random.default_rng(0).permutation(len(donor[0].template))
    vertices = np.empty_like(donor[0].template)
    vertices[order] = to_house(flame.template)[: len(order)]
    return getattr(donor[1], name).read(vertices, donor[0].faces)


@ANOTHER_TOPOLOGY
@pytest.mark.parametrize("name", ["landmarks", "five_points"])
def test_points_are_found_again(
    name: str, donor: tuple[FlameArrays, Dressing], other: tuple[FlameArrays, Dressing]
) -> None:
    """Half of them within two millimetres, all within seven, on a head the fit has not seen."""
    flame, dressed = other
    found = getattr(dressed, name).read(to_house(flame.template), flame.faces)
    error = np.linalg.norm(found - true_points(name, flame, donor), axis=1)
    assert np.median(error) < 2e-3
    assert error.max() < 7e-3


@ANOTHER_TOPOLOGY
def test_masks_and_parts_are_found_again(
    donor: tuple[FlameArrays, Dressing], other: tuple[FlameArrays, Dressing]
) -> None:
    order = np.random.default_rng(0).permutation(len(donor[0].template))
    surface, known = other[1].surface, donor[1].surface
    assert np.array_equal(surface.part[: len(order)] >= 2, known.part[order] >= 2)
    for name in ("lips", "ears", "scalp", "brow", "nose"):
        found, true = surface.masks[name][: len(order)], known.masks[name][order]
        assert np.corrcoef(found, true)[0, 1] > (0.75 if name == "lips" else 0.85), name


@ANOTHER_TOPOLOGY
def test_characteristics_are_read_as_on_the_donor(
    donor: tuple[FlameArrays, Dressing], other: tuple[FlameArrays, Dressing]
) -> None:
    """The same components on other triangles mean the same people."""
    head, known = UserHead("other", *other), load_head_model("open_flame").characteristics
    people = head.sample_prior(np.random.default_rng(1), 200)
    assert known is not None
    read, true = head.characteristics.read(people), known.read(people)
    assert head.characteristics.names == known.names
    for row, name in enumerate(known.names):
        assert np.corrcoef(read[:, row], true[:, row])[0, 1] > 0.9, name


@ANOTHER_TOPOLOGY
def test_strands_grow_where_they_grew(
    donor: tuple[FlameArrays, Dressing], other: tuple[FlameArrays, Dressing]
) -> None:
    flame, dressed = other
    known = donor[1].strands
    order = np.random.default_rng(0).permutation(len(donor[0].template))
    vertices = np.empty_like(donor[0].template)
    vertices[order] = to_house(flame.template)[: len(order)]
    true = (vertices[donor[0].faces[known.triangle]] * known.bary[..., None]).sum(1)
    corners = to_house(flame.template)[flame.faces[dressed.strands.triangle]]
    found = (corners * dressed.strands.bary[..., None]).sum(1)
    assert np.median(np.linalg.norm(found - true, axis=1)) < 3e-3


@ANOTHER_TOPOLOGY
def test_phenotypes_are_read_off_the_same_components(
    donor: tuple[FlameArrays, Dressing], other: tuple[FlameArrays, Dressing]
) -> None:
    """The other file has the donor's components, so it must say of them what the donor says."""
    for found, true in zip(other[1].phenotypes, donor[1].phenotypes, strict=True):
        assert np.corrcoef(found[:-1], true[:-1])[0, 1] > 0.95


@ANOTHER_TOPOLOGY
def test_textures_straddle_no_seam(other: tuple[FlameArrays, Dressing]) -> None:
    uv = other[1].surface.uv
    assert uv.min() >= 0 and uv.max() <= 1
    assert np.ptp(uv, axis=1).max() < 0.25


@ANOTHER_TOPOLOGY
def test_a_dressing_survives_its_cache(other: tuple[FlameArrays, Dressing]) -> None:
    again = dressing.from_arrays(dressing.to_arrays(other[1]))
    assert np.array_equal(again.surface.uv, other[1].surface.uv)
    assert again.surface.masks.keys() == other[1].surface.masks.keys()
    assert np.array_equal(again.strands.triangle, other[1].strands.triangle)
    assert np.array_equal(again.landmarks.triangle, other[1].landmarks.triangle)


def test_open_loops_of_the_open_head(donor: tuple[FlameArrays, Dressing]) -> None:
    """The neck, and the back of one eyeball; the collar goes round the lower one."""
    faces = donor[0].faces
    loops = open_loops(faces)
    assert sorted(len(loop) for loop in loops) == [8, 42]
    assert len(neck_edge(faces, donor[0].template[:, 1])) == 42


@pytest.mark.slow
def test_the_real_flame_is_dressed(shared_data: Path) -> None:
    """The FLAME 2023 Open subset: points where a face has them, both eyes, hair on the skull."""
    path = shared_data / "flame" / "flame2023open_60id_f32.npz"
    if not path.exists():
        pytest.skip("the FLAME 2023 Open subset is not in the research data")
    model = load_head_model(str(path))
    assert isinstance(model, FlameHead)
    assert load_head_model(model.name) is not None, "found again by its own name, from the cache"
    vertices = model.forward(model.table.default()[None])[0]
    left_eye, right_eye, nose, left, right = model.five_points(vertices)
    assert np.allclose(left_eye * [-1, 1, 1], right_eye, atol=8e-3), (
        "FLAME's own template leans by that much"
    )
    assert np.allclose(left * [-1, 1, 1], right, atol=8e-3)
    assert nose[1] < left_eye[1] - 0.02 and left[2] < nose[2] < left_eye[2]
    marks = model.landmarks(vertices)
    assert np.linalg.norm(marks[36:42].mean(0) - left_eye) < 0.012
    assert np.linalg.norm(marks[48] - left) < 0.004
    assert np.linalg.norm(marks[30] - nose) < 0.006
    opened = model.flame.forward(FlameParameters.from_mapping({"jaw_pose": [0.3, 0.0, 0.0]}))
    lips = model.landmarks(model.placed(opened))[0]
    assert marks[57, 2] - lips[57, 2] > 0.01, "the lower lip opens with the jaw"
    assert abs(marks[51, 2] - lips[51, 2]) < 0.004, "the upper lip does not"
    roots = model.surface.faces[model.strands.triangle[model.strands.region == 0]]
    assert (vertices[roots].mean(1)[:, 2] > left[2]).mean() > 0.95, "hair grows on the skull"
    prior = model.sample_prior(np.random.default_rng(0), 200)
    assert model.table.validate(prior).shape == prior.shape
    assert 0.3 < (prior[:, model.table.index("facial_hair")] > 0.5).mean() < 0.7
