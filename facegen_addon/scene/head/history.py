# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps each head's history, its earlier states in order, independently of Blender's undo.

Histories live here, by the heads' ids, where undo cannot reach them. They are written onto the
heads' objects when the file is saved, and read from there when it is opened again or a head comes
from another file. A copy of a head begins with the history of the head that it was copied from.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import bpy
import numpy as np

from ...arrays import FloatArray
from ...errors import UserError
from . import history_text
from .head_object import ID_KEY, PARAMETERS_KEY, HeadObject
from .history_text import Entry
from .latents import LATENTS_KEY, SEED_KEY, read, store, store_seed

HISTORY_KEY = "facegen_history"
"""Property of a head's object: its history as text, as of the last time the file was saved."""
_OF_KEY = "facegen_history_of"
"""Property of a head's object: the id that its history is kept under; a copy finds it by this."""
KEPT = 50
"""Number of entries without a star that are kept; older ones are forgotten."""

_logger = logging.getLogger(__name__)


@dataclass
class History:
    """A head's entries, each after the one that it was made from, and where the head stands."""

    entries: list[Entry] = field(default_factory=list)
    cursor: int = 0

    def position(self, parameters: Annotated[FloatArray, "P"]) -> int | None:
        """Index of the entry with these parameters (P,), the cursor's first; None if edited.

        Undo moves heads without asking this history: the head's parameters say where it stands.
        """
        order = sorted(range(len(self.entries)), key=lambda index: abs(index - self.cursor))
        for index in order:
            if np.array_equal(self.entries[index].parameters, parameters):
                return index
        return None

    def insert(self, entry: Entry) -> None:
        """Add an entry after the cursor, so that a step back leads where the head came from."""
        number = 1 + max((known.number for known in self.entries), default=-1)
        self.cursor = min(self.cursor + 1, len(self.entries))
        self.entries.insert(self.cursor, replace(entry, number=number))

    def forget(self, keep: int) -> int:
        """Forget all but the youngest ``keep`` without a star; returns how many went.

        Starred entries stay, and the one that the head is at.
        """
        here = self.entries[self.cursor] if self.entries else None
        plain = sorted(entry.number for entry in self.entries if not entry.starred)
        gone = set(plain[: max(len(plain) - keep, 0)]) - ({here.number} if here else set())
        self.entries = [entry for entry in self.entries if entry.number not in gone]
        if here is not None:
            self.cursor = next(i for i, e in enumerate(self.entries) if e.number == here.number)
        return len(gone)


_histories: dict[str, History] = {}


def history_of(mesh_object: bpy.types.Object) -> History:
    """The history of the head that this object is; writes nothing to Blender's data."""
    head_id = str(mesh_object[ID_KEY])
    if head_id not in _histories:
        source = _histories.get(str(mesh_object.get(_OF_KEY)))
        _histories[head_id] = (
            History(list(source.entries), source.cursor) if source else _saved(mesh_object)
        )
    return _histories[head_id]


def position(mesh_object: bpy.types.Object) -> int | None:
    """Index of the entry that a head stands at; None if sliders have moved it since."""
    return history_of(mesh_object).position(_parameters(mesh_object))


def before_change(head: HeadObject) -> None:
    """Keep a head's state if it is not known yet; call before it gets new parameters."""
    history = _followed(head)
    if history.position(head.parameters) is None:
        is_new = not history.entries and np.array_equal(head.parameters, head.model.table.default())
        history.insert(_entry(head, "Added" if is_new else "Edited"))


def record(head: HeadObject, label: str) -> None:
    """Add a head's state as an entry; call after it has got parameters, seed and latents.

    Nothing is added where the head is what it was before.
    """
    history = _followed(head)
    if history.position(head.parameters) is None:
        history.insert(_entry(head, label))
        history.forget(KEPT)


def step(head: HeadObject, by: int) -> None:
    """Go ``by`` entries forward, or back where negative; UserError at either end."""
    before_change(head)
    history = history_of(head.mesh_object)
    index = history.cursor + by
    if not 0 <= index < len(history.entries):
        end = "oldest" if by < 0 else "latest"
        raise UserError(f"head {head.mesh_object.name!r} is at the {end} of its history")
    _restore(head, history, index)


def go(head: HeadObject, index: int) -> None:
    """Give the head the state of an entry: parameters, locked or not, latents and seed.

    What sliders have made of it is kept as an entry before; UserError if there is no such entry.
    """
    history = history_of(head.mesh_object)
    number = history.entries[_checked(head, index)].number
    before_change(head)  # may add an entry before it, or replace it by one that knows more
    _restore(head, history, next(i for i, e in enumerate(history.entries) if e.number == number))


def star(head: HeadObject, index: int | None = None) -> bool:
    """Star an entry, or take its star away; returns whether it has one now.

    ``index`` None: the head's present state.
    """
    if index is None:
        before_change(head)
        index = history_of(head.mesh_object).cursor
    history = history_of(head.mesh_object)
    entry = history.entries[_checked(head, index)]
    history.entries[index] = replace(entry, starred=not entry.starred)
    return not entry.starred


def forget(head: HeadObject, keep: int = 0) -> int:
    """Forget all entries but the youngest ``keep`` without a star; returns how many went."""
    return _followed(head).forget(keep)


def write_all() -> None:
    """Write each history onto its head's object, to be saved with the file."""
    for mesh_object in bpy.data.objects:
        if ID_KEY in mesh_object and mesh_object.is_editable:
            history = history_of(mesh_object)
            if history.entries:
                mesh_object[HISTORY_KEY] = history_text.write(history.entries, history.cursor)


@bpy.app.handlers.persistent
def _before_save(*_: Any) -> None:
    write_all()


@bpy.app.handlers.persistent
def _after_load(*_: Any) -> None:
    _histories.clear()  # the opened file's own are read when they are asked for


def register() -> None:
    """Have histories saved with files."""
    bpy.app.handlers.save_pre.append(_before_save)
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """Undo register; histories stay on their objects for the next time."""
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.app.handlers.save_pre.remove(_before_save)
    write_all()
    _histories.clear()


def _parameters(mesh_object: bpy.types.Object) -> FloatArray:
    return np.array(mesh_object[PARAMETERS_KEY], np.float64)


def _followed(head: HeadObject) -> History:
    """A head's history, its cursor where the head stands; what was measured since is added.

    Nothing that the entry knows is lost: a head may come back to it by hand, knowing less.
    """
    history = history_of(head.mesh_object)  # of a copy's source, while the property names it
    head.mesh_object[_OF_KEY] = head.head_id
    index = history.position(head.parameters)
    if index is not None:
        history.cursor = index
        known = history.entries[index]
        now = vars(read(head.mesh_object)).items()
        found = {name: latent for name, latent in now if latent is not None}
        history.entries[index] = replace(known, latents=replace(known.latents, **found))
    return history


def _entry(head: HeadObject, label: str) -> Entry:
    seed = head.mesh_object.get(SEED_KEY)
    return Entry(
        label, head.parameters, read(head.mesh_object), None if seed is None else int(seed)
    )


def _checked(head: HeadObject, index: int) -> int:
    count = len(history_of(head.mesh_object).entries)
    if not 0 <= index < count:
        raise UserError(
            f"head {head.mesh_object.name!r} has {count} entries in its history, there is no"
            f" entry {index + 1}"
        )
    return index


def _restore(head: HeadObject, history: History, index: int) -> None:
    entry, mesh_object = history.entries[index], head.mesh_object
    head.set_parameters(entry.parameters)
    if any(latent is not None for latent in vars(entry.latents).values()):
        store(mesh_object, entry.latents)
    else:
        mesh_object.pop(LATENTS_KEY, None)
    store_seed(mesh_object, entry.seed)
    history.cursor = index
    history.forget(KEPT)


def _saved(mesh_object: bpy.types.Object) -> History:
    """The history that was saved with an object; empty where there is none to be read."""
    text = mesh_object.get(HISTORY_KEY)
    if text is None:
        return History()
    try:
        entries, cursor = history_text.read(text, len(mesh_object[PARAMETERS_KEY]))
    except UserError as error:
        _logger.warning("head %r: %s", mesh_object.name, error)
        return History()
    return History(entries, cursor)
