# SPDX-License-Identifier: GPL-3.0-or-later
import io
import json
import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from batch.dataset.status import EventLog, Status
from facegen_addon.errors import UserError
from facegen_addon.terminal.pool import WorkerState

WORKERS = [
    WorkerState(0, "ready", SimpleNamespace(index=7), 3),
    WorkerState(1, "starting", None, 0),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2


def screen(written: str) -> list[str]:
    """What a terminal shows in the end, of the few codes that are used."""
    lines, row = [""], 0
    for piece in written.replace("\x1b[", "\0\x1b[").replace("\n", "\0\n\0").split("\0"):
        if piece == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
            continue
        if piece.startswith("\x1b["):
            end = next(i for i, c in enumerate(piece) if c in "AJK" and i > 1)
            number, code = piece[2:end], piece[end]
            if code == "A":
                row -= int(number)
            elif code == "J":
                lines[row:] = [""]
            else:
                lines[row] = ""
            piece = piece[end + 1 :]
        if piece.strip("\r"):
            lines[row] += piece.strip("\r")
    return [line for line in lines if line]


def test_a_line_a_process_and_a_total() -> None:
    log = io.StringIO()
    status = Status(10, EventLog(None), log)
    status.found(2)
    status.sample(7, "rejected", 0, "no face")
    status.sample(7, "accepted", 1)
    status.sample(8, "failed", 0, "crash")
    status.show(WORKERS)
    first, second, total = log.getvalue().splitlines()
    assert first.split() == ["worker", "0", "sample", "000007", "3", "rendered"]
    assert "starting" in second
    assert total.startswith("4/10 ") and " 40 %  ETA " in total
    assert total.endswith("heads/s  accepted 1  rejected 1  failed 1")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal is drawn on whenever it can be."""
    monkeypatch.setattr("batch.dataset.status._REDRAWN", 0.0)


@pytest.mark.usefixtures("impatient")
def test_a_log_is_not_flooded_and_a_terminal_redrawn() -> None:
    log = io.StringIO()
    quiet = Status(10, EventLog(None), log)
    for _ in range(50):
        quiet.show(WORKERS)
    assert log.getvalue().count("worker 0") == 1
    terminal = Terminal()
    status = Status(10, EventLog(None), terminal)
    status.show(WORKERS)
    status.sample(0, "accepted", 0)
    status.show(WORKERS)
    shown = screen(terminal.getvalue())
    assert len(shown) == 3 and shown[2].startswith("1/10")


@pytest.mark.usefixtures("impatient")
def test_what_is_drawn_last_stays_alone_and_for_good() -> None:
    terminal = Terminal()
    status = Status(10, EventLog(None), terminal)
    status.show(WORKERS)
    status.show([], last=True)
    status.write("closed\n")
    assert [line.split()[0] for line in screen(terminal.getvalue())] == ["0/10", "closed"]


@pytest.mark.parametrize(("columns", "rows", "numbers"), [(40, 30, "0123"), (30, 4, "01")])
@pytest.mark.usefixtures("impatient")
def test_nothing_is_drawn_that_the_terminal_would_wrap_or_scroll_away(
    columns: int, rows: int, numbers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = os.terminal_size((columns, rows))
    monkeypatch.setattr("batch.dataset.status.os.get_terminal_size", lambda _: size)
    terminal = Terminal()
    status = Status(10, EventLog(None), terminal)
    for _ in range(3):
        job = SimpleNamespace(index=10)
        status.show([WorkerState(number, "ready", job, 3) for number in range(4)])
    *workers, total = screen(terminal.getvalue())
    assert [line[:8] for line in workers] == [f"worker {number}" for number in numbers]
    assert total.startswith("0/10 ")
    assert all(len(line) < columns for line in [*workers, total])


def test_a_terminal_that_is_gone_stops_nobody() -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    status = Status(10, EventLog(None), Gone())
    status.show(WORKERS, last=True)
    status.write("a notice\n")
    assert status.settled == 0


@pytest.mark.usefixtures("impatient")
def test_notices_stand_above_the_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("facegen_addon")
    handler = logging.StreamHandler(sys.stderr)
    monkeypatch.setattr(logger, "handlers", [handler])
    terminal = Terminal()
    status = Status(10, EventLog(None), terminal)
    status.show(WORKERS)
    status.take_notices()
    logging.getLogger("facegen_addon.dataset").warning("render process 1: it died; started again")
    status.show(WORKERS)
    shown = screen(terminal.getvalue())
    assert shown[0] == "render process 1: it died; started again"
    assert [line.split()[0] for line in shown[1:]] == ["worker", "worker", "0/10"]


def test_events_are_json_lines_that_add_up(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "events.jsonl"
    for _ in range(2):
        log = EventLog(path)
        status = Status(3, log, io.StringIO())
        log.write("start", samples=3)
        status.sample(1, "accepted", 0)
        status.died(0, "it died of SIGSEGV")
        status.show([], last=True)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [e["event"] for e in events] == ["start", "sample", "worker", "progress"] * 2
    assert events[1]["key"] == "000001" and "reason" not in events[1]
    assert events[3]["done"] == 1 and events[3]["total"] == 3 and events[3]["eta_seconds"] >= 0


def test_events_go_to_stdout_for_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog(Path("-")).write("end", status=0)
    assert json.loads(capsys.readouterr().out)["status"] == 0


def test_an_event_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--log-json"):
        EventLog(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full disk")
def test_a_full_disk_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    log = EventLog(Path("/dev/full"))
    with pytest.raises(UserError, match=r"--log-json /dev/full.*No space left"):
        log.write("start", samples=3)
    log.write("end", status=2)


def test_a_line_that_was_cut_off_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "sta')
    EventLog(path).write("end", status=0)
    assert json.loads(path.read_text().splitlines()[1])["status"] == 0


def test_events_can_be_written_in_any_locale(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path).write("sample", reason="jürgen/\udcff.hdr")
    assert json.loads(path.read_bytes().decode("ascii"))["reason"] == "jürgen/\udcff.hdr"
