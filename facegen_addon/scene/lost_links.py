# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's undo loses of a head is found and mended before anything else reads the head.

Undo and redo read what has changed into memory that they hold for a moment, and replace the address
of that memory by the lasting one wherever it is named - before they translate the addresses of the
time when the step was taken. Memory is used again: the former address of what has been undone and
done again may be that of the moment, and who names it is left without it. So hair loses its head,
an object its data or its collection, a mesh its materials: by chance, once in thousands of steps.

So heads' links are remembered while all is well. What undo has lost is linked again in place. Only
an object without its data has to be made anew; that is an undo step of its own, and what could be
redone is forgotten.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import bpy

from ..errors import UserError
from ..heads.catalogue import load_head_model
from .head_object import HAIR_KEY, MODEL_KEY, add_subdivision, new_hair, new_mesh

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Links:
    """What a part of a head is linked to, by session_uid, which undo does not change."""

    data: int | None
    parent: int | None
    materials: tuple[int | None, ...]
    collections: tuple[int, ...]


_known: dict[int, Links] = {}
"""By the part's session_uid, as last seen outside of undo; also of parts that are gone."""
_let_go: set[tuple[int, str]] = set()
"""Parts, and a kind of link that they were seen without outside of undo: an artist's wish."""
_in_undo = False
_mended_steps = 0


def forget() -> None:
    """Know nothing of any part: another file has been opened."""
    global _in_undo
    _in_undo = False
    _known.clear()
    _let_go.clear()


def remember() -> None:
    """Remember the links of all parts of heads; not while undo is at work, which may lose some."""
    if _in_undo:
        return
    for part in _parts():
        if part.data is not None:
            links = _known[part.session_uid] = _links(part)
            _let_go.update((part.session_uid, kind) for kind in _missing(part, links))


def begin_undo() -> None:
    """Remember what is true now."""
    global _in_undo
    remember()
    _in_undo = True


def end_undo() -> None:
    """Mend what undo has lost; what was missed by the artist's hand stays as it is."""
    global _in_undo, _mended_steps
    emptied = [part for part in _parts() if part.data is None]
    for part in _parts():
        known = _known.get(part.session_uid)
        if known is not None:
            _mend(part, known)
    made = [part for part in emptied if _make_anew(part)]
    if made:
        bpy.ops.ed.undo_push(message="Mend What Undo Has Lost")
        _mended_steps += 1
    _in_undo = False


def mended_steps() -> int:
    """How many undo steps were added since Blender began, to make anew what undo had lost."""
    return _mended_steps


def _parts() -> list[bpy.types.Object]:
    """The objects of all heads that are this file's own: skin before hair."""
    own = [o for o in bpy.data.objects if o.is_editable]
    return [o for o in own if MODEL_KEY in o] + [o for o in own if HAIR_KEY in o]


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
        "parent": HAIR_KEY in part and links.parent in (None, part.session_uid),
        "materials": None in links.materials,
        "collections": not links.collections,
    }
    return [kind for kind, is_missing in lacks.items() if is_missing]


def _mend(part: bpy.types.Object, known: Links) -> None:
    """Link a part again to what it was linked to, as far as that is there."""
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


def _make_anew(emptied: bpy.types.Object) -> bool:
    """Put an object with the lost data, or with new data, where one has none; whether it could."""
    head = emptied if MODEL_KEY in emptied else emptied.parent
    try:
        model = load_head_model(head[MODEL_KEY]) if head is not None else None
    except UserError as error:
        _logger.debug("%s", error)  # its file is missing, and the panel says why
        return False
    if model is None:
        return False
    is_hair, known = HAIR_KEY in emptied, _known.get(emptied.session_uid)
    kept = bpy.data.hair_curves if is_hair else bpy.data.meshes
    data = _by_uid(kept, known.data) if known else None
    anew = bpy.data.objects.new(emptied.name, data or (new_hair if is_hair else new_mesh)(model))
    for key, value in emptied.items():
        anew[key] = value.to_dict() if hasattr(value, "to_dict") else value
    anew.parent, anew.color = emptied.parent, emptied.color
    anew.matrix_parent_inverse = emptied.matrix_parent_inverse
    anew.matrix_basis = emptied.matrix_basis
    if not is_hair:
        for modifier in emptied.modifiers:
            if modifier.type == "SUBSURF":
                add_subdivision(anew, modifier.levels)
    emptied.user_remap(anew)
    name = emptied.name
    bpy.data.objects.remove(emptied)
    anew.name = name
    return True


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
    """Watch undo; before what reads heads after it registers."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Undo register."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    forget()
