# SPDX-License-Identifier: GPL-3.0-or-later
"""What buttons and sliders compute is computed in one thread: on busy cores, threads wait for one
another."""

from collections.abc import Iterator

import bpy
import pytest

from facegen_addon.blas_threads import thread_count
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.person.head import PersonLook
from facegen_addon.scene.head import completion
from facegen_addon.ui import jobs, properties, warm_up
from facegen_addon.ui.jobs import Progress
from tests.two_threads import two_threads  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("two_threads")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """How many threads there were whenever `person`'s vertices or strands were computed."""
    counts: list[int | None] = []
    for owner, name in ((HeadModel, "incremental_forward"), (PersonLook, "grow")):
        original = getattr(owner, name)

        def counted(*arguments: object, original=original) -> object:
            counts.append(thread_count())
            return original(*arguments)

        monkeypatch.setattr(owner, name, counted)
    return counts


def test_buttons(seen: list[int | None]) -> None:
    bpy.ops.facegen.new_face(model="person", seed=1, distribution="prior")
    assert set(seen) == {1}
    assert thread_count() == 2


def test_sliders_and_what_follows_later(seen: list[int | None]) -> None:
    bpy.ops.facegen.add_head(model="person", subdivision=0)
    values = properties.sliders_of(bpy.context.active_object)
    assert values is not None
    values.age = 0.8
    seen.clear()
    completion.set_waiting(True)
    try:
        values.age = 0.7
        assert not seen
        completion.complete_all()
    finally:
        completion.set_waiting(False)
    values.age = 0.6
    assert len(seen) > 1
    assert set(seen) == {1}


def test_each_step_of_a_job() -> None:
    counts = []

    def steps() -> Iterator[Progress]:
        for number in range(2):
            counts.append(thread_count())
            yield Progress("Counting", number, 2)
            counts.append(thread_count())

    job = jobs.start(steps())
    job.step()
    assert thread_count() == 2, "between two steps Blender and other add-ons have their own"
    jobs.stop()
    jobs.run_through(steps())
    assert set(counts) == {1}


def test_preparing(seen: list[int | None]) -> None:
    warm_up.prepare("person")
    assert set(seen) == {1}
