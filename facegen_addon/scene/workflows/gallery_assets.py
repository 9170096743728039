# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the shipped heads as assets, one file each, for Blender's asset browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...atomic_file import replacing
from ...heads.catalogue import load_head_model
from ...heads.gallery import Gallery
from ..render.portrait import decode_jpeg
from .asset_file import write_asset
from .presets import presets_folder

_NO_PICTURE = np.full((32, 32, 3), 90, np.uint8)


def gallery_folder() -> Path:
    """Where they are written: below the presets, so that one library shows both."""
    return presets_folder() / "gallery"


def write_gallery(gallery: Gallery) -> Iterator[int]:
    """Write each head, replacing that of an earlier time; yields how many are done.

    Files appear whole or not at all. UserError where the disk refuses. The scene stays as it is.
    """
    for done, head in enumerate(gallery.heads, start=1):
        model = load_head_model(head.model)
        picture = gallery.pictures.get(f"head {head.name}")
        portrait = decode_jpeg(picture) if picture else _NO_PICTURE
        with replacing(gallery_folder() / f"{head.name}.blend") as partial:
            write_asset(partial, head.name, model, head.row(model), portrait, head.outfit)
        yield done
