# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs long work as a job: a generator, which in a window a timer drives, and else runs through.

One job at a time. Whatever ends it, its generator is closed, so that its ``finally`` cleans up, and
window, timer and status bar are as before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, cast

import bpy

from ..blas_threads import one_thread
from ..durations import format_seconds
from ..errors import NotReached, UserError
from .remedies import explain

SLICE = 0.1
"""Seconds that a job may take of Blender's time at once, if its steps are as short."""
_INTERVAL = 0.02  # seconds between two slices: Blender draws, and hears Esc

_NUMPAD = {f"NUMPAD_{key}" for key in (*range(1, 10), "PERIOD", "PLUS", "MINUS")}
_NAVIGATION = {
    "MIDDLEMOUSE",
    "WHEELUPMOUSE",
    "WHEELDOWNMOUSE",
    "TRACKPADPAN",
    "TRACKPADZOOM",
    "MOUSEROTATE",
    "NDOF_MOTION",
}


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` parts of what ``label`` names are done; total 0: not known.

    ``begun`` of them were done before the job began, and took it no time.
    """

    label: str
    done: int
    total: int
    begun: int = 0


progress_handlers: list[Callable[[Progress], None]] = []
"""Called with each step of every job, as Blender calls those of bpy.app.handlers: a script adds its
own function and removes it again. What one raises ends the job."""


class Running:
    """The job that runs; ``close`` is its one clean-up."""

    def __init__(self, steps: Iterator[Progress], window: bpy.types.Window | None) -> None:
        self._steps = steps
        self._manager = bpy.context.window_manager
        self._window = window
        self._timer: Any = None
        self.label, self.done, self.total, self.begun = "Preparing", 0, 0, 0
        self._shown = ""
        self._started = self._stepped = time.monotonic()

    @property
    def factor(self) -> float:
        """The share that is done of what the label names, 0 to 1."""
        return min(max(self.done / self.total, 0.0), 1.0) if self.total else 0.0

    @property
    def eta_seconds(self) -> float | None:
        """Seconds that the rest of this label will take at the pace so far; None at its start."""
        own = self.done - self.begun
        if own <= 0 or self.done >= self.total:
            return None
        return (time.monotonic() - self._started) * (self.total - self.done) / own

    @property
    def text(self) -> str:
        """Label, count and remaining time, short enough for a narrow sidebar."""
        count = f" {self.done} of {self.total}" if self.total else ""
        eta = self.eta_seconds
        return f"{self.label}{count}" + (f", {format_seconds(eta)}" if eta is not None else "")

    def open(self) -> None:
        """Show that work goes on; in a window, have it tick."""
        self._manager.progress_begin(0, 100)
        if self._window is not None:
            self._timer = self._manager.event_timer_add(_INTERVAL, window=self._window)
            self._show()

    def step(self) -> bool:
        """Do one step; False when there is none left."""
        with one_thread():
            progress = next(self._steps, None)
        if progress is None:
            return False
        if progress.label != self.label:
            self._started = self._stepped  # its first step is already done
        self._stepped = time.monotonic()
        self.label, self.done = progress.label, progress.done
        self.total, self.begun = progress.total, progress.begun
        self._manager.progress_update(100.0 * self.factor)
        for handler in tuple(progress_handlers):
            handler(progress)
        return True

    def advance(self, seconds: float = SLICE) -> bool:
        """Do steps for about this long; False when there is none left."""
        deadline = time.monotonic() + seconds
        while self.step():
            if time.monotonic() >= deadline:
                self._show()
                return True
        return False

    def close(self) -> None:
        """Close the generator and restore window, cursor and status bar, whatever happens."""
        try:
            cast(Generator, self._steps).close()
        finally:
            self._manager.progress_end()
            if self._timer is not None:
                self._manager.event_timer_remove(self._timer)
                self._timer = None
                _set_status(self._window, None)
                _redraw(self._manager)

    def _show(self) -> None:
        """Have sidebars drawn anew if the text has changed; views full of heads would take long."""
        if self.text == self._shown:
            return
        self._shown = self.text
        _set_status(self._window, f"{self.text}  ·  Esc stops")
        _redraw(self._manager, "UI")


_running: Running | None = None


def current() -> Running | None:
    """The job that runs now; None if there is none."""
    return _running


def draw(layout: bpy.types.UILayout, *, align: bool = True) -> bool:
    """Show the running job's progress and the key that stops it, as two rows that touch or not.

    False if there is none.
    """
    if _running is None:
        return False
    column = layout.column(align=align)
    column.progress(factor=_running.factor, text=_running.text)
    column.label(text="Esc stops")  # the key's icon is wider than Blender leaves room for
    return True


def start(steps: Iterator[Progress], window: bpy.types.Window | None = None) -> Running:
    """Make this generator the running job, driven by a timer of ``window`` or by the caller.

    UserError if another one runs.
    """
    global _running
    if _running is not None:
        raise UserError(f"{_running.label!r} is still running: wait for it, or stop it by Esc")
    _running = Running(steps, window)
    _running.open()
    return _running


def stop() -> None:
    """End the running job, if there is one."""
    global _running
    if _running is not None:
        job, _running = _running, None
        job.close()


def run_through(steps: Iterator[Progress]) -> None:
    """Do all steps at once; UserError if another job runs."""
    job = start(steps)
    try:
        while job.step():
            pass
    finally:
        stop()


class JobOperator:
    """An operator whose ``steps`` take long; raise UserError or NotReached, clean up in finally.

    A base beside bpy.types.Operator. Steps must hold no object of Blender's, only ids. Without
    REGISTER in its bl_options, as Adjust Last Operation would do all the work again, unasked.
    """

    when_stopped = "Stopped; nothing was changed"
    _job: Running | None = None
    report: Callable[[set[str], str], None]

    def steps(self, context: bpy.types.Context) -> Iterator[Progress]:
        """Do the work bit by bit."""
        raise NotImplementedError

    def done(self, context: bpy.types.Context) -> None:
        """Called in the window when the work is done."""

    def fail(self, context: bpy.types.Context, error: BaseException, text: str) -> set[str]:
        """Report in a line why the work ended; returns the operator's result."""
        self.report({"ERROR"}, text)
        return {"CANCELLED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether no job runs."""
        if _running is not None:
            cls.poll_message_set("a job is running: wait for it, or stop it by Esc")  # type: ignore[attr-defined]
        return _running is None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run to the end, as scripts want it."""
        try:
            run_through(self.steps(context))
        except (UserError, NotReached) as error:
            return self.fail(context, error, explain(error))
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Run beside Blender, where it has a window."""
        if bpy.app.background or context.window is None:
            return self.execute(context)
        try:
            self._job = start(self.steps(context), context.window)
        except UserError as error:
            return self.fail(context, error, explain(error))
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """A slice of work per timer event; all else but Esc and looking around is swallowed."""
        if self._job is not _running:  # stopped by a file being opened, by undo, by an error
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS":
            stop()
            self.report({"INFO"}, self.when_stopped)
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"} if is_harmless(context, event) else {"RUNNING_MODAL"}
        return self._advance(context)

    def _advance(self, context: bpy.types.Context) -> set[str]:
        assert self._job is not None, "the running job is this one"
        more = False
        try:
            more = self._job.advance()
        except (UserError, NotReached) as error:
            return self.fail(context, error, explain(error))
        finally:
            if not more:
                stop()
        if more:
            return {"PASS_THROUGH"}  # it may be another's timer, too
        self.done(context)
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender itself ends the operator."""
        if self._job is not None and self._job is _running:
            stop()


def is_harmless(context: bpy.types.Context, event: bpy.types.Event) -> bool:
    """Whether an event is Blender's own, or looks around in a 3D view and changes nothing."""
    kind = event.type
    if kind.startswith(("TIMER", "WINDOW")) or kind == "NONE":
        return True
    looks = kind in _NAVIGATION or (kind in _NUMPAD and not (event.ctrl or event.alt))
    return looks and over_view(context.screen.areas, event.mouse_x, event.mouse_y)


def over_view(areas: Any, x: int, y: int) -> bool:
    """Whether a window's pixel shows a 3D view itself, not its sidebar, header or another editor.

    Over a button, a wheel or a key may change a value.
    """
    for area in areas:
        under = {region.type for region in area.regions if _inside(region, x, y)}
        if under:
            return bool(area.type == "VIEW_3D" and under == {"WINDOW"})
    return False


def _inside(region: Any, x: int, y: int) -> bool:
    return bool(
        region.x <= x < region.x + region.width and region.y <= y < region.y + region.height
    )


def _set_status(window: bpy.types.Window | None, text: str | None) -> None:
    if window is None:
        return
    with bpy.context.temp_override(window=window):
        if bpy.context.workspace is not None:
            bpy.context.workspace.status_text_set(text)


def _redraw(manager: bpy.types.WindowManager, region_type: str = "") -> None:
    """Have preferences and all 3D views drawn anew, or these regions of the views alone."""
    for window in manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
            if area.type != "VIEW_3D":
                continue
            for region in area.regions:
                if region_type in ("", region.type):
                    region.tag_redraw()


@bpy.app.handlers.persistent
def _stop_before(*_: object) -> None:
    """Undo, or another file, replaces all objects that a job works on."""
    stop()


_HANDLERS = ("load_pre", "undo_pre", "redo_pre")


def register() -> None:
    """Have jobs stopped before undo and before another file is opened."""
    for name in _HANDLERS:
        getattr(bpy.app.handlers, name).append(_stop_before)


def unregister() -> None:
    """Undo register; a job that runs is stopped."""
    stop()
    for name in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(_stop_before)
