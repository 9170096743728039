# SPDX-License-Identifier: GPL-3.0-or-later
"""Build dist/facegen-VERSION.zip with Blender's own packer, which PyPI's bpy carries.

Blender's Python lacks ONNX Runtime, so the zip carries its unmodified wheels, as the manifest lists
them; pip fetches those that are not in wheels/ yet.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKER = "lib/python3.*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"


def main() -> int:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    for wheel in manifest["wheels"]:
        fetch(ROOT / wheel)
    (ROOT / "dist").mkdir(exist_ok=True)
    (packer,) = (ROOT / ".venv").glob(PACKER)
    source = f"--source-dir={ROOT}"
    for command in (["build", source, f"--output-dir={ROOT / 'dist'}"], ["validate", str(ROOT)]):
        status = subprocess.run([sys.executable, str(packer), *command]).returncode
        if status:
            return status
    return 0


def fetch(wheel: Path) -> None:
    """Let pip download exactly this wheel, unless it is there."""
    if wheel.exists():
        return
    name, version, python, _, platform = wheel.stem.split("-")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    target = [f"--python-version={python.removeprefix('cp')}", f"--platform={platform}"]
    place = ["--no-deps", "--only-binary=:all:", f"--dest={wheel.parent}"]
    subprocess.run([*pip, *place, *target, f"{name}=={version}"], check=True)


if __name__ == "__main__":
    sys.exit(main())
