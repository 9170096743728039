# SPDX-License-Identifier: GPL-3.0-or-later
"""Mends the links of heads that Blender's undo has lost, before anything else reads the heads.

Undo and redo read data that have changed into temporary memory, and replace each pointer to it by
one to the lasting place - before they translate the pointers of the time when the step was taken.
Memory is used again: such a former pointer may equal the temporary address, is replaced with it,
and the link is lost. So hair loses its head, an object its data or its collection, a mesh its
materials: by chance, once in thousands of steps.

So heads' links are remembered outside of undo. Those that undo has lost are linked again in place.
Only an object without its data has to be made anew; that is an undo step of its own, and what could
be redone is forgotten.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import bpy

from ...errors import UserError
from ...heads.catalogue import load_head_model
from ...heads.head_model import HeadModel
from .hair_object import light_hair, new_hair
from .head_object import (
    HAIR_KEY,
    ID_KEY,
    MODEL_KEY,
    HeadObject,
    edited_part,
    hair_of,
    new_mesh,
)
from .objects import add_subdivision
from .stray_hair import stray_hair
from .worn import PART_KEY, WORN_KEY, choose, outfit_of

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Links:
    """The targets of a part's links, by session_uid, which undo does not change."""

    data: int | None
    parent: int | None
    materials: tuple[int | None, ...]
    collections: tuple[int, ...]


_known: dict[int, Links] = {}
"""Links by the part's session_uid, as last seen outside of undo; also of parts that are gone."""
_let_go: set[tuple[int, str]] = set()
"""Parts, each with a kind of link that it lacked outside of undo: the artist removed it."""
_in_undo = False
_mended_steps = 0


def forget() -> None:
    """Forget the links of all parts, as another file has been opened."""
    global _in_undo
    _in_undo = False
    _known.clear()
    _let_go.clear()


def remember() -> None:
    """Remember the links of all parts of heads; not while undo is at work, which may lose some."""
    if _in_undo:
        return
    stray = stray_hair()  # without a head as that was deleted: it may come back
    for part in _parts():
        if part.data is not None and part not in stray:
            links = _known[part.session_uid] = _links(part)
            _let_go.update((part.session_uid, kind) for kind in _missing(part, links))


def begin_undo() -> None:
    """Remember the links before an undo step, also if the last one was refused and never ended."""
    global _in_undo
    _in_undo = False
    remember()
    _in_undo = True


def end_undo() -> None:
    """Mend the links that undo has lost; those that the artist removed stay removed."""
    global _in_undo, _mended_steps
    emptied = [part for part in _parts() if part.data is None]
    for part in _parts():
        known = _known.get(part.session_uid)
        if known is not None:
            _mend(part, known)
    made = [anew for part in emptied if (anew := _make_anew(part)) is not None]
    if made:
        for head in {part if MODEL_KEY in part else part.parent for part in made}:
            _grow(head)
        bpy.ops.ed.undo_push(message="Mend What Undo Has Lost")
        _mended_steps += 1
    _in_undo = False


def mended_steps() -> int:
    """Number of undo steps added since Blender began, each for data that were made anew."""
    return _mended_steps


def _parts() -> list[bpy.types.Object]:
    """The objects of all heads that are this file's own: skin before hair and what is worn."""
    keys = (MODEL_KEY, HAIR_KEY, WORN_KEY)
    found = [o for o in bpy.data.objects if any(key in o for key in keys)]
    return sorted((o for o in found if o.is_editable), key=lambda part: MODEL_KEY not in part)


def _collections() -> list[bpy.types.Collection]:
    return [*bpy.data.collections, *(scene.collection for scene in bpy.data.scenes)]


def _links(part: bpy.types.Object) -> Links:
    return Links(
        part.data.session_uid if part.data else None,
        part.parent.session_uid if part.parent else None,
        tuple(m.session_uid if m else None for m in part.data.materials) if part.data else (),
        tuple(c.session_uid for c in _collections() if c.objects.get(part.name) == part),
    )


def _missing(part: bpy.types.Object, links: Links) -> list[str]:
    """The kinds of links that a part lacks; skin needs no parent."""
    lacks = {
        "parent": MODEL_KEY not in part and links.parent in (None, part.session_uid),
        "materials": None in links.materials,
        "collections": not links.collections,
    }
    return [kind for kind, is_missing in lacks.items() if is_missing]


def _mend(part: bpy.types.Object, known: Links) -> None:
    """Restore the lost links of a part, as far as their targets are there."""
    lost = [k for k in _missing(part, _links(part)) if (part.session_uid, k) not in _let_go]
    if "parent" in lost:
        part.parent = _by_uid(bpy.data.objects, known.parent)
    if "materials" in lost:
        for slot, uid in zip(range(len(part.data.materials)), known.materials, strict=False):
            if part.data.materials[slot] is None:
                part.data.materials[slot] = _by_uid(bpy.data.materials, uid)
    if "collections" in lost:
        found = [_by_uid(_collections(), uid) for uid in known.collections]
        for collection in [c for c in found if c is not None] or [bpy.context.scene.collection]:
            collection.objects.link(part)
    if lost:
        _logger.warning("undo lost %s of %r, now mended", " and ".join(lost), part.name)


def _make_anew(emptied: bpy.types.Object) -> bpy.types.Object | None:
    """Replace an object without data by one with the lost data, or with new data.

    None where its head is gone, or the head's model.
    """
    model = _model_of(emptied if MODEL_KEY in emptied else emptied.parent)
    if model is None:
        return None
    is_hair, known = HAIR_KEY in emptied, _known.get(emptied.session_uid)
    kept = bpy.data.hair_curves if is_hair else bpy.data.meshes
    data = _by_uid(kept, known.data) if known else None
    if data is None and WORN_KEY in emptied:
        return _worn_anew(emptied, model)
    name = emptied.name
    anew = bpy.data.objects.new(name, data or (new_hair if is_hair else new_mesh)(model))
    for key, value in emptied.items():
        anew[key] = value.to_dict() if hasattr(value, "to_dict") else value
    anew.parent, anew.color = emptied.parent, emptied.color
    anew.matrix_parent_inverse = emptied.matrix_parent_inverse
    anew.matrix_basis = emptied.matrix_basis
    for modifier in emptied.modifiers:
        if modifier.type == "SUBSURF":
            add_subdivision(anew, modifier.levels)
    emptied.user_remap(anew)
    bpy.data.objects.remove(emptied)
    anew.name = name
    if is_hair:
        light_hair(anew, model)
    _logger.warning("undo lost the data of %r, now made anew", name)
    return anew


def _worn_anew(emptied: bpy.types.Object, model: HeadModel) -> bpy.types.Object | None:
    """Replace what a head wears and has no data any more by a new one, without a shape yet."""
    head, name = emptied.parent, emptied.get(PART_KEY)
    bpy.data.objects.remove(emptied)
    return choose(head, head[ID_KEY], model, outfit_of(head)).get(name)


def _grow(head: bpy.types.Object) -> None:
    """Set skin, hair and sliders to the head's parameters, unless an artist has edited them."""
    model = _model_of(head)
    if model is not None and not edited_part(head, model):
        whole = HeadObject(head, hair_of(head))
        whole.set_parameters(whole.parameters)


def _model_of(head: bpy.types.Object | None) -> HeadModel | None:
    """The model of a head; None where it cannot be loaded, which the panel says."""
    try:
        return load_head_model(head[MODEL_KEY]) if head is not None else None
    except UserError as error:
        _logger.debug("%s", error)
        return None


def _by_uid(blocks: Iterable[bpy.types.ID], uid: int | None) -> Any | None:
    return next((block for block in blocks if block.session_uid == uid), None)


@bpy.app.handlers.persistent
def _before_undo(*_: object) -> None:
    begin_undo()


@bpy.app.handlers.persistent
def _after_undo(*_: object) -> None:
    end_undo()


@bpy.app.handlers.persistent
def _after_change(*_: object) -> None:
    remember()


@bpy.app.handlers.persistent
def _after_load(*_: object) -> None:
    forget()


_HANDLERS = (
    ("undo_pre", _before_undo),
    ("redo_pre", _before_undo),
    ("undo_post", _after_undo),
    ("redo_post", _after_undo),
    ("depsgraph_update_post", _after_change),
    ("load_post", _after_load),
)


def register() -> None:
    """Watch undo; call it before handlers that read heads after undo are registered."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Undo register."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    forget()
