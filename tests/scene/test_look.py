# SPDX-License-Identifier: GPL-3.0-or-later
"""The same head as somebody else may see it."""

import math

import numpy as np
import pytest

pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

from facegen_addon.encoders.face_crop import face_box
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.render.head_renderer import HeadRenderer

TURN = math.radians(10)


def test_a_look_turns_and_lights_the_head_and_leaves_later_renders_alone() -> None:
    model = load_head_model("open_flame")
    parameters = model.table.default()
    with HeadRenderer(model, RenderSettings(samples=2, size=64)) as renderer:
        first = renderer.render(parameters)
        aside = renderer.look(parameters, light="flash", seed=3, yaw=TURN, pitch=0.0)
        plain = renderer.look(
            parameters, light="studio", seed=0, yaw=0.0, pitch=0.0, face_only=False
        )
        again = renderer.render(parameters)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_allclose(plain.points, first.points, atol=1e-3)
    assert np.abs(plain.image.astype(int) - first.image).mean() < 1.0
    # The head turns to its left, the viewer's right: the nose leads.
    middle = aside.points[[0, 1, 3, 4], 0].mean()
    assert aside.points[2, 0] - middle > 1.0 + abs(
        first.points[2, 0] - first.points[[0, 1], 0].mean()
    )
    x0, y0, x1, y1 = face_box(aside.points).round().astype(int)
    inside = np.s_[y0:y1, x0:x1]
    assert np.abs(aside.image[inside].astype(int) - first.image[inside]).mean() > 3.0
