# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of all lights."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("bpy")

from facegen_addon.heads.gallery import gallery
from facegen_addon.scene.render.lights import LIGHTS
from tools import draw_lights


def test_each_light_has_its_place_above_its_name() -> None:
    size = (draw_lights.SIDE, 3 * draw_lights.SIDE, 3)
    rows = {name: np.full(size, shade, np.uint8) for shade, name in enumerate(LIGHTS, 100)}
    sheet = draw_lights.laid_out(rows)
    for shade, name in enumerate(LIGHTS, 100):
        shown = (sheet == shade).all(axis=2)
        assert shown.sum() >= size[0] * size[1], name
        bottom = np.flatnonzero(shown.any(axis=1)).max() + 1
        left = np.flatnonzero(shown.any(axis=0)).min()
        caption = sheet[bottom : bottom + draw_lights.CAPTION, left : left + size[1]]
        assert caption.max() > 200, name


def test_who_is_shown_is_in_the_gallery() -> None:
    assert set(draw_lights.PEOPLE) <= {head.name for head in gallery().heads}
