# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell scripts of the project, as ShellCheck sees them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = (
    "batch/facegen.slurm.sh",
    "tools/gpu_bundle.sh",
    "tools/set_up.sh",
    "tools/test_blender.sh",
    "tools/test_bpy.sh",
)


def test_these_are_all_of_them(project: Path) -> None:
    found = {
        path.relative_to(project).as_posix()
        for room in ("batch", "facegen_addon", "models", "tests", "tools")
        for path in (project / room).rglob("*.sh")
    }
    assert found == set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck_has_nothing_to_say(project: Path, script: str) -> None:
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    shellcheck = shutil.which("shellcheck", path=beside)
    if shellcheck is None:
        pytest.skip("shellcheck is neither beside this Python nor on PATH")
    done = subprocess.run([shellcheck, script], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
