# SPDX-License-Identifier: GPL-3.0-or-later
"""Long hair lies on whatever is worn."""

import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.named_styles import styled
from facegen_addon.heads.wear.garments import NECKLINES, garment
from facegen_addon.heads.wear.over_clothes import over_clothes
from facegen_addon.heads.wear.pieces import Piece
from facegen_addon.heads.wear.torso import Torso

MODEL = load_head_model("person")


def dressed(style: str, neckline: str, turn: float = 0.0) -> tuple[Torso, Piece, np.ndarray]:
    """A torso, what it wears and the points (N, 3) of hair that has just grown."""
    parameters = styled(MODEL, MODEL.table.default(), "hair", style)
    parameters[MODEL.table.index("head_z")] = turn
    vertices = MODEL.forward(parameters)[0]
    torso = Torso.of(MODEL, vertices)
    cloth = garment(torso, neckline)
    return torso, cloth, MODEL.grow(parameters, vertices).points.astype(float)


def share_under(torso: Torso, points: np.ndarray) -> float:
    """How many of the points (N, 3) by chest and shoulders lie less than 2 mm over the skin."""
    surface, out = torso.points.reshape(-1, 3), torso.normals.reshape(-1, 3)
    points = points[::31]
    low = points[points[:, 2] < surface[torso.way.ravel() > 0.03, 2].max()]
    nearest = ((low[:, None] - surface[None]) ** 2).sum(2).argmin(1)
    height = ((low - surface[nearest]) * out[nearest]).sum(1)
    return float(np.mean(height < 0.002))


@pytest.mark.parametrize("neckline", NECKLINES)
def test_no_hair_goes_through_a_garment(neckline: str) -> None:
    torso, cloth, grown = dressed("Long Wavy", neckline, turn=0.1)
    assert share_under(torso, over_clothes(MODEL, torso, cloth, grown)) < 0.02
    assert share_under(torso, grown) > 0.05  # it would have


def test_hair_that_ends_above_the_shoulders_stays_as_it_is() -> None:
    """Beards do, too, however near a collar."""
    torso, cloth, grown = dressed("Short Sides", "turtleneck")
    np.testing.assert_array_equal(over_clothes(MODEL, torso, cloth, grown), grown)


def test_hair_is_moved_little_and_only_where_clothes_are() -> None:
    torso, cloth, grown = dressed("Long Straight", "hoodie")
    moved = np.linalg.norm(over_clothes(MODEL, torso, cloth, grown) - grown, axis=1)
    high = grown[:, 2] > torso.at(np.arange(84), np.zeros(1))[:, 2].max() + 0.05
    assert moved[high].max() == 0.0 < moved.max()
    assert np.quantile(moved[moved > 0], 0.9) < 0.08
