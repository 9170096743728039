# SPDX-License-Identifier: GPL-3.0-or-later
"""How far apart encoders see different real people: quantiles, kept in models/index.json.

models/training/measure_people.py finds them; statistics of many, no latent of anybody.
"""

from __future__ import annotations

import numpy as np

from ..errors import UserError
from .encoder import EncoderSource


def people_distance(encoder: EncoderSource, share: float) -> float:
    """The cosine distance below which `share` of pairs of different real people lie.

    Between measured quantiles the share's logarithm counts. UserError for an encoder of which none
    were measured, and for a share beyond them.
    """
    measured = encoder.facts.get("different_people") if encoder.registered else None
    if not measured:
        raise UserError(
            f"real people's distances by encoder {encoder.key} are not known; demand a distance"
            " instead"
        )
    shares, distances = np.array(measured["quantiles"]).T
    if not shares[0] <= share <= shares[-1]:
        raise UserError(
            f"of encoder {encoder.key} shares from {shares[0]:g} to {shares[-1]:g} are known; give"
            " one of these"
        )
    return float(np.interp(np.log(share), np.log(shares), distances))
