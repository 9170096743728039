# SPDX-License-Identifier: GPL-3.0-or-later
"""Render settings are checked without Blender."""

import pytest

from facegen_addon.errors import UserError
from facegen_addon.render_settings import RenderSettings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine": "LUXCORE"}, "engine is 'LUXCORE'"),
        ({"samples": 0}, "samples is 0; give 1 to 4096"),
        ({"size": 10**9}, "size is 1000000000"),
        ({"light": "disco"}, "light is 'disco'; give one of studio"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_settings_are_named(change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        RenderSettings(**change)
