# SPDX-License-Identifier: GPL-3.0-or-later
"""Small products in one thread.

NumPy's OpenBLAS shares even small products out among threads that wait for one another by spinning,
so that on busy cores thousands of them take minutes. Blender has begun those threads before any
add-on is asked, and OPENBLAS_NUM_THREADS comes too late: the library's own functions do not.

It also gives the sums the bits that they have on the command line, which sets that variable to 1.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

_NAMES = tuple(
    f"{prefix}openblas_{{}}_num_threads{suffix}"
    for prefix in ("", "scipy_")
    for suffix in ("", "64_", "_64", "64")
)
"""What builds of OpenBLAS call its functions."""


class _Threads(NamedTuple):
    """OpenBLAS's functions that tell, and set, how many threads it uses."""

    get: Any
    set: Any


_lock = Lock()
_inside = 0
_usual = 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Have NumPy's OpenBLAS use one thread, for all of the process, as long as the block lasts.

    Blocks may lie within one another and be entered by several threads: the last to end puts the
    number back. Without OpenBLAS, as in Blender's own builds and on macOS, nothing happens.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def thread_count() -> int | None:
    """How many threads NumPy's OpenBLAS uses; None where NumPy has another BLAS, or none."""
    threads = _openblas()
    return None if threads is None else int(threads.get())


def _enter() -> None:
    global _inside, _usual
    threads = _openblas()
    with _lock:
        if threads is not None and not _inside:
            _usual = threads.get()
            threads.set(1)
        _inside += 1


def _leave() -> None:
    global _inside
    threads = _openblas()
    with _lock:
        _inside -= 1
        if threads is not None and not _inside:
            threads.set(_usual)


@functools.cache
def _openblas() -> _Threads | None:
    """The functions of the OpenBLAS that NumPy has loaded; None if it is not there."""
    for file in _files():
        try:
            library = ctypes.CDLL(str(file))  # loaded already: no more than a handle
        except OSError:
            continue
        for name in _NAMES:
            found = [getattr(library, name.format(what), None) for what in ("get", "set")]
            if None not in found:
                return _Threads(*found)
    return None


def _files() -> Iterator[Path]:
    """Libraries in whose names OpenBLAS's functions may be looked up."""
    if os.name == "nt":  # a module tells only of its own functions there
        yield from Path(np.__file__).parents[1].glob("numpy.libs/*openblas*")
        return
    module = sys.modules.get("numpy.linalg._umath_linalg")
    if module is not None and module.__file__:
        yield Path(module.__file__)
