# SPDX-License-Identifier: GPL-3.0-or-later
import ctypes
import io
import sys
from types import ModuleType, SimpleNamespace

import pytest

from facegen_addon.durations import format_seconds
from facegen_addon.terminal import progress
from facegen_addon.terminal.progress import ProgressBar, is_terminal


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar_shows_share_and_eta(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 30.0, 40.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    stream = Terminal()
    bar = ProgressBar(stream)
    bar.update("render", 0, 4)
    bar.update("render", 3, 4)
    assert "75 %" in stream.getvalue() and "ETA 10 s" in stream.getvalue()
    bar.update("render", 4, 4)
    assert stream.getvalue().endswith("100 %  in 40 s\n")


@pytest.mark.parametrize("stream_type", [io.StringIO, Terminal])
def test_a_short_stage_may_stay_quiet(
    monkeypatch: pytest.MonkeyPatch, stream_type: type[io.StringIO]
) -> None:
    clock = iter([0.0, 0.0, 1.0, 1.9, 10.0, 23.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    stream = stream_type()
    bar = ProgressBar(stream, quiet=2.0)
    for done in (0, 1, 2):
        bar.update("short", done, 2)
    bar.close()
    assert stream.getvalue() == ""
    for done in (0, 1):
        bar.update("long", done, 1)
    assert "100 %" in stream.getvalue()


def test_without_a_terminal_lines_are_whole_and_few() -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream)
    for done in range(1001):
        bar.update("render", done, 1000)
    lines = stream.getvalue().splitlines()
    assert 1 <= len(lines) <= 3
    assert "\x1b" not in stream.getvalue() and "\r" not in stream.getvalue()


def test_a_new_stage_starts_a_new_line() -> None:
    stream = Terminal()
    bar = ProgressBar(stream)
    bar.update("sample", 1, 1)
    bar.update("render", 1, 1)
    assert stream.getvalue().count("\n") == 2


def test_seconds_in_words() -> None:
    assert [format_seconds(s) for s in (0.4, 59.4, 65)] == ["0 s", "59 s", "1 min 05 s"]


def test_an_unfinished_stage_gives_its_line_to_the_next() -> None:
    stream = Terminal()
    bar = ProgressBar(stream)
    bar._drawn = -1.0
    bar.update("choose", 1, 2)
    bar.update("render", 1, 1)
    bar.update("choose", 2, 2)
    assert stream.getvalue().count("\n") == 2


def test_a_finished_stage_is_shown_once() -> None:
    stream = Terminal()
    bar = ProgressBar(stream)
    for _ in range(3):
        bar.update("render", 1, 1)
    assert stream.getvalue().count("\n") == 1
    bar.close()
    bar.update("render", 1, 1)
    assert stream.getvalue().count("\n") == 2


def test_a_log_of_ten_hours_stays_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    stream = io.StringIO()
    bar = ProgressBar(stream)
    for second in range(36_000):
        now = float(second)
        bar.update("render", second + 1, 36_000)
    assert 20 <= len(stream.getvalue().splitlines()) <= 60


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_a_narrow_terminal_is_not_wrapped(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "terminal_size", lambda _: (columns, 24))
    stream = Terminal()
    bar = ProgressBar(stream)
    bar._drawn = -1.0
    bar.update("write results", 1, 3)
    (line,) = stream.getvalue().split("\r\x1b[K")[1:]
    assert len(line) < columns
    assert line.startswith("writ") and " 33 %  ETA " in line


def test_whoever_watches_may_go() -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    ProgressBar(Gone()).update("render", 1, 1)


def test_a_dumb_terminal_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    ProgressBar(stream).update("render", 1, 1)
    assert "\x1b" not in stream.getvalue()


class Console(Terminal):
    """A console of Windows."""

    def fileno(self) -> int:
        return 2


@pytest.mark.parametrize(
    ("has_mode", "obeys", "expected"), [(1, 1, True), (1, 0, False), (0, 1, False)]
)
def test_windows_is_asked_to_obey_escape_sequences(
    monkeypatch: pytest.MonkeyPatch, has_mode: int, obeys: int, expected: bool
) -> None:
    """Where it does not, there are plain lines, no sequences in the middle of them."""
    modes: list[int] = []
    windows = ModuleType("msvcrt")
    windows.__dict__["get_osfhandle"] = lambda descriptor: descriptor
    kernel = SimpleNamespace(
        GetConsoleMode=lambda handle, mode: has_mode,
        SetConsoleMode=lambda handle, mode: modes.append(mode) or obeys,
    )
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    assert is_terminal(Console()) is expected
    assert modes == [4] * has_mode
