# SPDX-License-Identifier: GPL-3.0-or-later
"""Which device renders, and what becomes of a render whose device fails; no GPU is needed."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from facegen_addon.errors import UserError
from facegen_addon.scene.render import devices


class Preferences:
    """Cycles's preferences on a machine with these devices, in a Blender that knows no HIP."""

    def __init__(self, **there: list[str]) -> None:
        found = [("CPU", "Some CPU"), *((kind, name) for kind in there for name in there[kind])]
        self.devices = [SimpleNamespace(type=k, name=n, use=False) for k, n in found]
        self.kind = "NONE"

    @property
    def compute_device_type(self) -> str:
        return self.kind

    @compute_device_type.setter
    def compute_device_type(self, kind: str) -> None:
        if kind == "HIP":
            raise TypeError(kind)
        self.kind = kind

    def refresh_devices(self) -> None: ...


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Preferences]:
    """A machine with these devices, None: a Blender without Cycles."""

    def machine(**there: list[str]) -> Preferences:
        preferences = Preferences(**there)
        addons = {"cycles": SimpleNamespace(preferences=preferences)}
        context = SimpleNamespace(preferences=SimpleNamespace(addons=addons))
        monkeypatch.setattr(devices, "bpy", SimpleNamespace(context=context))
        monkeypatch.setattr(devices, "_DRIVER", tmp_path / "version")
        return preferences

    return machine


def test_the_fastest_kind_is_taken_with_all_its_cards(machine: Callable[..., Preferences]) -> None:
    preferences = machine(CUDA=["H100", "H100"], OPTIX=["H100", "H100"])
    assert devices.use_device() == devices.use_device("GPU") == "OPTIX: H100, H100"
    assert list(devices.find_devices()) == ["OPTIX", "CUDA"]
    assert devices.use_device("CUDA") == "CUDA: H100, H100"
    assert preferences.kind == "CUDA"
    assert [device.use for device in preferences.devices] == [False, True, True, False, False]


def test_a_driver_is_named_where_the_system_tells_it(
    machine: Callable[..., Preferences], tmp_path: Path
) -> None:
    machine(OPTIX=["H100"])
    words = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5\nGCC version:"
    (tmp_path / "version").write_text(words)
    assert devices.use_device() == "OPTIX: H100, driver 550.54.15"


def test_without_a_driver_only_auto_takes_the_cpu(machine: Callable[..., Preferences]) -> None:
    preferences = machine()
    assert devices.use_device() == devices.use_device("CPU") == "CPU"
    assert preferences.kind == "NONE"
    for wanted in ("GPU", "OPTIX", "HIP"):
        with pytest.raises(UserError, match=f"device {wanted}: Cycles finds no such GPU.* CPU, or"):
            devices.use_device(wanted)
    machine(METAL=["M4"])
    with pytest.raises(UserError, match="choose from CPU, METAL, or auto"):
        devices.use_device("OPTIX")


class Scene(SimpleNamespace):
    """A scene that Cycles renders on a GPU."""

    def __init__(self) -> None:
        render = SimpleNamespace(engine="CYCLES")
        super().__init__(name="s", render=render, cycles=SimpleNamespace(device="GPU"))


def failing(scene: Scene, monkeypatch: pytest.MonkeyPatch, message: str) -> list[str]:
    """Have renders of a scene on the GPU fail; the devices of those that were tried."""
    tried: list[str] = []

    def render(**options: Any) -> None:
        tried.append(scene.cycles.device)
        if scene.cycles.device == "GPU":
            raise RuntimeError(message)

    ops = SimpleNamespace(render=SimpleNamespace(render=render))
    monkeypatch.setattr(devices, "bpy", SimpleNamespace(ops=ops))
    return tried


FULL = "Error: System is out of GPU memory\nError: more\n"
GONE = "Error: Failed to create CUDA context (no CUDA-capable device is detected)\n"


@pytest.mark.parametrize("message", [FULL, GONE])
def test_auto_goes_on_on_the_cpu_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, message: str
) -> None:
    scene = Scene()
    tried = failing(scene, monkeypatch, message)
    for _ in range(2):
        devices.render_scene(scene, "auto")
    assert tried == ["GPU", "CPU", "CPU"], "once it has failed, it is left alone"
    (said,) = caplog.messages
    assert said.startswith("the GPU failed (") and said.endswith("goes on on the CPU")
    assert message.splitlines()[0].removeprefix("Error: ") in said


def test_a_gpu_that_was_asked_for_ends_the_run_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    tried = failing(scene, monkeypatch, FULL)
    with pytest.raises(UserError) as caught:
        devices.render_scene(scene, "OPTIX")
    line = str(caught.value)
    assert line.startswith("device OPTIX failed (System is out of GPU memory): free its memory")
    assert "\n" not in line and tried == ["GPU"] and scene.cycles.device == "GPU"


def test_what_fails_on_the_cpu_is_not_the_gpus_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    failing(scene, monkeypatch, "Error: no camera")
    scene.render.engine = "EEVEE"
    with pytest.raises(RuntimeError, match="no camera"):
        devices.render_scene(scene, "auto")
