# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands for FaceGen's command line where a farm's template is tested, not the rendering.

Each call leaves one file `PID.json` in the folder CALLS (environment): its arguments and how it
ended. `dataset make` reports two samples as FaceGen does; with `--model wait` it then waits to
be stopped, and with `--model fail` it fails.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn


def end(status: int) -> NoReturn:
    """Leave a note of this call and end."""
    _, command, *arguments = sys.argv[1:]
    note = {"command": command, "arguments": arguments, "status": status}
    path = Path(os.environ["CALLS"], f"{os.getpid()}.json")
    path.write_text(json.dumps(note), encoding="utf-8")
    os._exit(status)


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def make() -> None:
    """Two samples, told as batch.dataset.status tells them."""
    for done in (1, 2):
        event = {"event": "progress", "time": 1.5, "done": done, "total": 2, "accepted": done}
        say(json.dumps(event))
    if "wait" in sys.argv:
        say("waiting")
        time.sleep(120)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: end(143))
    if sys.argv[1] != "dataset":  # what templates call is spelled as today, whatever they are told
        end(2)
    if sys.argv[2] == "make":
        make()
    end(3 if "fail" in sys.argv else 0)
