# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame of long work: steps, stopping, errors, one at a time; without a window."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import facegen_addon
from facegen_addon.errors import NotReached, UserError
from facegen_addon.ui import jobs
from facegen_addon.ui.jobs import JobOperator, Progress

ESC = SimpleNamespace(type="ESC", value="PRESS")
TICK = SimpleNamespace(type="TIMER", value="NOTHING")


class Toy(JobOperator):
    """Counts to ``total``, fails at ``fails_at``, and says when it has cleaned up."""

    def __init__(self, total: int = 3, error: BaseException | None = None) -> None:
        self.total, self.error = total, error
        self.log: list[str] = []

    def report(self, kinds: set[str], text: str) -> None:
        self.log.append(f"{min(kinds)}: {text}")

    def steps(self, context: bpy.types.Context) -> Iterator[Progress]:
        try:
            for done in range(self.total):
                self.log.append("step")
                yield Progress("Counting", done, self.total)
            if self.error is not None:
                raise self.error
        finally:
            self.log.append("clean")

    def done(self, context: bpy.types.Context) -> None:
        self.log.append("done")

    def begin(self) -> "Toy":
        """As invoke does in a window."""
        self._job = jobs.start(self.steps(bpy.context))
        return self


def test_a_script_gets_all_steps_at_once() -> None:
    toy = Toy()
    assert toy.execute(bpy.context) == {"FINISHED"}
    assert toy.log == ["step"] * 3 + ["clean"]
    assert jobs.current() is None


def test_without_a_window_invoke_is_execute() -> None:
    toy = Toy()
    assert toy.invoke(bpy.context, TICK) == {"FINISHED"}
    assert toy.log.count("clean") == 1


@pytest.mark.parametrize("error", [UserError("mend this"), NotReached("only so far")])
def test_what_the_user_can_mend_is_one_line(error: Exception) -> None:
    toy = Toy(1, error)
    assert toy.execute(bpy.context) == {"CANCELLED"}
    assert toy.log[1:] == ["clean", f"ERROR: {error}"]
    toy = Toy(1, error).begin()
    assert toy.modal(bpy.context, TICK) == {"CANCELLED"}
    assert toy.log[1:] == ["clean", f"ERROR: {error}"]
    assert jobs.current() is None


@pytest.mark.parametrize("error", [ValueError("a defect"), KeyboardInterrupt()])
def test_anything_else_is_raised_after_cleaning_up(error: BaseException) -> None:
    for run in (Toy.execute, lambda toy, context: toy.begin().modal(context, TICK)):
        toy = Toy(1, error)
        with pytest.raises(type(error)):
            run(toy, bpy.context)
        assert toy.log == ["step", "clean"]
        assert jobs.current() is None


def test_esc_cleans_up_and_says_so() -> None:
    toy = Toy(10**9).begin()
    assert toy.modal(bpy.context, TICK) == {"PASS_THROUGH"}
    assert "step" in toy.log
    assert toy.modal(bpy.context, ESC) == {"CANCELLED"}
    assert toy.log[-2:] == ["clean", "INFO: Stopped; nothing was changed"]
    assert jobs.current() is None


def test_a_slice_is_as_long_as_it_may_be() -> None:
    """Short steps share one, and a long one is not followed by another."""
    toy = Toy(1000).begin()
    assert toy.modal(bpy.context, TICK) == {"FINISHED"}
    assert toy.log[-2:] == ["clean", "done"]
    toy = Toy(2).begin()
    assert jobs.current().advance(0.0)
    assert toy.log == ["step"]


def test_only_one_job_at_a_time() -> None:
    first = Toy().begin()
    assert not JobOperator.poll.__func__(SimpleNamespace(poll_message_set=str), bpy.context)
    second = Toy()
    assert second.execute(bpy.context) == {"CANCELLED"}
    assert second.log == [
        "ERROR: 'Preparing' is still running: wait for it, or stop it by Esc"
    ]  # its steps never began
    assert jobs.current() is first._job
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.facegen.generate_variety(count=1, distribution="prior")


@pytest.mark.parametrize("end", ["file", "unregister", "undo", "cancel"])
def test_whatever_replaces_its_objects_ends_it(end: str) -> None:
    toy = Toy(10**9).begin()
    toy.modal(bpy.context, TICK)
    if end == "file":
        bpy.ops.wm.read_homefile(use_empty=True)
    elif end == "unregister":
        facegen_addon.unregister()
        facegen_addon.register()
    elif end == "undo":
        for handler in tuple(bpy.app.handlers.undo_pre):
            handler(bpy.context.scene, None)
    else:
        toy.cancel(bpy.context)
    assert toy.log.count("clean") == 1
    assert jobs.current() is None
    assert toy.modal(bpy.context, TICK) == {"CANCELLED"}
    other = Toy(10**9).begin()
    toy.cancel(bpy.context)  # of a job that is over: leaves the next one alone
    assert jobs.current() is other._job


def test_progress_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now)
    running = jobs.start(iter_progress(("A", 0, 0), ("B", 0, 8), ("B", 2, 8), ("B", 8, 8)))
    assert (running.text, running.factor, running.eta_seconds) == ("Preparing", 0.0, None)
    running.step()
    assert running.text == "A"
    running.step()
    assert running.text == "B 0 of 8"
    now += 20.0
    running.step()
    assert running.eta_seconds == pytest.approx(60.0)
    assert running.text == "B 2 of 8, 1 min 00 s"
    running.step()
    assert (running.text, running.factor) == ("B 8 of 8", 1.0)


def test_the_first_step_of_a_stage_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now)
    running = jobs.start(iter_progress(("A", 1, 1), ("B", 1, 4)))
    running.step()
    now += 5.0
    running.step()
    assert running.eta_seconds == pytest.approx(15.0)


def iter_progress(*steps: tuple[str, int, int]) -> Iterator[Progress]:
    yield from (Progress(*step) for step in steps)


def _box(kind: str, x: int, y: int, width: int, height: int) -> SimpleNamespace:
    return SimpleNamespace(type=kind, x=x, y=y, width=width, height=height)


VIEW = SimpleNamespace(
    type="VIEW_3D", regions=[_box("WINDOW", 0, 0, 400, 300), _box("UI", 300, 0, 100, 300)]
)
TEXT = SimpleNamespace(type="TEXT_EDITOR", regions=[_box("WINDOW", 400, 0, 100, 300)])
SCREEN = SimpleNamespace(screen=SimpleNamespace(areas=[VIEW, TEXT]))


@given(x=st.integers(-10, 510), y=st.integers(-10, 310))
def test_only_the_view_itself_may_be_looked_around_in(x: int, y: int) -> None:
    assert jobs.over_view([VIEW, TEXT], x, y) == (0 <= x < 300 and 0 <= y < 300)


@pytest.mark.parametrize(
    ("kind", "ctrl", "x", "harmless"),
    [
        ("MIDDLEMOUSE", False, 10, True),
        ("MIDDLEMOUSE", True, 10, True),  # zooms
        ("WHEELUPMOUSE", False, 350, False),  # over the sidebar's values
        ("NUMPAD_1", False, 10, True),
        ("NUMPAD_0", True, 10, False),  # chooses the scene's camera
        ("NUMPAD_1", True, 10, False),
        ("Z", True, 10, False),
        ("LEFTMOUSE", False, 10, False),
        ("TIMER0", False, 350, True),
        ("WINDOW_DEACTIVATE", False, 350, True),
    ],
)
def test_what_a_running_job_lets_through(kind: str, ctrl: bool, x: int, harmless: bool) -> None:
    event = SimpleNamespace(type=kind, value="PRESS", ctrl=ctrl, alt=False, mouse_x=x, mouse_y=9)
    assert jobs.is_harmless(SCREEN, event) == harmless
    toy = Toy().begin()
    expected = {"PASS_THROUGH"} if harmless else {"RUNNING_MODAL"}
    assert toy.modal(SCREEN, event) == expected
    jobs.stop()


def test_views_are_drawn_anew_only_when_there_is_something_new_to_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A view full of heads takes long to draw, and the work waits for it."""
    drawn: list[str] = []
    monkeypatch.setattr(jobs, "_redraw", lambda manager: drawn.append(job.text))
    job = jobs.start(Progress("Choosing", done, 6) for done in (1, 1, 1, 2, 2))
    monkeypatch.setattr(jobs.Running, "eta_seconds", None)
    while job.advance(0.0):
        pass
    jobs.stop()
    assert drawn == ["Choosing 1 of 6", "Choosing 2 of 6"]


def test_a_job_is_drawn_as_two_rows() -> None:
    shown: list[str] = []
    column = SimpleNamespace(
        progress=lambda factor, text: shown.append(text), label=lambda text: shown.append(text)
    )
    aligned: list[bool] = []

    def new_column(align: bool) -> SimpleNamespace:
        aligned.append(align)
        return column

    layout: Any = SimpleNamespace(column=new_column)
    assert not jobs.draw(layout)
    jobs.start(Progress("Choosing", 0, 0) for _ in range(1))
    try:
        assert jobs.draw(layout) and jobs.draw(layout, align=False)
    finally:
        jobs.stop()
    assert shown == ["Preparing", "Esc stops"] * 2 and aligned == [True, False]
