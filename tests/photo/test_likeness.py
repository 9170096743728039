# SPDX-License-Identifier: GPL-3.0-or-later
"""What a photo asks for beside a render: hair, skin, forehead and mouth follow, within reason."""

from dataclasses import replace

import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.labels.camera import Camera, middle_of_face
from facegen_addon.photo.colours import FaceColours, measure
from facegen_addon.photo.fitting import FRONT
from facegen_addon.photo.likeness import gain, liken
from facegen_addon.photo.photo_face import SQUARE

MODEL = load_head_model("person")
RENDER = FaceColours(
    cheek=np.array([0.50, 0.30, 0.24]), lip=np.array([0.40, 0.18, 0.16]),
    hair=np.array([0.04, 0.03, 0.025]), hair_seen=1.0, front=0.5, teeth=0.0, open=0.0,
)  # fmt: skip


def value(row: np.ndarray, name: str) -> float:
    """Of a parameter."""
    return float(row[MODEL.table.index(name)])


def head(**values: float) -> np.ndarray:
    """The mean head with these values."""
    row = MODEL.table.default()
    for name, wanted in values.items():
        row[MODEL.table.index(name)] = wanted
    return row


def likened(row: np.ndarray, photo: FaceColours, smile: float | None = 0.0) -> np.ndarray:
    """Nothing that the surrogates doubt."""
    return liken(MODEL, row, photo, RENDER, smile, lambda heads: np.zeros(len(heads)))


def test_a_photo_like_the_render_moves_next_to_nothing() -> None:
    row = head(hair_grey=0.0)
    found = likened(row, RENDER, None)
    names = [n for n, a, b in zip(MODEL.table.names, row, found, strict=True) if abs(a - b) > 0.06]
    assert names == []


def test_fair_hair_gets_fair_and_not_grey_on_the_young() -> None:
    young = head(age=0.65, hair_melanin=0.85, hair_grey=0.4)
    fair = replace(RENDER, hair=np.array([0.25, 0.16, 0.07]))
    found = likened(young, fair)
    assert value(found, "hair_melanin") < 0.5
    assert value(found, "hair_grey") < 0.2
    assert value(found, "brow_melanin") < value(young, "brow_melanin")


def test_grey_hair_stays_grey_on_the_old() -> None:
    old = head(age=0.95, hair_melanin=0.8, hair_grey=0.7)
    grey = replace(RENDER, hair=np.array([0.14, 0.14, 0.135]))
    assert value(likened(old, grey), "hair_grey") > 0.5


def test_what_the_surrogates_doubt_is_left() -> None:
    row = head(hair_melanin=0.85, hair_grey=0.0)
    fair = replace(RENDER, hair=np.array([0.25, 0.16, 0.07]))
    column = MODEL.table.index("hair_melanin")
    found = liken(MODEL, row, fair, RENDER, 0.0, lambda heads: np.abs(heads[:, column] - 0.85))
    assert value(found, "hair_melanin") > value(likened(row, fair), "hair_melanin") + 0.1


def test_a_free_forehead_is_freed_and_a_bald_photo_leaves_hair_alone() -> None:
    row = head(hair_fringe=0.6, hair_back=0.0)
    assert value(likened(row, replace(RENDER, front=0.05)), "hair_fringe") == 0.0
    bald = replace(RENDER, hair=None, hair_seen=0.1)
    assert value(likened(row, bald), "hair_melanin") == value(row, "hair_melanin")


def test_teeth_open_a_smiling_mouth() -> None:
    found = likened(head(), replace(RENDER, teeth=0.5))
    assert value(found, "mouthSmileLeft") > 0.4 and 0.1 < value(found, "jawOpen") < 0.4
    at_rest = likened(head(), replace(RENDER, teeth=0.5), None)
    np.testing.assert_array_equal(at_rest[MODEL.table.moving], MODEL.table.mean[MODEL.table.moving])


def test_darker_skin_is_not_told_twice_as_less_light() -> None:
    darker = replace(RENDER, cheek=RENDER.cheek * [0.7, 0.66, 0.64])
    row = head()
    moved = likened(row, darker)
    assert value(moved, "skin_melanin") > value(row, "skin_melanin")
    by_light = gain(MODEL, row, row, darker, RENDER)
    assert by_light < gain(MODEL, row, moved, darker, RENDER) <= 1.0


def test_colours_are_those_of_their_places() -> None:
    row = head()
    vertices = MODEL.forward(row[None])[0]
    points = MODEL.five_points(vertices)
    camera = Camera.of(FRONT, middle_of_face(points), SQUARE, SQUARE)
    square = np.full((SQUARE, SQUARE, 3), (200, 160, 140), np.uint8)
    above = int(camera.project(points[:2].mean(0) + np.array([0, 0, 0.078]))[1])
    square[:above] = (60, 40, 30)
    found = measure(square, MODEL, vertices, camera)
    assert found.hair is not None and found.hair_seen > 0.9
    np.testing.assert_allclose(found.hair, [0.045, 0.021, 0.013], atol=0.003)
    assert found.cheek == pytest.approx([0.578, 0.352, 0.262], abs=0.01)
    assert found.front < 0.2 and found.open == 0.0
    square[:] = (200, 160, 140)
    assert measure(square, MODEL, vertices, camera).hair is None  # bald
