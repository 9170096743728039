# SPDX-License-Identifier: GPL-3.0-or-later
"""*Fit from Photo*: a head for a photo, and what is said where there is none."""

from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.head.latents import read
from facegen_addon.scene.workflows import photo_heads
from facegen_addon.ui import jobs, photo


def _fitted() -> SimpleNamespace:
    model = load_head_model("person")
    row = model.sample_prior(np.random.default_rng(5), 1)[0]
    latent = np.zeros(512, np.float32)
    latent[0] = 1.0
    return SimpleNamespace(
        parameters=row,
        latent=latent,
        faces=[SimpleNamespace(doubts=["the face is only 50 pixels large"])],
        words=lambda threshold: "reads as the same person (0.30; one person: below 0.51)",
    )


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A fit that is done at once; what it was asked for is kept."""
    head = _fitted()

    def fit_photos(photos, model, device, **options):  # type: ignore[no-untyped-def]
        head.asked = (photos, model, options)
        yield 1, 2
        return [head], []

    monkeypatch.setattr(photo_heads, "fit_photos", fit_photos)
    return head


def test_a_head_stands_in_the_scene(fitted: SimpleNamespace) -> None:
    told: list[jobs.Progress] = []
    jobs.progress_handlers.append(told.append)
    try:
        result = bpy.ops.facegen.fit_photo(filepath="/photos/me.jpg", model="person")
    finally:
        jobs.progress_handlers.remove(told.append)
    assert result == {"FINISHED"}
    head = HeadObject.of(bpy.context.active_object)
    np.testing.assert_allclose(head.parameters, fitted.parameters)
    assert fitted.asked[0] == [Path("/photos/me.jpg")]
    assert (1, 2) in [(step.done, step.total) for step in told]
    assert bpy.context.scene[photo.LAST_KEY].startswith("Reads as the same person")
    assert read(head.mesh_object).requested is None  # no latent of a person is kept unasked


def test_a_latent_is_kept_where_it_is_asked_for(fitted: SimpleNamespace) -> None:
    bpy.ops.facegen.fit_photo(filepath="/photos/me.jpg", model="person", keep_latent=True)
    kept = read(bpy.context.active_object).requested
    assert kept is not None
    np.testing.assert_allclose(kept, fitted.latent, atol=1e-6)


def test_files_of_a_browser_are_all_fitted(fitted: SimpleNamespace) -> None:
    bpy.ops.facegen.fit_photo(
        directory="/photos/", files=[{"name": "a.jpg"}, {"name": "b.png"}], model="person",
        same_person=True,
    )  # fmt: skip
    photos, model, options = fitted.asked
    assert photos == [Path("/photos/a.jpg"), Path("/photos/b.png")] and model == "person"
    assert options["same_person"] and options["expression"] and not options["everybody"]


def test_a_second_head_stands_beside_the_first(fitted: SimpleNamespace) -> None:
    places = []
    for _ in range(2):
        bpy.ops.facegen.fit_photo(filepath="/photos/me.jpg", model="person")
        places.append(np.array(bpy.context.active_object.location))
        bpy.context.view_layer.update()
    assert np.linalg.norm(places[1] - places[0]) > 0.2


def test_a_photo_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.jpg")
    with pytest.raises(RuntimeError, match=r"missing\.jpg is missing|mtcnn"):
        bpy.ops.facegen.fit_photo(filepath=missing, model="person")
    with pytest.raises(RuntimeError, match="no photo is named"):
        bpy.ops.facegen.fit_photo(model="person")


def test_what_is_missing_is_told_and_what_is_wrong_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Layout:
        """Notes icon and text of each first line."""

        def label(self, *, text: str, icon: str, **_: object) -> None:
            if icon != "BLANK1":
                said.append((icon, text))

        def operator(self, *_: object, **__: object) -> SimpleNamespace:
            return SimpleNamespace()

        def row(self, **_: object) -> "Layout":
            return self

        column = box = row

    panel, said = SimpleNamespace(layout=Layout()), list[tuple[str, str]]()
    monkeypatch.setattr(photo, "_missing", lambda: photo.DEFAULT_ENCODER)
    photo.FACEGEN_PT_photo.draw(panel, bpy.context)  # type: ignore[arg-type]
    assert said[0] == ("INFO", "Photos need FaceNet")
    assert {icon for icon, _ in said} == {"INFO"}, "nothing is wrong before anything was done"
    said.clear()
    monkeypatch.setattr(photo, "_missing", lambda: "")
    bpy.context.window_manager.facegen.model = "unguided"
    monkeypatch.setattr(photo, "is_trained", lambda _: False)
    photo.FACEGEN_PT_photo.draw(panel, bpy.context)  # type: ignore[arg-type]
    assert said[0][0] == "ERROR" and said[0][1].startswith("Unguided cannot be fitted")
