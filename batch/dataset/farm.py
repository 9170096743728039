# SPDX-License-Identifier: GPL-3.0-or-later
"""The farm of one machine: render processes, one encoder, shards that lose nothing."""

import hashlib
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batch.command_line import worker_command
from batch.dataset.batch_encoder import BatchEncoder
from batch.dataset.latents import latent_members
from batch.dataset.messages import Done, Job, SetUp
from batch.dataset.plan import BLOCK, Plan, sample_seed
from batch.dataset.recipe import Recipe
from batch.dataset.record import NONE, describe_check, describe_shot
from batch.dataset.run_folder import RunFolder, key_of
from batch.dataset.shard_work import ShardWork
from batch.dataset.status import Status
from batch.shards import encode_json
from facegen_addon.arrays import RealArray
from facegen_addon.errors import UserError
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.terminal.pool import TRIES, Answered, Death, Pool

MOST_IN_A_ROW = 5
"""Samples that may be given up so with no answer in between: more, and it is not the samples."""


def render_pool(
    size: int,
    set_up: SetUp,
    log_folder: Path,
    timeout: float,
    command: Sequence[str] | None = None,
) -> Pool:
    """A farm's render processes, for a `with`; arguments as of Pool, `command` for tests."""
    return Pool(
        command or worker_command(["render-worker"]),
        size,
        set_up,
        log_folder=log_folder,
        timeout=timeout,
        in_flight=2,  # one rendering, one waiting
        threads=int(set_up.settings.get("threads", 0)),
    )


def render_settings(recipe: Recipe, device: str, threads: int) -> dict[str, Any]:
    """Settings of the images for the render processes: arguments of SampleSettings."""
    image = recipe.image
    return {
        "engine": image.engine,
        "samples": image.samples,
        "width": image.size[0],
        "height": image.size[1],
        "device": device,
        "threads": threads,
        "labels": recipe.labels.on,
        "image_format": image.format.upper(),
        "quality": image.quality,
    }


@dataclass
class Farm:
    """Makes shards of a run.

    plan: what the samples are; encoder: F's last part; versions: facts for the records.
    """

    run: RunFolder
    plan: Plan
    encoder: BatchEncoder
    versions: Mapping[str, Any]
    status: Status
    _crashes: Counter[int] = field(default_factory=Counter)
    _in_a_row: int = 0

    def make(self, shards: Sequence[int], pool: Pool) -> None:
        """Make these shards by the processes of `render_pool`.

        UserError for what the user has to put right; all that was finished stays.
        """
        pending = deque(shards)
        open_shards: dict[int, ShardWork] = {}
        with ThreadPoolExecutor(1) as thinker:
            jobs = _Queue(self.plan, thinker)
            try:
                while pending or open_shards:
                    self._refill(jobs, pending, open_shards, pool)
                    self._hear(jobs, open_shards, pool)
                    self._close(open_shards, pool)
                    self.status.show(pool.states)
            finally:
                for work in open_shards.values():
                    work.close()

    def _refill(
        self, jobs: "_Queue", pending: deque[int], open_shards: dict[int, ShardWork], pool: Pool
    ) -> None:
        """Give the pool all it can take, opening one shard after the other."""
        wanted = pool.wants
        while len(jobs) <= wanted and pending:
            number = pending.popleft()
            work = open_shards[number] = ShardWork(self.run, number)
            missing = work.missing
            self.status.found(len(self.run.indices(number)) - len(missing))
            jobs.extend(missing)
        for _ in range(wanted):
            job = jobs.take()
            if job is None:
                return
            pool.give(job)

    def _hear(self, jobs: "_Queue", open_shards: dict[int, ShardWork], pool: Pool) -> None:
        done: list[Done] = []
        for message in pool.hear():
            if isinstance(message, Answered):
                done.append(message.answer)
            elif isinstance(message, Death):
                self._died(message, jobs, open_shards)
        if done:
            self._in_a_row = 0
        for one, achieved in zip(done, self._achieved(done), strict=True):
            self._finish(one, achieved, jobs, open_shards)

    def _died(self, death: Death, jobs: "_Queue", open_shards: dict[int, ShardWork]) -> None:
        self.status.died(death.worker, death.reason)
        if death.task is None:
            return
        job: Job = death.task.content
        index, attempt = job.index, job.attempt
        self._crashes[index] += 1
        if self._crashes[index] < TRIES:
            jobs.again(index, attempt)
        else:
            self._give_up(index, attempt, f"the render process: {death.reason}", open_shards, True)
            self._in_a_row += 1
        if self._in_a_row >= MOST_IN_A_ROW:
            raise UserError(
                f"the render processes died on {self._in_a_row} samples in a row, at last so:"
                f" {death.reason}; put that right, then --resume"
            )

    def _give_up(
        self,
        index: int,
        attempt: int,
        reason: str,
        open_shards: dict[int, ShardWork],
        retry: bool,
    ) -> None:
        open_shards[self._shard(index)].failed[index] = {
            "index": index,
            "seed": sample_seed(self.plan.seed, index, attempt),
            "reason": reason,
            "retry": retry,
        }
        self.status.sample(index, "failed", attempt, reason)

    def _achieved(self, done: Sequence[Done]) -> list[RealArray | None]:
        """The encoder's answers to images that came together; None where no face is seen."""
        faces = [one for one in done if one.shows_face]
        found = self.encoder.latents([one.image for one in faces], [one.points for one in faces])
        latents = {one.index: row for one, row in zip(faces, found, strict=True)}
        return [latents.get(one.index) for one in done]

    def _finish(
        self,
        one: Done,
        achieved: RealArray | None,
        jobs: "_Queue",
        open_shards: dict[int, ShardWork],
    ) -> None:
        """Keep or reject a sample."""
        distance = self._distance(one.index, achieved)
        reason = self._problem(one, achieved, distance)
        if reason:
            self._reject(one, reason, jobs, open_shards)
            return
        members = self._members(one, achieved, distance)
        open_shards[self._shard(one.index)].add(one.index, members)
        self.status.sample(one.index, "accepted", one.attempt)

    def _distance(self, index: int, achieved: RealArray | None) -> float | None:
        """Cosine distance from what the head was asked for."""
        requested = self.plan.requested(index)
        if requested is None or achieved is None:
            return None
        return float(cosine_distance(requested, achieved))

    def _problem(self, one: Done, achieved: RealArray | None, distance: float | None) -> str:
        """Why a sample is not accepted; empty if it is."""
        accept = self.plan.recipe.accept
        if accept.face and achieved is None:
            return "the face is turned away or outside the image"
        if distance is not None and distance > accept.roundtrip:
            return f"cosine distance {distance:.3f} from what was asked for"
        if one.check is not None and one.check["problems"]:
            return f"label check: {one.check['problems'][0]}"
        return ""

    def _reject(
        self, one: Done, reason: str, jobs: "_Queue", open_shards: dict[int, ShardWork]
    ) -> None:
        if one.attempt + 1 < self.plan.recipe.accept.attempts:
            self.status.sample(one.index, "rejected", one.attempt, reason)
            jobs.again(one.index, one.attempt + 1)
        else:
            self._give_up(one.index, one.attempt, reason, open_shards, False)

    def _members(
        self, one: Done, achieved: RealArray | None, distance: float | None
    ) -> list[tuple[str, bytes]]:
        """A sample as it stands in its shard."""
        suffix = "jpg" if self.plan.recipe.image.format == "jpeg" else "png"
        requested = self.plan.requested(one.index)
        return [
            (suffix, one.image_file),
            ("json", encode_json(self._record(one, achieved is not None, distance))),
            *latent_members(requested, achieved, self.encoder.latent_size),
            *one.labels,
        ]

    def _record(self, one: Done, face_seen: bool, distance: float | None) -> dict[str, Any]:
        """The record of a sample: everything that made it, as plain data."""
        plan, recipe = self.plan, self.plan.recipe
        shot, table = plan.shot(one.index, one.attempt), plan.model.table
        identity = plan.identity(one.index)
        return {
            "format": self.run.run["format"],
            "key": key_of(one.index),
            "index": one.index,
            "seed": sample_seed(plan.seed, one.index, one.attempt),
            "attempt": one.attempt,
            "identity": identity,
            "view_number": one.index - identity * recipe.heads.views,
            "run": self.run.digest,
            "model": plan.model.name,
            "parameters": dict(zip(table.names, map(float, shot.parameters), strict=True)),
            **describe_shot(shot, one.camera),
            "engine": recipe.image.engine,
            "samples": recipe.image.samples,
            "noise_seed": shot.seed,
            "image": {
                "format": recipe.image.format,
                "sha256": hashlib.sha256(one.image_file).hexdigest(),
            },
            "five_points": one.points.tolist(),
            "face_box": [float(edge) for edge in one.box],
            "face_seen": face_seen,
            "cosine_distance": NONE if distance is None else distance,
            "label_check": describe_check(one.check),
            "versions": self.versions,
        }

    def _close(self, open_shards: dict[int, ShardWork], pool: Pool) -> None:
        for number in [n for n, work in open_shards.items() if not work.missing]:
            work = open_shards.pop(number)
            self.status.shard(work.finish(pool.facts))

    def _shard(self, index: int) -> int:
        return index // int(self.run.request["shard_size"])


class _Queue:
    """Samples to render, in order, those to be tried again first; thought about ahead."""

    def __init__(self, plan: Plan, thinker: ThreadPoolExecutor) -> None:
        self._plan, self._thinker = plan, thinker
        self._waiting: deque[tuple[int, int]] = deque()
        self._thought: Future[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def extend(self, indices: Sequence[int]) -> None:
        """Samples for the first time."""
        self._waiting.extend((index, 0) for index in indices)

    def again(self, index: int, attempt: int) -> None:
        """A sample once more, before all others."""
        self._waiting.appendleft((index, attempt))

    def take(self) -> Job | None:
        """The next job; None if there is none, or its head is still being thought about."""
        if not self._waiting or not self._is_prepared(self._waiting[0][0]):
            return None
        index, attempt = self._waiting.popleft()
        if self._waiting:
            self._is_prepared(self._waiting[min(BLOCK, len(self._waiting)) - 1][0])
        shot = self._plan.shot(index, attempt)
        return Job(index, attempt, shot, self._plan.is_checked(index))

    def _is_prepared(self, index: int) -> bool:
        """Whether a sample can be had at once; if not, its head is thought about from now on."""
        if self._thought is not None and self._thought.done():
            self._thought.result()
            self._thought = None
        if self._plan.is_prepared(index):
            return True
        if self._thought is None:
            self._thought = self._thinker.submit(self._plan.prepare, index)
        return False
