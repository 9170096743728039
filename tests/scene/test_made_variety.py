# SPDX-License-Identifier: GPL-3.0-or-later
"""What a variety leaves in the scene: bit for bit what was made, in a saved file too."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from facegen_addon.errors import NotReached, UserError
from facegen_addon.scene.workflows import made_variety
from facegen_addon.variety.holding import Holding
from facegen_addon.variety.result import GeneratedHead, Uncorrected, VarietyResult


def _made(*, guided: bool, latent_size: int = 512) -> VarietyResult:
    """A variety of three heads whose numbers use all their digits; the same at each call."""
    rng = np.random.default_rng(4)

    def latent() -> np.ndarray:
        return rng.standard_normal(latent_size).astype(np.float32)

    heads = [
        GeneratedHead(
            index=7 * number,
            seed=2**31 - 1,
            parameters=rng.standard_normal(11),
            requested=latent() if guided else None,
            achieved=latent(),
            image=rng.integers(0, 256, (6, 6, 3), np.uint8),
            points=rng.standard_normal((5, 2)),
            box=(0.1, 0.2, 1 / 3, 0.4),
            uncorrected=Uncorrected(rng.standard_normal(11), latent()) if guided else None,
        )
        for number in range(3)
    ]
    rendered = rng.standard_normal((5, latent_size)).astype(np.float32)
    seconds = {"sample": 1 / 7, "render": 2.0}
    held = tuple(Holding(name, 0.51, 1 / 3, 1e-4, 0.49, 36.0) for name in ("facenet", "sface"))
    return VarietyResult(
        "anny", "facenet", heads, rendered, seconds, 9 * guided, held if guided else ()
    )


def _plain(value: Any) -> Any:
    """A value with its arrays as bytes and types, to be compared to the last bit."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return list(value.items()) if isinstance(value, dict) else value


@pytest.mark.parametrize(("guided", "size"), [(True, 512), (False, 512), (False, 128)])
def test_what_was_made_comes_back_bit_for_bit(guided: bool, size: int, tmp_path: Path) -> None:
    expected = _plain(_made(guided=guided, latent_size=size))
    made_variety.keep(bpy.context.scene, _made(guided=guided, latent_size=size), images=True)
    assert _plain(made_variety.read(bpy.context.scene)) == expected
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert _plain(made_variety.take(bpy.context.scene)) == expected
    # A saved scene remembers who is asked for.
    assert set(bpy.context.scene.keys()) <= {"facegen_who"}


def test_images_are_kept_where_asked_for_and_never_twice() -> None:
    made = _made(guided=True)
    made_variety.keep(bpy.context.scene, made, images=False)
    assert made.heads == []
    assert "images" not in bpy.context.scene[made_variety.MADE_KEY]
    assert made_variety.read(bpy.context.scene).heads[0].image.shape == (0, 0, 3)


def test_a_later_variety_takes_the_place_of_an_earlier_one() -> None:
    made_variety.keep(bpy.context.scene, _made(guided=True), images=True)
    made_variety.keep_error(bpy.context.scene, NotReached("2 of 3 heads"), "2 of 3 heads")
    made_variety.keep(bpy.context.scene, _made(guided=False), images=False)
    assert made_variety.error_of(bpy.context.scene) is None
    assert all(head.requested is None for head in made_variety.read(bpy.context.scene).heads)


@pytest.mark.parametrize("edit", ["none", "text", "short", "count"])
def test_a_scene_without_a_whole_variety_is_one_line(edit: str) -> None:
    scene = bpy.context.scene
    if edit != "none":
        made_variety.keep(scene, _made(guided=True), images=True)
    if edit == "text":
        scene[made_variety.MADE_KEY] = "mine"
    elif edit == "short":
        scene[made_variety.MADE_KEY]["parameters"] = [0.5] * 4
    elif edit == "count":
        scene[made_variety.MADE_KEY]["count"] = 0
    with pytest.raises(UserError, match="no variety: run"):
        made_variety.read(scene)


@pytest.mark.parametrize("error", [NotReached("2 of 3"), KeyboardInterrupt(), UserError("size 3")])
def test_an_error_comes_back_as_it_was(error: BaseException) -> None:
    made_variety.keep_error(bpy.context.scene, error, "a line")
    again = made_variety.error_of(bpy.context.scene)
    assert (type(again), str(again)) == (type(error), str(error))
    assert bpy.context.scene[made_variety.ERROR_KEY]["text"] == "a line"


def test_a_scene_from_before_there_were_other_hands_is_read() -> None:
    made_variety.keep(bpy.context.scene, _made(guided=True), images=False)
    made = bpy.context.scene[made_variety.MADE_KEY]
    del made["looks"], made["holding"]
    read = made_variety.read(bpy.context.scene)
    assert (len(read.heads), read.looks, read.holding) == (3, 0, ())
