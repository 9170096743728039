# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenBLAS in one thread, and as it was afterwards."""

from threading import Barrier, Thread

import pytest

from facegen_addon import blas_threads
from facegen_addon.blas_threads import one_thread, thread_count

from .two_threads import two_threads  # noqa: F401 - a fixture


@pytest.mark.usefixtures("two_threads")
def test_blocks_within_one_another() -> None:
    with one_thread():
        assert thread_count() == 1
        with one_thread():
            assert thread_count() == 1
        assert thread_count() == 1
    assert thread_count() == 2


@pytest.mark.usefixtures("two_threads")
def test_an_error_puts_the_number_back() -> None:
    with pytest.raises(ValueError, match="no head"), one_thread():
        raise ValueError("no head")
    assert thread_count() == 2


@pytest.mark.usefixtures("two_threads")
def test_the_last_thread_to_leave_puts_the_number_back() -> None:
    entered, left, seen = Barrier(2, timeout=10), Barrier(2, timeout=10), []

    def first_to_leave() -> None:
        with one_thread():
            entered.wait()
        seen.append(thread_count())
        left.wait()

    other = Thread(target=first_to_leave)
    with one_thread():
        other.start()
        entered.wait()
        left.wait()
        seen.append(thread_count())
    other.join()
    assert [*seen, thread_count()] == [1, 1, 2]


def test_another_blas_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas_threads, "_openblas", lambda: None)
    with one_thread():
        assert thread_count() is None
