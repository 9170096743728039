# SPDX-License-Identifier: GPL-3.0-or-later
"""A render process of the farm: takes jobs from its pool until that closes.

While Blender renders a sample, a thread makes the labels of the one before, checks and encodes
them.
"""

import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from batch.dataset.members import label_members
from batch.dataset.messages import Done, Job, SetUp
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.labels.label_check import check_labels
from facegen_addon.png import encode_png
from facegen_addon.scene.render.sample_renderer import (
    Exposed,
    Rendered,
    SampleRenderer,
    SampleSettings,
)
from facegen_addon.terminal.pool_worker import PoolPipe, Task, serve_pool


def main(arguments: Sequence[str]) -> int:
    """Serve the farm that started this process; the exit status."""
    return serve_pool(serve, "`dataset make`")


def serve(pipe: PoolPipe) -> None:
    """Answer jobs until the pipe closes."""
    from facegen_addon.scene.render.devices import use_device

    set_up: SetUp = pipe.set_up
    settings = SampleSettings(**set_up.settings)
    model = load_head_model(set_up.model)
    with SampleRenderer(model, settings, dense=set_up.dense, pictures=set_up.pictures) as renderer:
        pipe.ready(use_device(settings.device))
        with _finisher(pipe) as finisher:
            for task in pipe.tasks():
                finisher.take(task, renderer.expose(task.content.shot))


class _Finisher:
    """Labels, encodes and sends samples, one behind the renderer."""

    def __init__(self, pipe: PoolPipe) -> None:
        self._pipe = pipe
        self._pool = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def take(self, task: Task, exposed: Exposed) -> None:
        """Finish a sample while the next one renders; waits for the one before."""
        self.wait()
        self._last = self._pool.submit(self._finish, task, exposed)

    def wait(self) -> None:
        """Wait for the last sample, whose errors appear here."""
        if self._last is not None:
            self._last.result()

    def _finish(self, task: Task, exposed: Exposed) -> None:
        try:
            done = finished(task.content, exposed.labelled())
        except Exception:
            traceback.print_exc()
            self._pipe.end_by(task)
        self._pipe.answer(task, done)

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=True)


@contextmanager
def _finisher(pipe: PoolPipe) -> Iterator[_Finisher]:
    finisher = _Finisher(pipe)
    try:
        yield finisher
    finally:
        finisher.close()


def finished(job: Job, rendered: Rendered) -> Done:
    """The message to the farm about a rendered sample."""
    labels: list[tuple[str, bytes]] = []
    check: dict[str, Any] | None = None
    if rendered.maps is not None and rendered.landmarks is not None:
        labels = list(label_members(rendered.maps, rendered.landmarks).items())
        if job.checked:
            found = check_labels(rendered.maps, rendered.camera, rendered.landmarks)
            check = {
                "problems": list(found.problems),
                "worst_depth_mm": round(float(found.worst_depth_mm), 4),
            }
    return Done(
        index=job.index,
        attempt=job.attempt,
        image=rendered.image,
        image_file=rendered.encoded or encode_png(rendered.image),
        camera=rendered.camera,
        points=rendered.points,
        box=rendered.box,
        shows_face=rendered.shows_face,
        labels=labels,
        check=check,
    )
