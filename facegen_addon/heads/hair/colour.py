# SPDX-License-Identifier: GPL-3.0-or-later
"""The colour of hair and what of it shades the scalp. Linear RGB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, RealArray
from ..appearance import Shade, smoothstep
from .cut import Values
from .groom import bald_share
from .hairline import fullness, recession_edge
from .roots import HairRoots

_ANCHORS = np.array([0.0, 0.2, 0.4, 0.55, 0.7, 0.85, 1.0])
_PIGMENTED = np.array(
    [
        (0.60, 0.46, 0.27),  # white blond
        (0.42, 0.265, 0.128),  # blond
        (0.205, 0.118, 0.056),  # dark blond
        (0.094, 0.053, 0.027),  # light brown
        (0.040, 0.0225, 0.0125),  # brown
        (0.0155, 0.0093, 0.0063),  # dark brown
        (0.0072, 0.0056, 0.0050),  # black
    ]
)
"""Linear RGB of hair by its melanin, chosen by eye."""
_RED = np.array([1.12, 0.62, 0.30])
"""What red pigment leaves of each channel, and how it brightens red, chosen by eye."""
_SEEN_THROUGH = 0.9
"""How much a strand among others has of their mean colour."""
_IN_A_LOCK, _USUAL_SHARE = 0.8, 0.73
"""How much lighter, in log, a strand is in the middle of its lock than between two; where the
share of the nearest lock is the usual, hair has its colour."""
_OF_A_STRAND, _OF_A_LOCK, _OF_A_REGION = 0.06, 0.16, 0.18
"""Standard deviations from strand to strand, from lock to lock and over several, log."""
_MIRRORED = 0.005
"""What the darkest hair mirrors from all around: else no lock of it could be told from another."""
_COVERED, _COVERS, _COVERING = 0.5, (-0.05, 0.08), 0.75
"""How much darker, in log, hair is that other hair hangs over; metres above the ears along the
skull between which it is the less so; the share where hair has its colour."""
_ROOT_SHADE = 0.55
"""What of hair's colour is left between its roots."""
_SHADED = (-0.003, 0.018)
"""Metres above the hairline between which skin darkens: hair begins as down."""
UNPIGMENTED = np.array([0.55, 0.525, 0.48])


def pigmented_colour(melanin: float, redness: float) -> Annotated[RealArray, "3"]:
    """The colour (3,) of a strand with pigment."""
    log = [np.interp(melanin, _ANCHORS, np.log(channel)) for channel in _PIGMENTED.T]
    strength = redness * (1 - melanin**3)
    return np.exp(np.array(log) + strength * np.log(_RED))


def mixed_colour(values: Values) -> Annotated[RealArray, "3"]:
    """What the hair of these values looks like from afar, (3,)."""
    pigmented = pigmented_colour(values["hair_melanin"], values["hair_redness"])
    return from_afar(pigmented, values["hair_grey"])


def from_afar(pigmented: RealArray, grey: float) -> Annotated[RealArray, "3"]:
    """What hair looks like, (3,), of which a share of strands (0 to 1) has no pigment."""
    return pigmented + grey * (UNPIGMENTED - pigmented)


def colours_of_strands(
    roots: HairRoots, pigmented: RealArray, grey: float
) -> Annotated[RealArray, "S 3"]:
    """The colour (S, 3) of each strand: some lighter, with more or less grey among it."""
    noise = roots.noise
    lighter = np.exp(
        _OF_A_STRAND * np.clip(noise[:, 7:8], -2, 2)
        + _OF_A_REGION * roots.flow[roots.lock, 5:6]
        + _OF_A_LOCK * roots.character[roots.lock, 4:5]
        + _COVERED * (smoothstep(*_COVERS, roots.all_zones.path) - _COVERING)[:, None]
        + _IN_A_LOCK * (roots.share[:, :1] - _USUAL_SHARE)
    )
    own = (pigmented + _MIRRORED) * lighter
    # Hair greys at the temples first.
    zones = roots.all_zones
    order = np.clip(0.5 + 0.25 * noise[:, 8] + 0.2 * zones.top - 0.2 * zones.temple, 0.0, 1.0)
    share = smoothstep(0.0, 0.5, 1.5 * grey - order)[:, None]
    white = UNPIGMENTED * lighter**0.6  # bright hair shows grain first
    colours = own + share * (white - own)
    # Seen through others, strands differ less than they do alone.
    mean = from_afar(pigmented, grey)
    colours = colours + _SEEN_THROUGH * grey * (1 - grey) * 4 * (mean - colours)
    return colours.astype(np.float32)


def scalp_shade(
    values: Values,
    fields: Mapping[str, AnyArray],
    colour: Annotated[RealArray, "3"],
) -> Shade:
    """Roots too fine to draw; fields: name -> (M,), those of `zone_fields`, and "scalp"."""
    behind = fields["field"] - recession_edge(values, fields)
    above = smoothstep(*_SHADED, behind) * fullness(values, fields, behind) ** 1.5
    bald = bald_share(values, fields["crown"], fields["upper"])
    density = smoothstep(0.0, 0.75, values["hair_density"] * (1 - bald))
    return Shade(fields["scalp"] * above * density * 0.97, _ROOT_SHADE * colour)
