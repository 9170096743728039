# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate Variety by renders: what is refused before Blender renders anything."""

import pytest

pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

from facegen_addon.errors import UserError
from facegen_addon.heads.wear.outfit import Outfit
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


def test_what_heads_of_the_model_do_not_wear_is_refused_at_once() -> None:
    request = VarietyRequest(model="anny", wear="glasses=round")
    with pytest.raises(UserError, match="heads of model 'anny' wear nothing; choose model 'pers"):
        list(variety.run_variety(request))


def test_heads_are_rendered_as_they_are_dressed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def rendered(*arguments: object) -> None:
        seen.append(arguments[2])
        raise UserError("that is enough")

    monkeypatch.setattr(variety, "HeadRenderer", rendered)
    for wear in ("", "glasses=round"):
        request = VarietyRequest(model="person", distribution="prior", count=1, wear=wear)
        with pytest.raises(UserError, match="that is enough"):
            list(variety.run_variety(request))
    assert seen == [Outfit(), Outfit(glasses="round")]
