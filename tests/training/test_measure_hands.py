# SPDX-License-Identifier: GPL-3.0-or-later
"""How far heads and pairs move in other hands, by an F known exactly."""

from collections.abc import Sequence

import numpy as np

from facegen_addon.encoders.crop_jitter import AS_OURS, CropJitter
from facegen_addon.latent.sphere import normalise
from facegen_addon.variety.hands import Hands
from models.training.measure_hands import COLUMNS, WAYS, measure


def test_a_row_says_how_far_each_way_moves_heads_and_pairs(rng: np.random.Generator) -> None:
    parameters = normalise(rng.standard_normal((12, 64)))
    dark = np.eye(64)[0]

    def see(head: np.ndarray, hands: Hands | None, jitters: Sequence[CropJitter]) -> np.ndarray:
        """Crops move latents at random, `overcast` draws all together, nothing else does."""
        common = 0.8 * dark if hands and hands.light == "overcast" else 0.0
        moves = [0.0 if one == AS_OURS else 0.03 * rng.standard_normal(64) for one in jitters]
        return normalise(np.stack([head + common + move for move in moves])).astype(np.float32)

    table = {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in measure(parameters, see, 0)}
    assert list(table)[:-2] == ["other crops", *WAYS]
    still, drawn = table["window"], table["overcast"]
    assert still["a head from itself"] == still["pairs: mean change"] == "0.000"
    assert float(drawn["pairs: mean change"]) < -0.1 < float(drawn["a head from itself"])
    share = "below the bound by crops"
    assert float(still[share].rstrip("%")) < 10 < float(drawn[share].rstrip("%"))
    bound = table["bound by crops, against the first distance"]
    assert -0.3 < float(bound["pairs: mean change"]) < 0
