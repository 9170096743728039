# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing leaves the machine, and nothing is left on it unasked."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from facegen_addon.onnx_runtime import onnx_runtime

DOOR = "facegen_addon/onnx_runtime.py"
SWITCH = "ORT_DISABLE_TELEMETRY"
_BY_NAME = {"import_module", "__import__", "importorskip", "setattr", "find_spec", "run_module"}
"""Functions that load a module whose name is given as text, pytest's included."""


def loads(source: str) -> Iterator[int]:
    """Lines in which a source loads ONNX Runtime, for types alone, too."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in _BY_NAME:
                names = [str(a.value) for a in node.args[:1] if isinstance(a, ast.Constant)]
        if any(name.split(".")[0] == "onnxruntime" for name in names):
            yield node.lineno  # type: ignore[attr-defined]


def test_nothing_else_loads_onnx_runtime(project: Path) -> None:
    tops = ("batch", "facegen_addon", "models", "tests", "tools")
    sources = [*project.glob("*.py"), *(f for top in tops for f in (project / top).rglob("*.py"))]
    found = {
        f"{source.relative_to(project).as_posix()}:{line}"
        for source in sources
        for line in loads(source.read_text(encoding="utf-8"))
    }
    assert {place.partition(":")[0] for place in found} == {DOOR}, found


@pytest.mark.parametrize(
    "source",
    [
        "import onnxruntime",
        "import numpy, onnxruntime.capi",
        "from onnxruntime import InferenceSession",
        "def late():\n    import onnxruntime as ort",
        "importlib.import_module('onnxruntime')",
        "__import__('onnxruntime')",
        "pytest.importorskip('onnxruntime')",
        "monkeypatch.setattr('onnxruntime.get_device', None)",
    ],
)
def test_the_check_sees_every_way_to_load_it(source: str) -> None:
    assert list(loads(source))


@pytest.mark.parametrize("before", [None, "0", ""])
def test_the_switch_is_set_whatever_it_was(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    if before is not None:
        monkeypatch.setenv(SWITCH, before)
    onnx_runtime()
    assert os.environ[SWITCH] == "1"


def test_one_that_another_add_on_has_loaded_is_told_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It looks at the switch when it is loaded, and never again."""
    told: list[str] = []
    loaded = SimpleNamespace(disable_telemetry_events=lambda: told.append("off"))
    monkeypatch.setitem(sys.modules, "onnxruntime", loaded)  # type: ignore[arg-type]
    module: ModuleType = onnx_runtime()
    assert module is loaded and told == ["off"]  # type: ignore[comparison-overlap]


def test_a_data_set_leaves_no_trace_and_calls_nobody(project: Path, tmp_path: Path) -> None:
    """`generate` for somebody whose home is empty; CI, which would hide telemetry, is not set."""
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    recipe, trace = tmp_path / "recipe.toml", tmp_path / "trace"
    recipe.write_text(
        '[heads]\ndistribution = "prior"\n[image]\nsize = 64\nsamples = 1\n[labels]\ncheck = 0\n'
    )
    own = {name: os.environ[name] for name in os.environ if name not in ("CI", SWITCH)}
    own = {name: value for name, value in own.items() if not name.startswith("XDG_")}
    command = [
        *_traced(trace), sys.executable, "batch/run.py", "dataset", "make", "--recipe", str(recipe),
        "--count", "1", "--workers", "1", "--threads", "1", "--output", str(tmp_path / "run"),
    ]  # fmt: skip
    result = subprocess.run(
        command,
        cwd=project,
        env=own
        | {
            "HOME": str(tmp_path / "home"),
            "TMPDIR": str(tmp_path / "temporary"),
            "FACEGEN_DATA": str(tmp_path / "user"),
        },
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "data-000000.tar").is_file()
    places = (tmp_path / "home", tmp_path / "temporary")
    # Blender makes its empty folders for thumbnails.
    assert [path for place in places for path in place.rglob("*") if not path.is_dir()] == []
    calls = trace.read_text().splitlines() if trace.exists() else []
    assert [line for line in calls if _leaves_the_machine(line)] == []


def _traced(trace: Path) -> list[str]:
    """What notes who is called, where this machine has it and allows it."""
    strace = shutil.which("strace")
    options = ["-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg,openat", "-o", str(trace)]
    if not strace or subprocess.run([strace, *options, "true"], capture_output=True).returncode:
        return []
    return [strace, *options]


def _leaves_the_machine(call: str) -> bool:
    """Whether a traced call looks a host up or sends to anything but a socket of this machine."""
    if "openat(" in call:
        return "/etc/resolv.conf" in call
    families = re.findall(r"sa_family=(AF_\w+)", call)
    return any(family not in ("AF_UNIX", "AF_NETLINK") for family in families)


@pytest.mark.parametrize(
    ("call", "leaves"),
    [
        ('7 connect(3, {sa_family=AF_UNIX, sun_path="/run/nscd/socket"}, 110) = -1', False),
        ('7 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3', False),
        ('7 openat(AT_FDCWD, "/etc/resolv.conf", O_RDONLY|O_CLOEXEC) = 3', True),
        ('7 connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr="10.0.0.2"}, 16)', True),
        ('7 sendto(9, "q", 1, 0, {sa_family=AF_INET6, sin6_port=htons(443)}, 28) = 1', True),
    ],
)
def test_what_counts_as_leaving_the_machine(call: str, leaves: bool) -> None:
    assert _leaves_the_machine(call) == leaves
