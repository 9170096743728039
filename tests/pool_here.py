# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Pool that does jobs in this process, as their worker would."""

import pickle
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

from facegen_addon.terminal.pool import Answered
from facegen_addon.terminal.pool_worker import Prepare, Steps


class PoolHere:
    """Takes the place of the class: calling it gives itself. prepare: of the worker's.

    What goes over the pipe is pickled; `command`, `size` and `jobs` tell what it was asked for.
    """

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self.command: Sequence[str] = ()
        self.size = 0
        self.set_up: Any = None
        self.jobs: list[Any] = []
        self._steps: list[Steps] = []

    def __call__(self, command: Sequence[str], size: int, set_up: Any) -> "PoolHere":
        self.command, self.size, self.set_up = command, size, _through_a_pipe(set_up)
        return self

    def __enter__(self) -> "PoolHere":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def step(self, count: int = 1) -> None:
        """As a worker's pipe has it."""
        self._steps.append(Steps(count))

    def work_off(self, jobs: Iterable[Any]) -> Iterator[Answered | Steps]:
        """As Pool does it, one job after the other."""
        with self._prepare(self) as answer:  # type: ignore[arg-type]
            for job in jobs:
                self.jobs.append(job)
                found = answer(_through_a_pipe(job))
                yield from self._steps
                self._steps.clear()
                yield Answered(job, _through_a_pipe(found))


def _through_a_pipe(message: Any) -> Any:
    return pickle.loads(pickle.dumps(message))
