# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate Variety by renders: what is refused before Blender renders anything."""

import pytest

pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

from facegen_addon.errors import UserError
from facegen_addon.scene.workflows import variety
from facegen_addon.variety.request import VarietyRequest


def test_an_encoder_of_another_size_is_refused_before_anything_is_rendered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rendered(*_: object) -> None:
        raise AssertionError("a renderer was made")

    monkeypatch.setattr(variety, "HeadRenderer", rendered)
    for more in ({}, {"corrections": 2}, {"fill_gaps": ("nowhere",)}):
        request = VarietyRequest(encoder="sface", **more)  # type: ignore[arg-type]
        with pytest.raises(UserError, match=r"sface .* 128 .* B takes 512"):
            list(variety.run_variety(request))
