# SPDX-License-Identifier: GPL-3.0-or-later
"""Completes heads in the moment after a slider has moved, when only their skin has followed it.

Strands take ten times as long as skin. So in a window they follow after the redraw; what is saved
or rendered is complete, and so is what undo brings back, which may be a moment between the two.
Without a window there is no next moment: heads are completed at once.

A render from Blender's window runs in a thread of its own, and so do the handlers of its start,
while the main thread draws: heads that are written there may end Blender. So such a render waits
for the main thread's next moment instead.
"""

from __future__ import annotations

import logging
from threading import Event, current_thread, main_thread

import bpy

from ...blas_threads import one_thread
from ...errors import UserError
from .head_object import MODEL_KEY, HeadObject, hair_of

_logger = logging.getLogger(__name__)
_HANDLERS = ("render_init", "save_pre", "undo_post", "redo_post", "load_post")
_PATIENCE = 10.0
"""Seconds that a render waits for the main thread, which may itself wait for the render to end."""

_waits = not bpy.app.background
_completed = Event()  # no head is behind
_completed.set()


def waits() -> bool:
    """Whether heads are completed in a later moment, not at once."""
    return _waits


def set_waiting(on: bool) -> None:
    """Complete heads later, as in a window, or at once; benchmarks and tests want both."""
    global _waits
    _waits = on


def complete_soon() -> None:
    """Have all heads completed after the redraw that is due."""
    if _waits and not bpy.app.timers.is_registered(complete_all):
        _completed.clear()
        bpy.app.timers.register(complete_all, first_interval=0.0)


@one_thread()
def complete_all() -> None:
    """Complete all heads of the file that are not; those that cannot be are left as they are."""
    for mesh_object in bpy.data.objects:
        if MODEL_KEY not in mesh_object or not mesh_object.is_editable:
            continue
        try:
            HeadObject(mesh_object, hair_of(mesh_object)).complete()
        except UserError as error:
            _logger.debug("%s", error)  # its sliders are missing, and the panel says why
    _completed.set()


@bpy.app.handlers.persistent
def _complete_first(*_: object) -> None:
    if current_thread() is main_thread():
        complete_all()
    else:
        _completed.wait(_PATIENCE)


def register() -> None:
    """Have heads complete before anything reads them."""
    for name in _HANDLERS:
        getattr(bpy.app.handlers, name).append(_complete_first)


def unregister() -> None:
    """Undo register, with all heads complete."""
    if bpy.app.timers.is_registered(complete_all):
        bpy.app.timers.unregister(complete_all)
        complete_all()
    for name in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(_complete_first)
