# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine gives this process: cores and memory, less where a container's share is less."""

import contextlib
import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ROOT = Path("/")


def usable_cores(root: Path = _ROOT) -> int:
    """Cores that this process may use, by its affinity and its control group's share.

    root: where the system's files are seen from, for tests.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min([cores, *(math.ceil(share) for share in _core_shares(root))]))


def usable_memory(root: Path = _ROOT) -> int | None:
    """Bytes that this process may use, whatever others have of them; None if nobody says."""
    sizes = []
    with contextlib.suppress(AttributeError, OSError, ValueError):  # Windows has no such thing
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for name in ("memory.max", "memory.limit_in_bytes"):
        sizes += [int(words[0]) for words in _numbers(root, "memory", name)]
    return min(sizes, default=None)


def describe_processor(root: Path = _ROOT) -> dict[str, Any]:
    """Model of the processor, and how many of its cores may be used, as plain data."""
    return {"processor": _processor(root), "cores": usable_cores(root)}


def _processor(root: Path) -> str:
    """Its model in the maker's words where the system tells it, else its kind."""
    with contextlib.suppress(OSError):
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            name, _, model = line.partition(":")
            if name.strip() == "model name":
                return " ".join(model.split())
    return platform.processor() or platform.machine()


def _core_shares(root: Path) -> Iterator[float]:
    """How many cores' time the control groups of this process may use."""
    for words in _numbers(root, "cpu", "cpu.max"):
        if len(words) == 2:
            yield int(words[0]) / int(words[1])
    for folder in _groups(root, "cpu"):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (
                int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period")
            )
            if quota > 0 and period > 0:  # -1: no limit
                yield quota / period


def _numbers(root: Path, controller: str, name: str) -> Iterator[list[str]]:
    """The words of each control group's file of this name, where all of them are numbers."""
    for folder in _groups(root, controller):
        with contextlib.suppress(OSError):
            words = (folder / name).read_text().split()
            if words and all(word.isdecimal() and int(word) for word in words):
                yield words


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the control groups that this process is in, of either version, inner ones first.

    In a container its own group is seen as the root.
    """
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            number, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if number == "0":
                top = root / "sys/fs/cgroup"
            elif controller in controllers.split(","):
                top = root / "sys/fs/cgroup" / controller
            else:
                continue
            below = Path(path.lstrip("/"))
            yield from (top / part for part in (below, *below.parents))
