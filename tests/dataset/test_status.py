# SPDX-License-Identifier: GPL-3.0-or-later
import io
import json
import logging
import sys
from pathlib import Path

import pytest

from batch.dataset.crew import WorkerState
from batch.dataset.status import EventLog, Status
from facegen_addon.errors import UserError

WORKERS = [WorkerState(0, "ready", 7, 3), WorkerState(1, "starting", None, 0)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


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


def test_a_log_is_not_flooded_and_a_terminal_redrawn() -> None:
    log = io.StringIO()
    quiet = Status(10, EventLog(None), log)
    for _ in range(50):
        quiet.show(WORKERS)
    assert log.getvalue().count("worker 0") == 1
    terminal = Terminal()
    status = Status(10, EventLog(None), terminal)
    status.show(WORKERS, last=True)
    status.sample(0, "accepted", 0)
    status.show(WORKERS, last=True)
    shown = screen(terminal.getvalue())
    assert len(shown) == 3 and shown[2].startswith("1/10")


def test_notices_stand_above_the_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("facegen_addon")
    handler = logging.StreamHandler(sys.stderr)
    monkeypatch.setattr(logger, "handlers", [handler])
    terminal = Terminal()
    status = Status(10, EventLog(None), terminal)
    status.show(WORKERS, last=True)
    status.take_notices()
    logging.getLogger("facegen_addon.dataset").warning("render process 1: it died; started again")
    status.show(WORKERS, last=True)
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
