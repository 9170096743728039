# SPDX-License-Identifier: GPL-3.0-or-later
"""A render process of the farm: takes jobs from a pipe until it closes.

While Blender renders a sample, a thread encodes the one before and checks its labels.
"""

import os
import threading
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from batch.dataset.members import label_members
from batch.dataset.messages import PIPE_VARIABLE, Begun, Broken, Done, Job, Ready, SetUp
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.labels.label_check import check_labels
from facegen_addon.png import encode_png
from facegen_addon.scene.render.sample_renderer import Rendered, SampleRenderer, SampleSettings
from facegen_addon.terminal.remedies import explain
from facegen_addon.terminal.silence import blender_silent


def main(arguments: Sequence[str]) -> int:
    """Serve the farm that started this process; the exit status."""
    if PIPE_VARIABLE not in os.environ:
        raise UserError("render-worker is started by `dataset make`: run that")
    pipe = Connection(int(os.environ[PIPE_VARIABLE]))
    # The farm is gone: nobody waits for the rest, and nothing is left to be cleaned.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            serve(pipe)
        except UserError as error:
            pipe.send(Broken(explain(error)))
    return 0


def serve(pipe: Connection) -> None:
    """Answer jobs until the pipe closes (EOFError)."""
    from facegen_addon.scene.render.head_renderer import compute_device

    set_up: SetUp = pipe.recv()
    settings = SampleSettings(**set_up.settings)
    model = load_head_model(set_up.model)
    with (
        blender_silent() as chatter,
        SampleRenderer(model, settings, dense=set_up.dense, pictures=set_up.pictures) as renderer,
    ):
        pipe.send(Ready(compute_device() if settings.device == "auto" else "CPU"))
        with _finisher(pipe) as finish:
            while True:
                job: Job = pipe.recv()
                finish.tell(Begun(job.index))
                rendered = renderer.render(job.shot)
                chatter.forget()
                finish.take(job, rendered)


class _Finisher:
    """Encodes and sends rendered samples, one behind the renderer."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._lock = pipe, threading.Lock()
        self._pool = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def tell(self, message: object) -> None:
        """Send a message; two threads do."""
        with self._lock:
            self._pipe.send(message)

    def take(self, job: Job, rendered: Rendered) -> None:
        """Finish a sample while the next one renders; waits for the one before."""
        self.wait()
        self._last = self._pool.submit(self._finish, job, rendered)

    def wait(self) -> None:
        """Wait for the last sample, whose errors appear here."""
        if self._last is not None:
            self._last.result()

    def _finish(self, job: Job, rendered: Rendered) -> None:
        try:
            done = finished(job, rendered)
        except Exception:
            self._end_by(job)
        self.tell(done)

    def _end_by(self, job: Job) -> NoReturn:
        """End this process by what a sample raised, though the next one has begun since."""
        traceback.print_exc()
        with self._lock:
            self._pipe.send(Begun(job.index))
            os._exit(1)

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=True)


@contextmanager
def _finisher(pipe: Connection) -> Iterator[_Finisher]:
    finisher = _Finisher(pipe)
    try:
        yield finisher
    finally:
        finisher.close()


def finished(job: Job, rendered: Rendered) -> Done:
    """What the farm hears of a rendered sample."""
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
