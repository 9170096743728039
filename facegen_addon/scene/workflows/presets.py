# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps heads for other files: slider values as JSON with a portrait, and an asset beside them.

NAME.json is a slider file that the command line reads, too; NAME.blend holds the same head for
Blender's asset browser. Dropped from there it is a FaceGen head like any other.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import bpy
import numpy as np

from ...arrays import ByteArray, FloatArray
from ...atomic_file import replacing
from ...errors import UserError
from ...file_names import is_device
from ...heads.exchange.slider_file import SliderFile, read_slider_file, write_slider_file
from ...heads.expressions import expressive
from ...heads.gallery import ShippedHead
from ...heads.head_model import HeadModel
from ...heads.named_styles import styled
from ...heads.wear.outfit import BARE, Outfit
from ...latent.who import Who
from ...mapping.influence import table_digest
from ...user_folder import user_folder
from ..head import history
from ..head.head_object import HeadObject
from ..head.latents import store_seed
from ..head.locks import locked
from ..render.portrait import encode_jpeg, portraits
from .asset_file import write_asset

LIBRARY = "FaceGen Presets"
"""Name of the asset library in Blender's preferences."""
LONGEST_NAME = 63
"""Bytes; Blender's names are no longer."""
_NOT_IN_FILE_NAMES = '<>:"/\\|?*'
_PORTRAIT_SIZE, _PORTRAIT_SAMPLES = 256, 16

Render = Callable[[HeadModel, Annotated[FloatArray, "P"], Outfit], Annotated[ByteArray, "S S 3"]]
"""Parameters of a head, and what it wears -> its portrait, RGB."""


@dataclass(frozen=True)
class Preset:
    """A preset's file, read: one head. ``portrait``: JPEG, None where the file has none; ``who``:
    who was asked for when it was saved, fields of latent.who.Who, None where it does not say."""

    sliders: SliderFile
    digest: str | None
    portrait: bytes | None
    who: Mapping[str, str] | None = None

    def parameters(self, model: HeadModel) -> Annotated[FloatArray, "P"]:
        """The head's parameters (P,); UserError if it is of another model or does not fit."""
        of = self.sliders.model
        if of is not None and of != model.name:
            raise UserError(
                f"{self.sliders.path} is a head of model {of!r}, the active head of {model.name!r};"
                " add it as a new head"
            )
        rows = self.sliders.rows(model.table)
        if len(rows) != 1:
            raise UserError(f"{self.sliders.path} holds {len(rows)} heads; a preset holds one")
        return rows[0]

    def outfit(self, model: HeadModel) -> Outfit | None:
        """What the head wears; None where the preset does not say it, or the model wears nothing.

        UserError if it is nothing that there is to wear.
        """
        outfits = self.sliders.outfits(1) if model.dressed else None
        return outfits[0] if outfits is not None else None

    def is_of_another_version(self, model: HeadModel) -> bool:
        """Whether the model's sliders have changed since; those added stand at their mean."""
        return self.digest is not None and self.digest != table_digest(model.table)


def presets_folder() -> Path:
    """The folder of presets, which may not exist yet."""
    return user_folder() / "presets"


def checked_name(name: str) -> str:
    """A preset's name without spaces around it; UserError if no file can have it."""
    name = name.strip()
    shown = name if len(name) <= LONGEST_NAME else name[:20] + "..."
    if not name:
        raise UserError("the preset's name is empty; give it a name")
    if len(name.encode("utf-8", "replace")) > LONGEST_NAME:
        raise UserError(f"preset name {shown!r} is too long; give at most {LONGEST_NAME} bytes")
    bad = sorted({c for c in name if c in _NOT_IN_FILE_NAMES or not c.isprintable()})
    if bad:
        raise UserError(f"preset name {shown!r} has {bad[0]!r} in it; leave it out")
    if name.startswith(".") or name.endswith("."):
        raise UserError(f"preset name {shown!r} begins or ends with a full stop; leave it out")
    if is_device(name):
        raise UserError(f"preset name {shown!r} stands for a device in Windows; choose another")
    return name


def preset_file(name: str) -> Path:
    """The slider file of the preset with this name; UserError if no preset can have it."""
    return presets_folder() / f"{checked_name(name)}.json"


def preset_names() -> list[str]:
    """The names of all presets, in order."""
    return sorted((path.stem for path in presets_folder().glob("*.json")), key=str.casefold)


def render_portrait(
    model: HeadModel,
    parameters: Annotated[FloatArray, "P"],
    outfit: Outfit = BARE,
    device: str = "auto",
) -> Annotated[ByteArray, "S S 3"]:
    """The portrait of one head (P,) in an outfit; ``device`` as in RenderSettings."""
    (portrait,) = portraits(
        model,
        parameters[None],
        size=_PORTRAIT_SIZE,
        samples=_PORTRAIT_SAMPLES,
        device=device,
        outfit=outfit.for_portrait,
    )
    return portrait


def save_preset(
    head: HeadObject,
    name: str,
    overwrite: bool = False,
    render: Render = render_portrait,
    who: Mapping[str, str] | None = None,
) -> Path:
    """Keep a head under this name, and who is asked for; the path of its slider file.

    UserError, before anything is written, if the name cannot be, or is taken and not to be
    overwritten. The scene stays as it is.
    """
    path = preset_file(name)
    if path.exists() and not overwrite:
        raise UserError(f"there is a preset {path.stem!r}; choose Overwrite or another name")
    model, parameters, outfit = head.model, head.parameters, head.outfit
    portrait = render(model, parameters, outfit)
    with replacing(path.with_suffix(".blend")) as partial:
        write_asset(partial, path.stem, model, parameters, portrait, outfit)
    jpeg = base64.b64encode(encode_jpeg(portrait)).decode("ascii")
    wear = [outfit] if model.dressed else None
    notes = {"digest": table_digest(model.table), "preview": jpeg}
    said = {"who": dict(who)} if who else {}
    write_slider_file(path, model, parameters[None], wear, **notes, **said)
    return path


def read_preset(path: Path) -> Preset:
    """A preset, or any slider file of one head; UserError if it is neither."""
    sliders = read_slider_file(path)
    if path.suffix != ".json":
        return Preset(sliders, None, None)
    content = json.loads(path.read_bytes())  # which has just been read well
    digest, preview = content.get("digest"), content.get("preview")
    try:
        portrait = base64.b64decode(preview, validate=True) if preview else None
    except (binascii.Error, TypeError, ValueError):
        portrait = None  # the head is none the worse
    return Preset(sliders, str(digest) if digest else None, portrait, _who(content.get("who")))


def _who(value: object) -> Mapping[str, str] | None:
    """What a file says of who was asked for; None where it is nothing that could be."""
    names = [field.name for field in fields(Who)]
    if not isinstance(value, dict) or not all(isinstance(value.get(name), str) for name in names):
        return None
    return {name: value[name] for name in names}


def of_shipped(head: ShippedHead) -> Preset:
    """A shipped head as a preset; nobody is asked for by it."""
    wear = (head.wear,) if head.wear else None
    columns = {name: [value] for name, value in head.parameters.items()}
    return Preset(SliderFile(Path(f"{head.name}.json"), head.model, columns, wear), None, None)


def load_preset(head: HeadObject, path: Path) -> Preset:
    """Make a head that of a preset's file, see `take_preset`; UserError if it is none."""
    preset = read_preset(path)
    take_preset(head, preset, path.stem)
    return preset


def take_preset(head: HeadObject, preset: Preset, name: str) -> None:
    """Make a head a preset's, locked sliders too, and record it by name in the head's history.

    What it wears becomes the preset's; with presets that do not say that, it stays.

    UserError, before anything changes, if it is of another model.
    """
    parameters, outfit = preset.parameters(head.model), preset.outfit(head.model)
    history.before_change(head)
    head.set_parameters(parameters)
    if outfit is not None:
        head.wear(outfit)
    store_seed(head.mesh_object, None)  # what was drawn before was another head
    history.record(head, f"Preset {name}")


def wear_style(head: HeadObject, kind: str, name: str) -> None:
    """Give a head the hair, brows or beard of this name, locked sliders excepted.

    Its history records it. UserError, before anything changes, if there is no such style.
    """
    model, before = head.model, head.parameters
    parameters = styled(model, before, kind, name)
    kept = locked(head.mesh_object, model.table)
    history.before_change(head)
    head.set_parameters(np.where(kept, before, parameters))
    history.record(head, f"{kind.capitalize()}: {name}")


def wear_expression(head: HeadObject, name: str) -> None:
    """Give a head the expression of this name, locked sliders excepted; gaze is part of it.

    Its history records it. UserError, before anything changes, if there is no such expression.
    """
    table, before = head.model.table, head.parameters
    parameters = expressive(table, before, name)
    history.before_change(head)
    head.move_to(np.where(locked(head.mesh_object, table), before, parameters))
    history.record(head, f"Expression: {name}")


def delete_preset(name: str) -> None:
    """Delete a preset's files; UserError if there is none of this name."""
    path = preset_file(name)
    if not path.exists():
        raise UserError(f"there is no preset {path.stem!r}; choose one of the list")
    for gone in (path, path.with_suffix(".blend")):
        try:
            gone.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"{gone} cannot be deleted ({error.strerror}); unlock it") from None


def offer_library(preferences: bpy.types.Preferences) -> None:
    """Have the asset browser show the presets' folder, if it does not yet.

    The entry stays when the add-on is disabled or updated: the folder is the user's, and its heads
    can be dropped without the add-on, too.
    """
    folder, libraries = presets_folder(), preferences.filepaths.asset_libraries
    if any(Path(library.path) == folder for library in libraries):
        return
    library = libraries.new(name=LIBRARY, directory=str(folder))
    library.import_method = "APPEND"  # a head that shares its mesh would move with the other
    preferences.is_dirty = True
