# SPDX-License-Identifier: GPL-3.0-or-later
"""Classes of vertices: what an annotator would say of the mean head."""

from pathlib import Path

import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.surface import neck_edge
from facegen_addon.labels.label_points import LabelPoints
from facegen_addon.labels.maps import CLASSES
from facegen_addon.labels.regions import below_jaw, vertex_classes


@pytest.fixture(scope="module", params=["open_flame", "anny"])
def model(request: pytest.FixtureRequest) -> HeadModel:
    return load_head_model(request.param)


@pytest.fixture
def vertices(model: HeadModel) -> np.ndarray:
    return model.forward(model.table.default())[0].astype(np.float64)


def share(model: HeadModel, name: str) -> np.ndarray:
    """How much each vertex (V,) is of a class."""
    return vertex_classes(model)[:, CLASSES.index(name)]


def main_class(model: HeadModel) -> np.ndarray:
    """The class (V,) of which each vertex is most."""
    return np.array(CLASSES)[vertex_classes(model).argmax(1)]


def nearest(vertices: np.ndarray, point: np.ndarray) -> int:
    return int(((vertices - point) ** 2).sum(1).argmin())


def class_near(model: HeadModel, vertices: np.ndarray, offset: tuple[float, ...]) -> str:
    """The class of the outer skin nearest to a place beside the chin, metres."""
    chin = LabelPoints.of(model, 0).read(vertices)[8]
    outer = (model.surface.part == 0) & (model.surface.masks["mouth"] < 0.5)
    return str(main_class(model)[outer][nearest(vertices[outer], chin + np.array(offset))])


def test_weights_are_shares(model: HeadModel) -> None:
    weights = vertex_classes(model)
    assert weights.shape == (len(model.surface.part), len(CLASSES))
    assert weights.dtype == np.float32 and weights.min() >= 0
    np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-6)
    with pytest.raises(ValueError, match="read-only"):
        weights[0, 0] = 1


@pytest.mark.parametrize("name", ["background", "brows", "hair", "beard", "clothes"])
def test_strands_and_clothes_are_no_vertices(model: HeadModel, name: str) -> None:
    assert share(model, name).max() == 0


def test_eyes_and_tongue_are_whole_parts(model: HeadModel) -> None:
    names = np.array(model.surface.part_names)[model.surface.part]
    found = main_class(model)
    assert set(found[np.char.startswith(names, "eye")]) == {"eyes"}
    assert set(found[names == "tongue"]) == {"mouth"}
    assert "eyes" not in found[names == "skin"]


def test_the_mouths_inside_lies_behind_the_lips(model: HeadModel, vertices: np.ndarray) -> None:
    found = main_class(model)
    assert vertices[found == "lips", 1].mean() < vertices[found == "mouth", 1].mean() - 0.005
    front = np.linalg.norm(vertices - model.landmarks(vertices.astype(np.float32))[51], axis=1)
    assert found[front.argmin()] == "lips"


def test_lips_and_ears_stand_apart(model: HeadModel, vertices: np.ndarray) -> None:
    found = main_class(model)
    assert np.abs(vertices[found == "lips", 0]).max() < 0.035
    assert np.abs(vertices[found == "ears", 0]).min() > 0.055


def test_the_neck_reaches_from_the_jaw_to_its_edge(model: HeadModel, vertices: np.ndarray) -> None:
    """Its border passes the jaw's landmarks to a few millimetres, in front and in profile."""
    found, faces = main_class(model), model.surface.faces
    assert set(found[neck_edge(faces, vertices[:, 2])]) == {"neck"}
    jaw = LabelPoints.of(model, 0).read(vertices)[3:14]
    below = below_jaw(model)
    skin = np.flatnonzero(np.isin(found, ("skin", "neck")))
    for point in jaw:
        near = skin[np.linalg.norm(vertices[skin] - point, axis=1) < 0.012]
        assert below[near].min() < 0 < below[near].max()


def test_what_lies_under_the_chin_is_neck_and_the_chin_is_skin(
    model: HeadModel, vertices: np.ndarray
) -> None:
    assert class_near(model, vertices, (0.0, 0.0, 0.012)) == "skin"
    assert class_near(model, vertices, (0.0, 0.025, 0.0)) == "neck"
    assert class_near(model, vertices, (0.0, 0.05, -0.02)) == "neck"


def test_the_skull_above_the_nape_is_skin_and_the_nape_is_neck(
    model: HeadModel, vertices: np.ndarray
) -> None:
    found, hairline = main_class(model), model.surface.fields["hairline"]
    ears = vertices[model.surface.masks["ears"] > 0.5]
    behind = (model.surface.part == 0) & (vertices[:, 1] > ears[:, 1].max())
    behind &= np.abs(vertices[:, 0]) < 0.04
    assert set(found[behind & (hairline > 0.012)]) == {"skin"}
    assert set(found[behind & (hairline < -0.012)]) == {"neck"}


def test_the_face_is_skin_on_both_sides_alike(model: HeadModel, vertices: np.ndarray) -> None:
    neck = share(model, "neck")
    mirrored = [nearest(vertices, vertex * [-1, 1, 1]) for vertex in vertices[::7]]
    assert np.abs(neck[::7] - neck[mirrored]).max() < 0.35
    assert np.abs(neck[::7] - neck[mirrored]).mean() < 0.01
    tip = LabelPoints.of(model, 0).read(vertices)[30]
    face = (model.surface.part == 0) & (np.linalg.norm(vertices - tip, axis=1) < 0.05)
    assert neck[face].max() == 0


@pytest.mark.slow
def test_a_file_in_the_distributed_topology_has_them_too(shared_data: Path) -> None:
    """FLAME's own triangles, dressed by the open head."""
    (path,) = (shared_data / "flame").glob("*.npz")
    flame = load_head_model(str(path))
    vertices = flame.forward(flame.table.default())[0].astype(np.float64)
    weights = vertex_classes(flame)
    np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-5)
    found = main_class(flame)
    chin = LabelPoints.of(flame, 0).read(vertices)[8]
    assert class_near(flame, vertices, (0.0, 0.03, 0.0)) == "neck"
    assert class_near(flame, vertices, (0.0, 0.0, 0.012)) == "skin"
    assert set(found[vertices[:, 2] < chin[2] - 0.06]) == {"neck"}
    names = {"skin", "lips", "mouth", "eyes", "ears", "neck"}
    assert set(found) == names
