# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of what an artist waits for: its lines, not its figures."""

import bpy
import pytest

from facegen_addon.errors import UserError
from facegen_addon.scene.head.head_object import MODEL_KEY
from tools.bench_artist import BARS, EXPORT, main, measured
from tools.timing import Ratio


@pytest.mark.parametrize(("name", "heads"), [("Add Head", 3), ("New Face", 3), ("A Preset", 1)])
def test_each_bar_is_measured_beside_its_seconds(name: str, heads: int) -> None:
    (found,) = measured(name, times=2)
    assert found.name == name and found.theirs == BARS[name].seconds
    assert found.ours > 0.0 and Ratio.read(str(found)) is not None, "make bench reads it"
    assert sum(MODEL_KEY in o for o in bpy.data.objects) == heads, "it did what it measured"


def test_an_export_has_seconds_and_megabytes() -> None:
    seconds, size = measured(EXPORT, times=1)
    assert (seconds.unit, size.unit) == ("s", "MB")
    assert seconds.ours > 0.0
    assert 1.0 < size.ours < size.theirs, "the bar in megabytes holds on any machine"


def test_what_is_not_measured_is_named() -> None:
    with pytest.raises(UserError, match=r"'Old Face': choose from Add Head, New Face"):
        main(["Old Face"])
