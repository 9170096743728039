# SPDX-License-Identifier: GPL-3.0-or-later
"""`dataset make` whose F is a clock: what tools.million starts.

Render processes and encoder are stood in for; records are written without indentation, which takes
a tenth of the time, and nothing is flushed to the disk, for it need not outlive a power cut.
"""

import functools
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from batch.dataset import farm, generate
from batch.dataset.messages import Done, Job
from batch.dataset.run_folder import RunFolder, key_of
from batch.dataset.shard_file import SHARD_END, read_shard
from batch.shards import encode_json, encode_npy, tar_members, write_tar
from facegen_addon.arrays import ByteArray, Float32Array, FloatArray
from facegen_addon.labels.camera import Camera
from facegen_addon.latent.checked import LATENT_SIZE
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.sphere import cosine_distance, normalise
from facegen_addon.png import encode_png
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.pool import Answered, WorkerState
from facegen_addon.terminal.process import run_process, status_of

SIZE = 64
"""Side of the images, pixels."""
VIEWS = 10
"""Images of each head."""
_FACE = np.array([[24, 28], [40, 28], [32, 36], [27, 44], [37, 44]], np.float64)
_BOX = (20.0, 18.0, 44.0, 50.0)
_OWN = ("key", "index", "seed", "identity", "view_number", "cosine_distance")
"""Of a record, what each copy of a sample has of its own."""
_AT_ONCE = 64  # jobs
_UNLIKE = 0.4  # how far an image's latent is from its head's, before both are normalised


class ClockPool:
    """In place of the farm's render processes: answers all at once, each by an image that has its
    number written in the first pixels."""

    facts = "CPU"
    states: Sequence[WorkerState] = ()

    def __init__(self, *arguments: Any) -> None:
        self._jobs: list[Job] = []

    def __enter__(self) -> "ClockPool":
        return self

    def __exit__(self, *exception: Any) -> None:
        pass

    @property
    def wants(self) -> int:
        """Number of jobs that can be given now."""
        return _AT_ONCE - len(self._jobs)

    def give(self, job: Job) -> None:
        """Take a job."""
        self._jobs.append(job)

    def hear(self) -> Iterator[Answered]:
        """Answers to all jobs."""
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            yield Answered(job, _done(job))


def _done(job: Job) -> Done:
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[0, :4, 0] = np.frombuffer(job.index.to_bytes(4, "big"), np.uint8)
    return Done(
        index=job.index,
        attempt=job.attempt,
        image=image,
        image_file=encode_png(image),
        camera=Camera.of(job.shot.view, np.zeros(3), SIZE, SIZE),
        points=_FACE,
        box=_BOX,
        shows_face=True,
        labels=[],
        check=None,
    )


class ClockEncoder:
    """In place of the encoder: faces as different as real ones, those of one head alike."""

    latent_size = LATENT_SIZE

    def __init__(self, *arguments: Any) -> None:
        self._natural = NaturalFaces.load()
        self._face = functools.lru_cache(_AT_ONCE)(self._drawn)

    def latents(
        self,
        images: Sequence[Annotated[ByteArray, "_ _ 3"]],
        points: Sequence[Annotated[FloatArray, "5 2"]],
    ) -> list[Annotated[Float32Array, "D"] | None]:
        """A latent of each image, by the number written in it."""
        return [self.latent(int.from_bytes(image[0, :4, 0].tobytes(), "big")) for image in images]

    def latent(self, index: int) -> Annotated[Float32Array, "D"]:
        """The latent of an image by its number."""
        noise = random_stream("clock", index).standard_normal(LATENT_SIZE)
        latent = normalise(self._face(index // VIEWS) + _UNLIKE * normalise(noise))
        return latent.astype(np.float32)

    def _drawn(self, identity: int) -> FloatArray:
        return self._natural.sample(random_stream("clock's face", identity), 1)[0]


class Copied(NamedTuple):
    """A sample that is copied: its members, its requested latent (D,), and its record without what
    each copy has of its own, as JSON without the brace that opens it."""

    members: dict[str, bytes]
    requested: Float32Array
    record: str


def copy_shards(folders: Sequence[Path]) -> None:
    """Complete a run whose first shards lie in these folders, one in each: copies under other
    numbers, with other achieved latents, dealt out in turn."""
    runs = [RunFolder.open(folder) for folder in folders]
    sources = [list(_copied(run.tar(number))) for number, run in enumerate(runs)]
    encoder = ClockEncoder()
    for shard in range(len(runs), runs[0].shard_count):
        number = shard % len(runs)
        _copy_shard(runs[number], number, shard, sources[number], encoder)


def _copied(shard: Path) -> Iterator[Copied]:
    for _, members in read_shard(shard):
        parts = dict(members)
        record = json.loads(parts["json"])
        for name in _OWN:
            del record[name]
        requested = np.load(io.BytesIO(parts["requested.npy"]))
        yield Copied(parts, requested, json.dumps(record)[1:])


def _copy_shard(
    run: RunFolder, source: int, target: int, samples: Sequence[Copied], encoder: ClockEncoder
) -> None:
    indices = run.indices(target)
    pairs = zip(indices, samples, strict=False)
    parts = (_renumbered(run, index, sample, encoder) for index, sample in pairs)
    digest = write_tar(run.tar(target), parts, end=SHARD_END)
    former = json.loads(run.sidecar(source).read_text())
    sidecar = former | {
        "shard": target,
        "file": run.tar(target).name,
        "bytes": run.tar(target).stat().st_size,
        "sha256": digest,
        "samples": [{"key": key_of(i), "index": i, "attempt": 0} for i in indices],
    }
    run.sidecar(target).write_bytes(encode_json(sidecar))


def _renumbered(run: RunFolder, index: int, sample: Copied, encoder: ClockEncoder) -> bytes:
    key, achieved = key_of(index), encoder.latent(index)
    own = (
        key,
        index,
        [run.request["seed"], index, 0],
        index // VIEWS,
        index % VIEWS,
        float(cosine_distance(sample.requested, achieved)),
    )
    record = f"{json.dumps(dict(zip(_OWN, own, strict=True)))[:-1]}, {sample.record}"
    members = {**sample.members, "json": record.encode(), "achieved.npy": encode_npy(achieved)}
    return tar_members((f"{key}.{suffix}", data) for suffix, data in members.items())


def main(arguments: Sequence[str]) -> int:
    """`make ...`: `dataset make`; `copy FOLDER ...`: the rest of its shards. The exit status."""
    os.fsync = lambda fd: None
    if arguments[0] == "copy":
        copy_shards(list(map(Path, arguments[1:])))
        return 0
    makes: Any = generate
    makes.render_pool, makes.BatchEncoder = ClockPool, ClockEncoder
    keeps: Any = farm
    keeps.encode_json = lambda record: json.dumps(record).encode()
    return status_of(lambda: generate.main(arguments[1:]))


if __name__ == "__main__":
    run_process(lambda: main(sys.argv[1:]))
