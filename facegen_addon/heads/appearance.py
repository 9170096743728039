# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of one head, computed from its appearance parameters. All RGB is linear (Rec. 709).

Skin and hair colour come from pigment: light that enters is attenuated by exp(-amount * sigma),
with sigma at 610, 550 and 465 nm from the absorption spectra of melanin (falling with wavelength
to the power 3.33) and of oxygenated haemoglobin, after Jacques, "Optical properties of biological
tissues: a review" (Physics in Medicine and Biology 58, 2013).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ..arrays import AnyArray, Float32Array, FloatArray, Real, RealArray
from ..random_streams import random_stream
from .strands import BEARD_RANGE, BROW, RECESSION, StrandSet
from .surface import Surface

RGB = FloatArray

# Attenuation per unit of pigment at 610, 550 and 465 nm, without unit: how it changes with the
# wavelength is Jacques's, of melanin 1 at 500 nm; how much there is of it is chosen by eye below.
MELANIN = np.array([0.52, 0.73, 1.27])
HAEMOGLOBIN = np.array([0.03, 0.85, 0.75])
_PHEOMELANIN = np.array([0.25, 0.95, 2.1])
"""Chosen by eye: steeper than melanin, so that red hair is red."""
# Reflectance, linear RGB in [0, 1], of what has no pigment, chosen by eye.
_BARE_SKIN = np.array([0.86, 0.71, 0.62])
_BARE_HAIR = np.array([0.70, 0.60, 0.45])
_GREY_HAIR = np.array([0.55, 0.55, 0.56])
_MUCOSA = np.array([0.30, 0.09, 0.08])
_ENAMEL = np.array([0.56, 0.50, 0.39])
SCLERA = (0.60, 0.52, 0.48)
_SKIN_MELANIN, _SKIN_BLOOD = 2.7, 0.50
"""Pigment of skin at amount 1, chosen by eye: so the sliders run from very fair to very dark."""
_HAIR_MELANIN, _HAIR_PHEOMELANIN = 4.6, 1.1
"""The same of hair."""
_PALE_BLUE, _PALE_GREEN = np.array([0.16, 0.25, 0.36]), np.array([0.17, 0.24, 0.12])
_HAZEL, _BROWN = np.array([0.20, 0.115, 0.04]), np.array([0.035, 0.016, 0.008])
"""Irises, linear RGB, chosen by eye."""
_NOISE_SEED = 7
_BLOTCHES, _FRECKLES, _FLUSHES = 0.05, 0.012, 0.03
"""Wavelengths of uneven melanin, of its spots and of uneven redness, metres; chosen by eye, as are
all shares of pigment, gloss and shade that the functions below add up: they have no unit."""
_EDGE_BELOW, _EDGE_OVER_SCALP, _EDGE_OVER_BEARD = 0.004, 0.008, 0.010
"""Metres over which the skin darkens across the edge of hair, chosen by eye."""

PUPIL, IRIS_EDGE, LIMBUS = 0.17, 0.40, 0.47
"""Edges of the pupil, the iris and the soft ring around it: sines of the angle from the gaze,
chosen by eye for the models' eyeballs."""


@dataclass(frozen=True)
class Appearance:
    """The colours of one head, of which its materials are made.

    vertex_colour (V, 3); roughness of the skin in [0, 1]; iris, hair and brow (3,); grey: the
    share of the hair's strands without pigment, where ``hair`` is of those with it; covered
    (V,): how much of the skin hides under hair, of models that say so. Linear RGB.
    """

    vertex_colour: Annotated[Float32Array, "V 3"]
    roughness: float
    iris: Annotated[FloatArray, "3"]
    hair: Annotated[FloatArray, "3"]
    brow: Annotated[FloatArray, "3"]
    grey: float = 0.0
    covered: Annotated[Float32Array, "V"] | None = None


def smoothstep(
    low: float, high: float, x: Annotated[NDArray[Real], "..."]
) -> Annotated[NDArray[Real], "..."]:
    """A smooth step: 0 at ``low``, 1 at ``high`` (which may lie below it), held beyond."""
    t = held((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def held(x: Annotated[NDArray[Real], "..."], low: float, high: float) -> NDArray[Real]:
    """Numbers that are held between two others.

    As np.clip, which for the short arrays of hair takes ten times as long.
    """
    found: NDArray[Real] = np.minimum(np.maximum(x, low), high)
    return found


def smooth_noise(
    positions: Annotated[RealArray, "V 3"], wavelength: float, channel: int
) -> Annotated[FloatArray, "V"]:
    """A smooth random field (V,) of unit variance at points (V, 3) metres; always the same."""
    rng = random_stream(_NOISE_SEED, channel)
    waves = rng.normal(size=(24, 3)) * (2.0 * np.pi / wavelength)
    phases = rng.uniform(0.0, 2.0 * np.pi, 24)
    return np.cos(positions @ waves.T + phases).sum(1) / np.sqrt(12.0)


def skin_albedo(
    melanin: Annotated[FloatArray, "..."], redness: Annotated[FloatArray, "..."]
) -> Annotated[RGB, "... 3"]:
    """The colour of skin: pigment amounts (...) in [0, 1] -> linear RGB (..., 3)."""
    depth = (
        _SKIN_MELANIN * melanin[..., None] * MELANIN
        + _SKIN_BLOOD * redness[..., None] * HAEMOGLOBIN
    )
    return _BARE_SKIN * np.exp(-depth)


def hair_colour(melanin: float, redness: float, grey: float) -> Annotated[RGB, "3"]:
    """The colour of hair: eumelanin, pheomelanin, share of grey in [0, 1] -> linear RGB (3,)."""
    eumelanin = _HAIR_MELANIN * melanin**1.4 * MELANIN
    depth = eumelanin + _HAIR_PHEOMELANIN * redness * (1.0 - 0.6 * melanin) * _PHEOMELANIN
    pigmented = _BARE_HAIR * np.exp(-depth)
    return pigmented + grey * (_GREY_HAIR - pigmented)


def iris_colour(melanin: float, green: float) -> Annotated[RGB, "3"]:
    """The colour of an iris, linear RGB (3,), from blue-grey (or green) over hazel to dark brown.

    melanin in [0, 1]; green in [0, 1]: the share of green where there is little melanin.
    """
    pale = _PALE_BLUE * (1.0 - green) + _PALE_GREEN * green
    if melanin < 0.5:
        return pale + (_HAZEL - pale) * min(1.0, max(0.0, (melanin - 0.15) / 0.35))
    return _HAZEL + (_BROWN - _HAZEL) * (melanin - 0.5) * 2.0


COLOUR_PARAMETERS = frozenset(
    (
        *("skin_melanin", "skin_redness", "skin_blotchiness", "skin_gloss", "cheek_blush"),
        *("eye_shadow", "lip_colour", "lip_darkness", "iris_melanin", "iris_green"),
        *("brow_density", "brow_melanin", "lash_density"),
        *("hair_density", "hair_recession", "hair_melanin", "hair_redness", "hair_grey"),
        *("beard_density", "beard_extent"),
    )
)
"""Names of the parameters that `appearance` reads; a model adds what it reads ``male`` from."""


def appearance(value: Callable[[str], float], surface: Surface, male: float) -> Appearance:
    """The colours of a head from ``value(parameter name)``; ``male`` in [0, 1] scales its beard."""
    hair = hair_colour(value("hair_melanin"), value("hair_redness"), value("hair_grey"))
    brow = hair_colour(value("brow_melanin"), value("hair_redness"), 0.5 * value("hair_grey"))
    skin = _skin_colours(value, surface)
    for shade in hair_shades(value, surface.masks, surface.fields, male, hair, brow):
        skin = skin + shade.amount[:, None] * (shade.colour - skin)
    return painted(value, surface, skin, hair, brow)


def painted(
    value: Callable[[str], float],
    surface: Surface,
    skin: Annotated[RealArray, "V 3"],
    hair: Annotated[RGB, "3"],
    brow: Annotated[RGB, "3"],
) -> Appearance:
    """The colours of a head whose skin, hair and brows have these: mouth, teeth, lashes and eyes
    are painted over what ``skin`` has there."""
    mouth = np.maximum(surface.masks["mouth"], surface.part == 1)[:, None]
    skin = skin + mouth * (_MUCOSA - skin)
    skin[surface.vertices_of("teeth")] = _ENAMEL
    skin[surface.vertices_of("lashes")] = 0.35 * brow
    iris = iris_colour(value("iris_melanin"), value("iris_green"))
    _paint_eyes(skin, surface, iris)
    return Appearance(
        vertex_colour=skin.astype(np.float32),
        roughness=0.62 - 0.27 * value("skin_gloss"),
        iris=iris,
        hair=hair,
        brow=brow,
    )


def _paint_eyes(colours: RGB, surface: Surface, iris: RGB) -> None:
    """Paint eyes into vertex colours (V, 3), for viewports without materials; renders shade them
    finer."""
    eyes = np.flatnonzero(surface.gaze.any(1))
    x, y, z = surface.gaze[eyes].T
    radius = np.where(y < 0.0, np.hypot(x, z), 1.0)[:, None]
    # Between pupil and iris there is but one ring of vertices: it has to be dark to be seen.
    painted = iris * smoothstep(PUPIL - 0.02, IRIS_EDGE - 0.02, radius)
    colours[eyes] = painted + (np.array(SCLERA) - painted) * smoothstep(IRIS_EDGE, LIMBUS, radius)


def _skin_colours(value: Callable[[str], float], surface: Surface) -> RGB:
    """Skin and lips (V, 3): pigment varies with the region and in soft blotches."""
    masks, rest = surface.masks, surface.rest_position
    uneven = value("skin_blotchiness")
    melanin = np.full(len(rest), value("skin_melanin"))
    melanin *= 1.0 + 0.10 * uneven * smooth_noise(rest, _BLOTCHES, 0)
    melanin += 0.03 * uneven * np.maximum(smooth_noise(rest, _FRECKLES, 1), 0.0)
    melanin += (0.04 + 0.14 * value("eye_shadow")) * masks["orbit"]
    redness = value("skin_redness") * (1.0 + 0.22 * uneven * smooth_noise(rest, _FLUSHES, 2))
    flushed = 0.8 * masks["cheeks"] + 0.6 * masks["nose"]
    redness = redness + 1.3 * value("cheek_blush") * flushed + 0.3 * masks["ears"]
    redness += 0.35 * value("eye_shadow") * masks["orbit"]
    lips = masks["lips"]
    redness += lips * (0.35 + 1.5 * value("lip_colour"))
    melanin += lips * (0.03 + 0.32 * value("lip_darkness"))
    return skin_albedo(np.maximum(melanin, 0.0), np.maximum(redness, 0.0))


@dataclass(frozen=True)
class Shade:
    """Hair too small to draw, which lets no bald skin shine through: how much of a colour (3,),
    linear RGB, there is at each vertex or texel, (M,) in [0, 1]."""

    amount: Annotated[RealArray, "M"]
    colour: Annotated[RGB, "3"]


def hair_shades(
    value: Callable[[str], float],
    masks: Mapping[str, AnyArray],
    fields: Mapping[str, AnyArray],
    male: float,
    hair: Annotated[RGB, "3"],
    brow: Annotated[RGB, "3"],
) -> tuple[Shade, ...]:
    """Shades of scalp, beard, brows and lashes, in the order in which they are laid on.

    masks, fields: name -> (M,), as a Surface has them of its vertices.
    """
    edge = RECESSION * value("hair_recession")
    above = smoothstep(edge - _EDGE_BELOW, edge + _EDGE_OVER_SCALP, fields["hairline"])
    scalp = masks["scalp"] * above
    low = BEARD_RANGE * (1.0 - value("beard_extent"))
    beard = masks["beard"] * smoothstep(low - _EDGE_BELOW, low + _EDGE_OVER_BEARD, fields["beard"])
    return (
        Shade(scalp * min(1.0, 1.1 * value("hair_density")) * 0.85, hair),
        Shade(beard * male * value("beard_density") * 0.55, hair),
        Shade(masks["brow"] * value("brow_density") * 0.45, brow),
        Shade(masks["lid"] * value("lash_density") * 0.75, 0.35 * brow),
    )


def strand_colours(strands: StrandSet, colours: Appearance) -> Annotated[Float32Array, "S 4"]:
    """The colour (S, 4) of each strand: hair or brow, some lighter and some darker; alpha 1."""
    shade = np.clip(1.0 + 0.25 * strands.jitter[:, 1:2], 0.5, 1.6)
    colour = np.where((strands.region == BROW)[:, None], colours.brow, colours.hair) * shade
    return np.concatenate([colour, np.ones((len(colour), 1))], axis=1).astype(np.float32)
