# SPDX-License-Identifier: GPL-3.0-or-later
"""A render process without Blender, for tests: images made of noise, and harm done on demand.

python -m tests.dataset.fake_worker [--die-at INDEX] [--die-from INDEX]
               [--die-once-at INDEX FILE] [--die-telling INDEX]
               [--hang-at INDEX] [--never-start] [--break-at INDEX] [--hide-face-at INDEX]
               [--slow SECONDS]
"""

import argparse
import os
import pickle
import signal
import struct
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from batch.dataset.messages import PIPE_VARIABLE, Begun, Broken, Done, Job, Ready
from facegen_addon.labels.camera import Camera
from facegen_addon.png import encode_png

SIZE = 16
MIDDLE = (0.0, -0.1, 0.0)


def rendered(job: Job, shows_face: bool = True) -> Done:
    """What a job looks like: noise that depends on all that the job says."""
    shot = job.shot
    seed = [shot.seed, int(1e6 * abs(shot.parameters).sum())]
    image = np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    return Done(
        index=job.index,
        attempt=job.attempt,
        image=image,
        image_file=encode_png(image),
        camera=Camera.of(shot.view, MIDDLE, SIZE, SIZE),
        points=np.array([[4.0, 5], [11, 5], [8, 8], [5, 11], [10, 11]]),
        box=(2.0, 2.0, 14.0, 14.0),
        shows_face=shows_face,
        labels=[],
        check=None,
    )


def main() -> None:
    """Serve the farm."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--die-at", type=int)
    parser.add_argument("--die-from", type=int, default=sys.maxsize)
    parser.add_argument("--die-once-at", nargs=2, default=(None, None))
    parser.add_argument("--die-telling", type=int)
    parser.add_argument("--hang-at", type=int)
    parser.add_argument("--break-at", type=int)
    parser.add_argument("--hide-face-at", type=int)
    parser.add_argument("--never-start", action="store_true")
    parser.add_argument("--slow", type=float, default=0.0)
    wanted = parser.parse_args()
    pipe = Connection(int(os.environ[PIPE_VARIABLE]))
    pipe.recv()
    if wanted.never_start:
        sys.exit("no room for Blender")
    pipe.send(Ready("CPU"))
    once, mark = wanted.die_once_at
    while True:
        try:
            job: Job = pipe.recv()
            pipe.send(Begun(job.index))
            if once is not None and job.index == int(once) and not Path(mark).exists():
                Path(mark).touch()
                os.kill(os.getpid(), signal.SIGSEGV)
            if job.index == wanted.die_at or job.index >= wanted.die_from:
                os.kill(os.getpid(), signal.SIGSEGV)
            if job.index == wanted.die_telling:
                message = pickle.dumps(rendered(job))
                os.write(pipe.fileno(), struct.pack("!i", len(message)) + message[:100])
                os.kill(os.getpid(), signal.SIGKILL)
            if job.index == wanted.hang_at:
                time.sleep(600)
            if job.index == wanted.break_at:
                pipe.send(Broken("forest.hdr cannot be read: give another picture"))
            time.sleep(wanted.slow)
            pipe.send(rendered(job, shows_face=job.index != wanted.hide_face_at))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


if __name__ == "__main__":
    main()
