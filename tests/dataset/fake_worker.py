# SPDX-License-Identifier: GPL-3.0-or-later
"""A render process without Blender, for tests: images made of noise, and harm done on demand.

python -m tests.dataset.fake_worker [--hide-face-at INDEX], and what
tests/terminal/fake_worker.py takes
"""

from functools import partial

import numpy as np

from batch.dataset.messages import Done, Job
from facegen_addon.labels.camera import Camera
from facegen_addon.png import encode_png
from tests.terminal.fake_worker import FakeWorker, make_parser

SIZE = 16
MIDDLE = (0.0, -0.1, 0.0)


def rendered(job: Job, faceless: int | None) -> Done:
    """What a job looks like: noise that depends on all that the job says; one shows no face."""
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
        shows_face=job.index != faceless,
        labels=[],
        check=None,
    )


def main() -> None:
    """Serve the farm."""
    parser = make_parser()
    parser.add_argument("--hide-face-at", type=int)
    wanted = parser.parse_args()
    FakeWorker(wanted, partial(rendered, faceless=wanted.hide_face_at), lambda j: j.index).serve()


if __name__ == "__main__":
    main()
