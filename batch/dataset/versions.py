# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs, artifacts and files that a run's bytes depend on, for its request.

docs/architecture.md has the whole list.
"""

import hashlib
import importlib.metadata
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from batch.dataset.bytes_format import BYTES_FORMAT, FACEGEN_KEY, FORMAT_KEY
from batch.dataset.recipe import Recipe
from batch.results import facegen_version
from facegen_addon.artifacts import artifact
from facegen_addon.encoders.encoder import find_encoder
from facegen_addon.encoders.face_crop import FACE_BOX
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.mapping.correction import default_correction
from facegen_addon.mapping.influence import table_digest
from facegen_addon.onnx_runtime import onnx_runtime
from facegen_addon.scene.render.lights import LIGHTS
from facegen_addon.scene.render.world_files import world_file


def versions(recipe: Recipe, model: HeadModel, encoder_device: str = "cpu") -> dict[str, Any]:
    """All programs, artifacts and files that take part, by version or sha256.

    An encoder's latents end in other bits on another kind of device.
    """
    encoder = find_encoder(recipe.heads.encoder)
    where = {} if encoder_device == "cpu" else {"device": encoder_device}
    return {
        FACEGEN_KEY: facegen_version(),
        FORMAT_KEY: BYTES_FORMAT,
        "Blender": blender_version(),
        "NumPy": np.__version__,
        "ONNX Runtime": str(onnx_runtime().__version__),
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
        "table of the model": table_digest(model.table),
        "encoder": {"name": encoder.name, "sha256": encoder.sha256} | where,
        **model.sources,
        **{name: artifact(name).sha256 for name in _artifacts(recipe, model)},
        **_worlds(recipe),
    }


def _artifacts(recipe: Recipe, model: HeadModel) -> Iterator[str]:
    """Artifacts that take part besides the head model's own."""
    yield FACE_BOX
    if recipe.heads.is_guided:
        yield from (f"surrogate_{model.name}", f"backward_{model.name}", "natural_faces")
        if not recipe.people.drawn_from().is_everybody:
            yield "attributes"
        if default_correction(model.name, recipe.heads.grade) != "none":
            yield f"corrections_{model.name}"


def _worlds(recipe: Recipe) -> dict[str, str]:
    """sha256 of Blender's own HDRIs that the recipe lights by: builds of one version differ."""
    files = {name: LIGHTS[name].world for name, _ in recipe.light.presets if LIGHTS[name].world}
    return {
        f"light {name}": hashlib.sha256(world_file(world).read_bytes()).hexdigest()
        for name, world in files.items()
    }


def blender_version() -> str:
    """Version of the Blender that the render processes run, without loading it into this one."""
    bpy = sys.modules.get("bpy")
    if bpy is not None:
        return ".".join(map(str, bpy.app.version))
    return importlib.metadata.version("bpy")
