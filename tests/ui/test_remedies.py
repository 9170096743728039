# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors in the panel tell its user what to press, not what to type into a terminal."""

import bpy
import pytest

from facegen_addon.encoders.encoder import DEFAULT_ENCODER
from facegen_addon.errors import Need, Remedy, UserError
from facegen_addon.ui import remedies


@pytest.mark.parametrize("kind", Remedy)
@pytest.mark.parametrize("subject", ["", DEFAULT_ENCODER, "sface"])
def test_every_need_has_a_remedy_in_the_panel(kind: Remedy, subject: str) -> None:
    assert remedies.explain(UserError("x", Need(kind, subject))).startswith("x: ")


def test_facenet_is_got_in_the_preferences() -> None:
    line = remedies.explain(UserError("x is missing", Need(Remedy.BUILD_ENCODER, DEFAULT_ENCODER)))
    assert line == "x is missing: press Get the Encoder, or Locate, in FaceGen's preferences"


def test_an_operators_error_has_the_panels_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise UserError("models/x is damaged", Need(Remedy.RESTORE))

    monkeypatch.setattr("facegen_addon.ui.operators.load_head_model", fail)
    with pytest.raises(RuntimeError, match="models/x is damaged: install FaceGen's zip again"):
        bpy.ops.facegen.add_head(model="anny")
