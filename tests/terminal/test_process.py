# SPDX-License-Identifier: GPL-3.0-or-later
"""How programs begin and end."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

_END = re.compile(r'^if __name__ == "__main__":\n(?P<what>(?:    .*\n)+)', re.MULTILINE)
_PROGRAM = """
{imports}import atexit
from facegen_addon.terminal.process import run_process

def work():
    atexit.register(print, "cleaned up")
    {work}

run_process(work, "test")
"""


def test_all_scripts_end_in_one_way(project: Path) -> None:
    files = [f for folder in ("tools", "models/training") for f in (project / folder).rglob("*.py")]
    scripts = {f.name: _END.search(f.read_text(encoding="utf-8")) for f in files}
    ends = {name: found["what"] for name, found in scripts.items() if found}
    assert len(ends) > 30
    assert [name for name, end in ends.items() if not end.startswith("    run_process(")] == []


def _run(project: Path, work: str, imports: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(work=work, imports=imports)],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("status", [0, 3])
def test_bpy_does_not_clean_up(project: Path, status: int) -> None:
    assert _run(project, f"return {status}", "import bpy\n") == (status, "", "")


@pytest.mark.parametrize(
    ("work", "status", "said"),
    [
        ("return 3", 3, ""),
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(4)", 4, ""),
        ("raise SystemExit('no room')", 1, "no room\n"),
    ],
)
def test_a_process_ends_with_its_status(project: Path, work: str, status: int, said: str) -> None:
    assert _run(project, work) == (status, "cleaned up\n", said)
