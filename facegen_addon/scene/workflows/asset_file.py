# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a head as an asset in a file of its own, and settles heads that come from such files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import bpy
import numpy as np

from ...arrays import ByteArray, FloatArray
from ...heads.head_model import HeadModel
from ...heads.wear.outfit import BARE, Outfit
from ..head.head_object import MODEL_KEY, HeadObject, renew_id
from ..head.objects import remove_with_data
from ..head.worn import PART_KEY, PARTS

_HAIR_POINTER = "facegen_hair"
"""Property of an asset's mesh object: its hair object. A child comes along with its parent only
where the parent points to it."""
_WORN_POINTERS = {name: f"facegen_worn_{name}" for name in PARTS}
"""The same of what it wears, by the name of the part."""


def write_asset(
    path: Path,
    name: str,
    model: HeadModel,
    parameters: Annotated[FloatArray, "P"],
    portrait: Annotated[ByteArray, "S S 3"],
    outfit: Outfit = BARE,
) -> None:
    """Write the head with these parameters (P,), in an outfit, as an asset to ``path``.

    ``portrait`` (S, S, 3) RGB is its thumbnail. The open file stays as it is: the asset is a head
    made anew, without what the user's head is parented, keyed or driven by.
    """
    collection = bpy.data.collections.new("FaceGen Asset")
    head = HeadObject.create(model, collection, parameters=parameters)
    try:
        asset = head.mesh_object
        if outfit != BARE:
            head.wear(outfit)
        asset[_HAIR_POINTER] = head.hair_object
        for part in head.worn:
            asset[_WORN_POINTERS[part[PART_KEY]]] = part
        _mark(asset, model.name, portrait)
        with _named(asset, name):
            bpy.data.libraries.write(str(path), {asset}, compress=True)
    finally:
        for owned in list(collection.objects):
            remove_with_data(owned)
        bpy.data.collections.remove(collection)


def settle_imported(mesh_object: bpy.types.Object) -> None:
    """Make a head that came from an asset file a head of its own, its hair, and what it wears,
    beside it."""
    pointers = (_HAIR_POINTER, *_WORN_POINTERS.values())
    parts = [part for part in (mesh_object.pop(key, None) for key in pointers) if part is not None]
    mesh_object.asset_clear()
    for owned in (mesh_object, *parts):
        # Blender's Append (Reuse Data) gives two heads one mesh, and both would move.
        if owned.data.users > 1:
            owned.data = owned.data.copy()
    for part in parts:
        if not part.users_collection:
            for collection in mesh_object.users_collection:
                collection.objects.link(part)
    renew_id(mesh_object)  # the file's is that of all heads that were dropped before
    HeadObject.of(mesh_object)


def is_unsettled(mesh_object: bpy.types.Object) -> bool:
    """Whether this object is a head that came from an asset file and is not settled yet."""
    return MODEL_KEY in mesh_object and _HAIR_POINTER in mesh_object and mesh_object.is_editable


def _mark(asset: bpy.types.Object, model_name: str, portrait: ByteArray) -> None:
    asset.asset_mark()
    metadata = asset.asset_data
    metadata.author = "FaceGen"
    metadata.description = f"FaceGen head of model {model_name}"
    for tag in ("FaceGen", model_name):
        metadata.tags.new(tag, skip_if_exists=True)
    height, width, _ = portrait.shape
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = portrait[::-1] / np.float32(255.0)  # Blender's rows begin below
    preview = asset.preview_ensure()
    preview.image_size = (width, height)
    preview.image_pixels_float.foreach_set(rgba.ravel())


@contextmanager
def _named(asset: bpy.types.Object, name: str) -> Iterator[None]:
    """The asset has this name; an object that has it already gets it back afterwards."""
    other = bpy.data.objects.get((name, None))  # not one that is linked from another file
    if other is not None:
        other.name = f"{name[:40]} "  # any name that is free
    asset.name = name
    try:
        yield
    finally:
        asset.name = "FaceGen Asset"
        if other is not None:
            other.name = name
