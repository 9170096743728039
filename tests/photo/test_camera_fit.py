# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera comes back from five points, and the mouth's width as a smile."""

import math
from dataclasses import replace

import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.labels.camera import Camera, middle_of_face
from facegen_addon.labels.shot import View
from facegen_addon.photo.camera_fit import SMILE, fit_camera

SIDE = 256


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (25, -8, 5), (-30, 10, -12)])
def test_the_view_of_a_head_comes_back(yaw: float, pitch: float, roll: float) -> None:
    model = load_head_model("person")
    row = model.table.default()
    points = model.five_points(model.forward(row[None]))[0]
    view = replace(
        View(), yaw=math.radians(yaw), pitch=math.radians(pitch), roll=math.radians(roll),
        focal_length=165.0, shift_x=0.05, shift_y=-0.03,
    )  # fmt: skip
    pixels = Camera.of(view, middle_of_face(points), SIDE, SIDE).project(points)
    found = fit_camera(model, row, pixels, SIDE)
    assert found.error < 1.0
    assert math.degrees(abs(found.view.yaw - view.yaw)) < 4
    assert math.degrees(abs(found.view.pitch - view.pitch)) < 6
    assert math.degrees(abs(found.view.roll - view.roll)) < 2
    assert abs(found.view.focal_length - 165.0) < 8


def test_a_wider_mouth_smiles_more() -> None:
    model = load_head_model("person")
    row = model.table.default()
    smiles = []
    for smile in (0.0, 0.7):
        seen = row.copy()
        seen[[model.table.index(name) for name in SMILE]] = smile
        points = model.five_points(model.forward(seen[None]))[0]
        pixels = Camera.of(View(), middle_of_face(points), SIDE, SIDE).project(points)
        smiles.append(fit_camera(model, row, pixels, SIDE).smile)
    assert smiles[1] > smiles[0] + 0.15


def test_what_is_not_moved_by_points_stays() -> None:
    model = load_head_model("person")
    row = model.table.default()
    points = model.five_points(model.forward(row[None]))[0]
    pixels = Camera.of(View(), middle_of_face(points), SIDE, SIDE).project(points)
    found = fit_camera(model, row, pixels, SIDE).parameters
    changed = {n for n, a, b in zip(model.table.names, row, found, strict=True) if a != b}
    assert changed and all(name.split("_")[0] in _FACE for name in changed - set(SMILE))
    assert np.all((found >= model.table.minimum) & (found <= model.table.maximum))


_FACE = {"eye", "nose", "mouth", "chin"}
