# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the face detector's file: models/built/mtcnn.npz, MTCNN's weights.

    python -m models.training.export_mtcnn                # from the wheel, which pip downloads
    python -m models.training.export_mtcnn --wheel FILE   # the same, from a wheel at hand

The weights come from the PyPI wheel `facenet-pytorch`, used as their carrier and nothing else; the
bytes are the same on every machine, models/index.json holds their hash.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from facegen_addon.artifacts import BUILT_FOLDER, artifact, models_directory
from facegen_addon.atomic_file import replacing
from facegen_addon.encoders.carrier import check_hash
from facegen_addon.encoders.mtcnn_file import CARRIER, DETECTOR, build_mtcnn
from facegen_addon.errors import UserError
from facegen_addon.terminal.process import run_process
from models.training.fetch_carrier import fetch_wheel


def main(arguments: list[str] | None = None) -> int:
    """Build and check; 2 after an error that the user can put right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--wheel", type=Path, help=f"the wheel of {CARRIER.requirement}, if at hand"
    )
    options = parser.parse_args(arguments)
    output = models_directory() / BUILT_FOLDER / "mtcnn.npz"
    try:
        data = build_mtcnn(options.wheel or fetch_wheel(CARRIER, output.parent))
        check_hash(
            data, artifact(DETECTOR).sha256, output, "restore models/training/export_mtcnn.py"
        )
        with replacing(output) as unfinished:
            unfinished.write_bytes(data)
    except (UserError, OSError) as error:
        print(f"export_mtcnn: {error}", file=sys.stderr)
        return 2
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    run_process(main, "export_mtcnn")
