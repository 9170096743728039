# SPDX-License-Identifier: GPL-3.0-or-later
"""Build and validate dist/facegen-VERSION-PLATFORM.zip, one for each platform of the manifest.

    python -m tools.build_extension                         # all platforms
    python -m tools.build_extension --platform linux-x64

Blender's own packer does it, which PyPI's bpy carries. Blender's Python lacks ONNX Runtime, so each
zip carries its unmodified wheels for that platform; pip fetches those that are not in wheels/ yet.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from facegen_addon.terminal.process import run_process

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "requirements" / "wheels.txt"
SHIPPED = ("LICENSE", "LICENSES", "README.md", "__init__.py", "facegen_addon", "models")
PACKER = "*/scripts/addons_core/bl_pkg/cli/blender_ext.py"
# Beginnings of wheels' platform tags.
WHEEL_PLATFORMS = {"linux-x64": "manylinux", "windows-x64": "win", "macos-arm64": "macosx"}


class BuildError(Exception):
    """Why no zip was built, in one line."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--platform", choices=WHEEL_PLATFORMS, help="this one instead of all")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder for the zips")
    options = parser.parse_args(arguments)
    try:
        for platform in [options.platform] if options.platform else WHEEL_PLATFORMS:
            zip_file = build(platform, options.output)
            print(f"{zip_file}: {zip_file.stat().st_size / 1e6:.1f} MB")
    except BuildError as error:
        print(f"build_extension: {error}", file=sys.stderr)
        return 2
    return 0


def build(platform: str, output: Path) -> Path:
    """Build and validate the zip of one platform; its path."""
    manifest = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8")
    facts = tomllib.loads(manifest)
    wheels = wheels_for(platform, facts["wheels"])
    output.mkdir(parents=True, exist_ok=True)
    zip_file = output / f"{facts['id']}-{facts['version']}-{platform.replace('-', '_')}.zip"
    with tempfile.TemporaryDirectory(prefix="facegen-") as folder:
        stage = Path(folder)
        _copy_shipped(stage)
        for wheel in wheels:
            _copy(fetch(ROOT / wheel), stage / wheel)
        (stage / "blender_manifest.toml").write_text(
            manifest_for(platform, manifest, wheels), encoding="utf-8"
        )
        _run_packer("build", f"--source-dir={stage}", f"--output-filepath={zip_file}")
    _run_packer("validate", str(zip_file))
    return zip_file


def wheels_for(platform: str, wheels: list[str]) -> list[str]:
    """Those of the manifest's wheels that fit a platform."""
    fitting = WHEEL_PLATFORMS[platform]
    return [wheel for wheel in wheels if Path(wheel).stem.split("-")[4].startswith(fitting)]


def manifest_for(platform: str, manifest: str, wheels: list[str]) -> str:
    """The manifest's text with one platform and its wheels, as `build --split-platforms` does."""
    listed = "".join(f'    "{wheel}",\n' for wheel in wheels)
    for key, value in (("platforms", f'["{platform}"]'), ("wheels", f"[\n{listed}]")):
        manifest = re.sub(rf"(?ms)^{key} = \[.*?\]$", f"{key} = {value}", manifest, count=1)
    return manifest


def fetch(wheel: Path) -> Path:
    """The wheel in wheels/, downloaded by pip unless it is there; its hash is always checked."""
    if not wheel.exists():
        _download(wheel)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if f"sha256:{digest}" not in PINS.read_text(encoding="utf-8"):
        raise BuildError(f"{wheel} has sha256 {digest[:12]}..., not in {PINS}: delete the file")
    return wheel


def _download(wheel: Path) -> None:
    print(f"downloading {wheel.name}", flush=True)
    _, _, python, _, platform = wheel.stem.split("-")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    target = [f"--python-version={python.removeprefix('cp')}", f"--platform={platform}"]
    place = ["--no-deps", "--only-binary=:all:", f"--dest={wheel.parent}"]
    result = subprocess.run(
        [*pip, *place, *target, "--require-hashes", "-r", str(PINS)], capture_output=True, text=True
    )
    if result.returncode or not wheel.exists():
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        raise BuildError(f"pip gave no {wheel.name} ({' '.join(errors[-1:])}): check the network")


def _copy_shipped(stage: Path) -> None:
    """Copy what may go into the zip; the manifest excludes parts of it."""
    unwanted = shutil.ignore_patterns(
        *("__pycache__", "__main__.py", "built", "work", "training"),
        *("report", "terminal", "pairs_*", ".*"),
    )
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, stage / name, ignore=unwanted)
        else:
            _copy(source, stage / name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)


def _run_packer(*arguments: str) -> None:
    bpy = importlib.util.find_spec("bpy")
    if bpy is None or bpy.origin is None:
        raise BuildError("Blender's packer comes with bpy: run this by `make extension`")
    (packer,) = Path(bpy.origin).parent.glob(PACKER)
    result = subprocess.run(
        [sys.executable, str(packer), *arguments], capture_output=True, text=True
    )
    if result.returncode:
        lines = (result.stdout + result.stderr).strip().splitlines()
        raise BuildError(f"Blender's packer: {' '.join(lines)}")


if __name__ == "__main__":
    run_process(main, "build_extension")
