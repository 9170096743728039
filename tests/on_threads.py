# SPDX-License-Identifier: GPL-3.0-or-later
"""The same code in processes whose linear algebra has other numbers of threads."""

import os
import subprocess
import sys
from pathlib import Path


def printed_on_threads(project: Path, code: str) -> list[bytes]:
    """What Python `code` prints, with OPENBLAS_NUM_THREADS 1 and 2."""
    return [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=project,
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for threads in ("1", "2")
    ]
