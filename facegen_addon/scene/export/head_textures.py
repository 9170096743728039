# SPDX-License-Identifier: GPL-3.0-or-later
"""The textures of an exported head and of its hair."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ...heads.hair_cards import card_texture
from .bake import Textures, bake, colour_image
from .hair import HAIR_TEXTURE
from .parts import ExportSettings, HeadParts
from .worn import CLOTH_TEXTURE, pattern_texture


def head_textures(
    parts: HeadParts, settings: ExportSettings, scene: bpy.types.Scene
) -> dict[str, Textures]:
    """Textures by kind, new images of the file; none where none are wanted.

    ``scene`` is the window's and empty, and is left so.
    """
    if not settings.textures:
        return {}
    textures = bake(parts.look, settings.textures, scene)
    if parts.hair is not None and parts.hair.looks[0].texture:
        look = parts.look
        light, alpha = card_texture(
            look.model.strands, look.model.strand_colours(look.parameters, look.appearance)
        )
        image = colour_image(f"{HAIR_TEXTURE} colour", light, alpha)
        textures[HAIR_TEXTURE] = Textures(image, alpha=True)
    if any(look.texture == CLOTH_TEXTURE for part in parts.worn for look in part.looks):
        textures[CLOTH_TEXTURE] = pattern_texture(parts.outfit)
    return textures


def images_of(textures: dict[str, Textures]) -> Iterator[tuple[str, bpy.types.Image]]:
    """Each image with its name, as `skin normal`."""
    for kind, of_kind in textures.items():
        for use in ("colour", "roughness", "normal"):
            image = getattr(of_kind, use)
            if image is not None:
                yield f"{kind} {use}", image


def colours_alone(textures: dict[str, Textures]) -> dict[str, Textures]:
    """The same without roughness and normals."""
    return {kind: Textures(found.colour, alpha=found.alpha) for kind, found in textures.items()}
