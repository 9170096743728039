# SPDX-License-Identifier: GPL-3.0-or-later
"""What age does to the shape of a face past forty, on top of its sliders.

Anny's age and the local sliders that go with it (see `people`) make the faces of people of fifty
at most: MakeHuman's targets are of taut faces. What is added here is theirs, too, but goes past
their sliders' ends: cheeks and jowls sag, lids droop, lips thin and turn in, temples hollow, nose
and ears grow (Albert and others, "A review of the literature on the aging adult skull and face",
Forensic Sci Int 2007). Amounts are of slider units and chosen by eye.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...arrays import FloatArray
from ..parameters import ParameterTable

_FROM, _TO = 0.74, 0.95
"""Anny's age where it begins and where it is whole: 40 and 72 years."""

_ADDED = {
    "cheek_trans_up": -0.45,
    "cheek_inner_incr": -0.3,
    "cheek_volume_incr": -0.15,
    "chin_jaw_drop_incr": 0.45,
    "ear_lobe_incr": 0.3,
    "ear_scale_vert_incr": 0.15,
    "eye_bag_incr": 0.5,
    "eye_corner1_up": -0.3,
    "eye_eyefold_up": -0.5,
    "eye_height2_incr": -0.25,
    "eye_height3_incr": -0.2,
    "eyebrows_trans_up": -0.15,
    "forehead_temple_incr": -0.45,
    "head_age_incr": 0.5,
    "mouth_angles_up": -0.25,
    "mouth_laugh_lines_out": 0.6,
    "mouth_lowerlip_height_incr": -0.35,
    "mouth_lowerlip_volume_incr": -0.5,
    "mouth_upperlip_height_incr": -0.45,
    "mouth_upperlip_volume_incr": -0.6,
    "neck_double_incr": 0.3,
    "nose_base_up": -0.15,
    "nose_scale_vert_incr": 0.1,
}
"""Name of a local slider -> what is added to it where it is whole."""


class Ageing:
    """What the age of a table that has these sliders adds to them."""

    def __init__(self, table: ParameterTable) -> None:
        self._age = table.index("age")
        self._columns = [table.index(name) for name in _ADDED]
        self._amounts = np.array([*_ADDED.values()])

    def aged(self, rows: Annotated[FloatArray, "N P"]) -> Annotated[FloatArray, "N P"]:
        """Parameters (N, P) as their ages have made them; sliders may be beyond their ends."""
        late = np.clip((rows[:, self._age] - _FROM) / (_TO - _FROM), 0.0, 1.0)
        found = rows.copy()
        found[:, self._columns] += late[:, None] * self._amounts
        return found
