# SPDX-License-Identifier: GPL-3.0-or-later
"""How a farm shares a machine out: render processes, threads of each, and what is known of it.

The fastest layout is found by trying (calibrate.py) and kept in the user's folder, a file for each
kind of machine, device and version. It never changes a byte of a run.
"""

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from batch.dataset.machine import describe_processor, usable_cores, usable_memory
from batch.dataset.versions import blender_version
from batch.lock import take
from batch.results import facegen_version
from facegen_addon.atomic_file import replacing
from facegen_addon.errors import UserError
from facegen_addon.user_folder import user_folder

logger = logging.getLogger("facegen_addon.farm")

MOST_PROCESSES = 8
"""Unless tried, or told otherwise: each takes about half a gigabyte."""
MOST_TRIED = 64
_MEMORY = 1.3e9  # bytes: a render process of images of 1024 pixels, and its share of the farm's
_THREADS_TRIED = (1, 2, 4, 8)
_MARGIN = 1.03  # by which a layout has to be faster than the rule's: less is chance


@dataclass(frozen=True)
class Layout:
    """Render processes, and threads of each."""

    workers: int
    threads: int

    def __str__(self) -> str:
        processes = "1 process" if self.workers == 1 else f"{self.workers} processes"
        return f"{processes} of {self.threads} thread{'s' if self.threads > 1 else ''}"


Rates = Mapping[Layout, float]
"""Heads a second of the layouts that were tried, the rule's first."""


def rule(cores: int, workers: int | None = None, threads: int | None = None) -> Layout:
    """The layout where nothing was tried: a process a core, 8 at most, which share the cores out.

    workers, threads: where they are given.
    """
    workers = workers or min(cores, MOST_PROCESSES)
    return Layout(workers, threads or max(1, cores // workers))


def layouts_to_try(cores: int, memory: int | None) -> list[Layout]:
    """The rule's layout, and others that may be faster, on so many cores and bytes of memory.

    Of one core there is no other.
    """
    most = MOST_PROCESSES if memory is None else max(1, int(memory / _MEMORY))
    most = min(most, MOST_TRIED)
    # One process too few for the cores hides nothing; a thread too many may fill what is idle.
    shared = [Layout(cores // n, n) for n in _THREADS_TRIED if n <= cores]
    others = [*shared, Layout(cores, 2)] if cores > 1 else []
    fitting = [layout for layout in others if layout.workers <= most]
    return list(dict.fromkeys([rule(cores), *fitting]))


def fastest(rates: Rates) -> Layout:
    """The fastest layout; the first one where none is faster by more than chance."""
    first = next(iter(rates))
    best = max(rates, key=lambda layout: rates[layout])
    return best if rates[best] > _MARGIN * rates[first] else first


class LayoutMemory:
    """What is known of the fastest layout on this kind of machine, rendering on `device`."""

    def __init__(self, device: str) -> None:
        self.facts = {
            **describe_processor(),
            "device": device,
            "Blender": blender_version(),
            "FaceGen": facegen_version(),
        }
        key = hashlib.sha256(json.dumps(self.facts, sort_keys=True).encode()).hexdigest()
        self.path = user_folder() / "layouts" / f"{key[:16]}.json"

    def recall(self) -> Layout | None:
        """The layout that was kept; None where none was, or what was kept makes no sense here."""
        try:
            kept: Any = json.loads(self.path.read_text(encoding="utf-8"))
            if kept["machine"] != self.facts:
                return None
            found = Layout(**kept["layout"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        # Memory may be less by now, and files can be edited.
        known = layouts_to_try(usable_cores(), usable_memory())
        return next((layout for layout in known if layout == found), None)

    def keep(self, rates: Rates) -> None:
        """Keep the fastest; where the disk refuses, a notice says so and the run goes on."""
        tried = [asdict(layout) | {"heads_per_second": round(r, 4)} for layout, r in rates.items()]
        kept = {"machine": self.facts, "layout": asdict(fastest(rates)), "tried": tried}
        try:
            with replacing(self.path) as partial:
                partial.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        except UserError as error:
            logger.warning("the layout is not kept for later runs: %s", error)

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether no other process is trying layouts meanwhile; as long as the block lasts."""
        stream = self._lock()
        if stream is None:  # nothing can be kept there either
            yield True
            return
        with stream:
            yield take(stream) is not False

    def _lock(self) -> IO[str] | None:
        path: Path = self.path.with_suffix(".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("a", encoding="utf-8")
        except OSError:
            return None
