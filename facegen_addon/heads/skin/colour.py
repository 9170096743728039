# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour of skin: pigments in the logarithm of linear RGB, and the tones that people have.

A texel's local colour is three amounts: melanin and haemoglobin, which absorb along directions
that their spectra give, and what is left, which darkens all channels alike (after Tsumura and
others, "Image-based skin color and texture analysis/synthesis by extracting hemoglobin and
melanin information in the skin", SIGGRAPH 2003). The tone of a whole skin is not a sum of
pigments: measured skins lie on a curve on which chroma grows with melanin and falls again, since
little of what returns from dark skin has been below its melanin (Donner and Jensen, "A spectral
BSSRDF for shading human skin", EGSR 2006).
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...arrays import FloatArray, RealArray
from ..appearance import HAEMOGLOBIN, MELANIN

PIGMENTS = np.stack([-MELANIN, -HAEMOGLOBIN, [-1.0, -1.0, -1.0]])
"""What one unit of melanin, of haemoglobin and of the rest adds to log RGB, (3, 3)."""

CAROTENE = np.array([0.0, -0.12, -1.0])
"""The same for carotenoids, which absorb blue light (Alaluf and others, "Dietary carotenoids
contribute to normal human skin color and UV photosensitivity", Journal of Nutrition 2002)."""

FAIREST, DARKEST = 63.0, -62.0
"""Individual typology angles of the tones 0 and 1, degrees."""

# CIELAB (D65) from the fairest to the darkest skin: chosen by eye within what is measured on
# people by Weatherall and Coombs (J Invest Dermatol 1992), Del Bino and Bernerd (Br J Dermatol
# 2013) and Xiao and others (Skin Res Technol 2017).
_TONES = np.array(
    [
        [73.0, 9.5, 11.5],
        [68.5, 11.2, 15.0],
        [64.5, 12.2, 17.0],
        [59.5, 13.0, 18.5],
        [54.0, 13.0, 18.8],
        [48.5, 12.8, 18.2],
        [43.0, 12.4, 16.8],
        [37.0, 11.9, 15.8],
        [31.5, 11.2, 13.9],
        [25.5, 9.4, 10.6],
    ]
)
_XYZ_OF_RGB = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE = _XYZ_OF_RGB.sum(1)
_LINEAR_BELOW = 0.0031308  # linear light; sRGB's curve is a straight line there


def lab_of_rgb(rgb: Annotated[RealArray, "... 3"]) -> Annotated[FloatArray, "... 3"]:
    """Linear RGB (..., 3) -> CIELAB for D65 (..., 3)."""
    ratio = np.asarray(rgb, np.float64) @ _XYZ_OF_RGB.T / _WHITE
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1)


def rgb_of_lab(lab: Annotated[RealArray, "... 3"]) -> Annotated[FloatArray, "... 3"]:
    """CIELAB for D65 (..., 3) -> linear RGB (..., 3)."""
    lightness, a, b = np.moveaxis(np.asarray(lab, np.float64), -1, 0)
    y = (lightness + 16.0) / 116.0
    root = np.stack([y + a / 500.0, y, y - b / 200.0], axis=-1)
    ratio = np.where(root > 6 / 29, root**3, 3 * (6 / 29) ** 2 * (root - 4 / 29))
    return (ratio * _WHITE) @ np.linalg.inv(_XYZ_OF_RGB).T


def typology_angle(rgb: Annotated[RealArray, "... 3"]) -> Annotated[FloatArray, "..."]:
    """Individual typology angle (...,) of linear RGB (..., 3), degrees: 90 white, -90 black."""
    lightness, _, b = np.moveaxis(lab_of_rgb(rgb), -1, 0)
    return np.degrees(np.arctan2(lightness - 50.0, b))


_TONE_ANGLES = typology_angle(rgb_of_lab(_TONES))


def tone(melanin: float) -> Annotated[FloatArray, "3"]:
    """Log of linear RGB (3,) of skin from the fairest, 0, to the darkest, 1.

    The individual typology angle falls in proportion.
    """
    angle = FAIREST + (DARKEST - FAIREST) * melanin
    lab = [np.interp(-angle, -_TONE_ANGLES, channel) for channel in _TONES.T]
    return np.log(rgb_of_lab(np.array(lab)))


def srgb_of_linear(light: Annotated[RealArray, "..."]) -> Annotated[RealArray, "..."]:
    """Linear light in [0, 1] -> sRGB's code."""
    curved = 1.055 * np.maximum(light, _LINEAR_BELOW) ** (1.0 / 2.4) - 0.055
    return np.where(light > _LINEAR_BELOW, curved, 12.92 * light)


def linear_of_srgb(code: Annotated[RealArray, "..."]) -> Annotated[RealArray, "..."]:
    """sRGB's code in [0, 1] -> linear light."""
    curved = ((code + 0.055) / 1.055) ** 2.4
    return np.where(code > 12.92 * _LINEAR_BELOW, curved, code / 12.92)
