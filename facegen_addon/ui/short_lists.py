# SPDX-License-Identifier: GPL-3.0-or-later
"""Short lists: the sliders that make most of the visual variety, the others hidden."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from bpy.props import EnumProperty

from ..arrays import BoolArray
from ..heads.parameters import ParameterTable
from ..mapping.ranking import Ranking

VIEW_SHARES = {"SHARE_99": 0.99, "SHARE_95": 0.95, "SHARE_90": 0.9}
"""Short lists by name, and the share of the visual variety that each keeps."""
_VIEWS = [
    ("ALL", "All", "All sliders"),
    *(
        (
            name,
            f"{100 * share:g} %",
            f"Short list: the fewest sliders that keep {100 * share:g} % of the visual variety, as"
            " FaceNet sees it. The others are hidden, not changed; expression and pose stay",
        )
        for name, share in VIEW_SHARES.items()
    ),
]


def viewed(table: ParameterTable, ranked: Ranking | None, view: str) -> Annotated[BoolArray, "P"]:
    """Mask (P,) of the parameters that a view, one of VIEW_SHARES or "ALL", shows.

    All of them where nothing is ranked. Groups of which nothing is ranked, expression
    and pose, stay beside a short list.
    """
    share = VIEW_SHARES.get(view)
    if share is None or ranked is None:
        return np.ones(len(table), np.bool_)
    listed = set(ranked.short_list(share))
    judged = table.guided_groups()
    return np.array([p.group not in judged or p.name in listed for p in table.parameters])


def view_property() -> Any:
    """A choice of sliders by the visual variety that they keep."""
    return EnumProperty(name="View", description="Which sliders show", items=_VIEWS)
