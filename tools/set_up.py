# SPDX-License-Identifier: GPL-3.0-or-later
"""Make what the Makefile's targets need: environments, FaceNet. A second run costs nothing.

`python -m tools.set_up check|runtime|dataset|test|sface|report|readers|recipes ...`, started by
set_up.sh with a fitting interpreter.
"""

import ctypes
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar

ROOT = Path(__file__).resolve().parents[1]
VERSION = f"{sys.version_info.major}{sys.version_info.minor}"
RUNTIME = ROOT / ".venv"
CHECK = ROOT / ".venv-check"
RECIPES = ROOT / ".venv-recipes"
READERS = ROOT / ".venv-readers"
REQUIREMENTS = ROOT / "requirements"

# Later installs into the runtime must not move its pins: bpy is compiled against one NumPy.
_KEEP_RUNTIME = ("-c", str(REQUIREMENTS / f"runtime-py{VERSION}.txt"))

# Libraries that bpy links or opens and their Debian packages.
APT_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libICE.so.6": "libice6",
    "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libxkbcommon.so.0": "libxkbcommon0",
}
# Opened only when EEVEE or Workbench draws; Cycles does without.
VIEWPORT_LIBRARIES = ("libEGL.so.1",)


class SetUpError(Exception):
    """Something that the user has to mend first: one line with the command that does it."""


def main(parts: list[str]) -> int:
    makers: dict[str, Callable[[], None]] = {
        "check": make_check,
        "runtime": make_runtime,
        "dataset": make_dataset,
        "test": make_test,
        "sface": make_sface,
        "report": make_report,
        "readers": make_readers,
        "recipes": make_recipes,
    }
    unknown = [part for part in parts if part not in makers]
    try:
        if unknown or not parts:
            raise SetUpError(f"unknown part {unknown}; choose from {', '.join(makers)}")
        for part in parts:
            makers[part]()
    except SetUpError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def make_check() -> None:
    """What `make check` needs: the tools, NumPy, ONNX Runtime, encoders, detector; no bpy."""
    _install(CHECK, "check.txt", megabytes=200)
    _install(CHECK, "test.txt", "-c", str(REQUIREMENTS / "check.txt"), megabytes=360)
    _build_encoder("facenet", CHECK)
    _build_encoder("sface", CHECK)
    _build_encoder("mtcnn", CHECK)


def make_runtime() -> None:
    """The add-on's environment: bpy, NumPy, ONNX Runtime; then FaceNet and the detector."""
    _install(RUNTIME, f"runtime-py{VERSION}.txt", megabytes=1500)
    _check_system_libraries(RUNTIME)
    make_dataset()
    _build_encoder("facenet", RUNTIME)
    _build_encoder("mtcnn", RUNTIME)


def make_dataset() -> None:
    """What closes a data set: Parquet. A tenth of the environment's size, part of `runtime`."""
    _install(RUNTIME, "dataset.txt", *_KEEP_RUNTIME, megabytes=210)


def make_test() -> None:
    """pytest, hypothesis, ruff, mypy, readers of data sets; what the report needs."""
    _install(RUNTIME, "test.txt", *_KEEP_RUNTIME, megabytes=210)
    _install(RUNTIME, "test-dataset.txt", *_KEEP_RUNTIME, megabytes=390)
    make_report()


def make_sface() -> None:
    """SFace's ONNX file, by the add-on's environment, which has to be there."""
    _build_encoder("sface", RUNTIME)


def make_report() -> None:
    """What the report needs besides the add-on's environment: a search, the second encoder."""
    _install(RUNTIME, "report.txt", *_KEEP_RUNTIME, megabytes=1)
    make_sface()


def make_readers() -> None:
    """What reads sex, age and landmarks off pictures: `make attributes`, `make landmarks`."""
    _install(READERS, "readers.txt", megabytes=330)


def make_recipes() -> None:
    """The environment of models/training: torch, anny, scikit-learn; pytest too."""
    _install(RECIPES, "recipes.txt", megabytes=1900)
    _install(RECIPES, "recipes-no-deps.txt", "--no-deps", megabytes=5)
    _install(RECIPES, "test.txt", megabytes=120)


def _install(environment: Path, requirements: str, *options: str, megabytes: int) -> None:
    """pip-install a file of pinned requirements once; `megabytes`: what it writes, for the bar."""
    if not (environment / "bin" / "python").exists():
        _create(environment)
    _let_find_checkout(environment)
    source = REQUIREMENTS / requirements
    stamp = environment / f"{requirements}.stamp"
    key = _hash(source, VERSION, *map(os.path.basename, options))
    if stamp.exists() and stamp.read_text() == key:
        return
    _run_pip(
        environment, ["install", *options, "-r", str(source)], f"pip {requirements}", megabytes
    )
    stamp.write_text(key)


def _create(environment: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "venv", str(environment)], capture_output=True, text=True
    )
    if result.returncode:
        shutil.rmtree(environment, ignore_errors=True)
        raise SetUpError(
            f"{sys.executable} cannot make a virtual environment; "
            f"apt-get install python3-venv ({result.stdout.strip().splitlines()[:1]})"
        )


def _let_find_checkout(environment: Path) -> None:
    """The environment's Python imports the checkout's packages, wherever it is started.

    So `python models/training/make_report.py` goes on working beside `python -m`. The path is
    relative: a checkout that shares the environment by a link finds its own packages.
    """
    (packages,) = environment.glob("lib/python3.*/site-packages")
    (packages / "facegen_checkout.pth").write_text("../../../..\n", encoding="utf-8")


def _run_pip(environment: Path, arguments: list[str], label: str, megabytes: int) -> None:
    """Run pip; the bar counts the bytes that appear in the environment, downloads included."""
    downloads = environment / "tmp"
    downloads.mkdir(exist_ok=True)
    log = environment / "pip.log"
    before = _megabytes(environment)
    bar = ProgressBar()
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                environment / "bin" / "python",
                "-m",
                "pip",
                "--disable-pip-version-check",
                *arguments,
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(downloads), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        )
        written = 0.0
        while process.poll() is None:
            written = max(written, _megabytes(environment) - before)
            bar.update(label, min(written, 0.99 * megabytes), megabytes)
            time.sleep(0.5)
    shutil.rmtree(downloads, ignore_errors=True)
    if process.returncode:
        bar.close()
        errors = [line for line in log.read_text().splitlines() if line.startswith("ERROR")]
        raise SetUpError(f"{label} failed: {' '.join(errors)[:300]} (all of it: {log})")
    bar.update(label, 1, 1)


def _build_encoder(name: str, environment: Path) -> None:
    """Let an environment build an encoder's file, unless this very file is there, undamaged."""
    index = json.loads((ROOT / "models" / "index.json").read_text(encoding="utf-8"))
    recipe = "models.training." + Path(index[name]["recipe"]).stem
    built = ROOT / "models" / index[name]["file"]
    if built.is_file() and _hash(built) == index[name]["sha256"]:
        return
    python, builder = environment / "bin" / "python", environment.name
    if not python.exists():
        raise SetUpError(f"{name} is built by {builder}: sh tools/set_up.sh runtime {name}")
    result = subprocess.run([python, "-m", recipe], cwd=ROOT)
    if result.returncode:
        raise SetUpError(f"{name} was not built; try again: {builder}/bin/python -m {recipe}")


def _megabytes(folder: Path) -> float:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except FileNotFoundError:  # pip moves files meanwhile
                continue
    return total / 1e6


def _check_system_libraries(environment: Path) -> None:
    """Raise with the exact apt-get command when a library that bpy links is missing."""
    (library,) = environment.glob("lib/python3.*/site-packages/bpy/__init__*.so")
    listing = subprocess.run(["ldd", str(library)], capture_output=True, text=True).stdout
    missing = [line.split()[0] for line in listing.splitlines() if "not found" in line]
    viewport = [name for name in VIEWPORT_LIBRARIES if name not in missing and not _loads(name)]
    if missing:
        packages = sorted({APT_PACKAGES.get(name, name) for name in [*missing, *viewport]})
        raise SetUpError(f"bpy misses system libraries: apt-get install {' '.join(packages)}")
    if viewport:
        packages = sorted({APT_PACKAGES[name] for name in viewport} | {"libgl1-mesa-dri"})
        print(
            "set-up: EEVEE and Workbench would need (Cycles does not): "
            f"apt-get install {' '.join(packages)}",
            file=sys.stderr,
        )


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _hash(source: Path, *more: str) -> str:
    return hashlib.sha256(source.read_bytes() + "".join(more).encode()).hexdigest()


if __name__ == "__main__":
    run_process(lambda: main(sys.argv[1:]), "set-up")
