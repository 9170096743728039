# SPDX-License-Identifier: GPL-3.0-or-later
"""Light presets in a real bpy: panels, Blender's own HDRIs, exposure, and the head model's own."""

import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

from facegen_addon.choices import LAMP_PRESETS, WORLD_PRESETS
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.labels.shot import Background, Light, Shot, View
from facegen_addon.scene.render.environments import Environments, paint, split
from facegen_addon.scene.render.lights import LIGHTS, Panel
from facegen_addon.scene.render.sample_renderer import Rendered, SampleRenderer, SampleSettings
from facegen_addon.scene.render.world_files import world_file

ANNY = load_head_model("anny")
SMALL = SampleSettings(samples=4, width=64, height=64, device="CPU", labels=False)
HEAD = ANNY.table.default()
_SKIN = (slice(24, 44), slice(20, 44))
"""Rows and columns of the face in the middle of a small portrait."""


def _levels(sample: Rendered) -> np.ndarray:
    """Linear light of the face's pixels."""
    return ((sample.image[_SKIN] / 255.0) ** 2.2).mean(2)


def test_a_panel_is_bright_where_it_stands() -> None:
    right = paint(0.1, (Panel(90, 0, 1.0, 60),))
    height, width = right.shape[:2]
    row, column = np.unravel_index(right[..., 0].argmax(), (height, width))
    assert (row + 0.5) / height == pytest.approx(0.5, abs=0.02)
    assert (column + 0.5) / width == pytest.approx(0.75, abs=0.02)  # right of where one looks
    assert right.max() == pytest.approx(1.1, abs=0.02)
    assert (right == np.float32(0.1)).mean() > 0.9


def test_the_sun_becomes_a_lamp_that_gives_as_much() -> None:
    """It stands high on the viewer's left before the face, orange, in a grey sky."""
    sky = np.full((32, 64, 3), 0.5, np.float32)
    sky[8, 4] = (60.0, 30.0, 15.0)
    even, lamp = split(sky)
    assert even.max() < 0.6 and even.min() > 0.4
    assert (lamp.azimuth, lamp.elevation) == pytest.approx((-25.3, 42.2), abs=0.2)
    solid = np.cos(np.radians(42.2)) * (2 * np.pi / 64) * (np.pi / 32)
    assert lamp.strength == pytest.approx(34.5 * solid * np.pi / 4, rel=0.03)
    red, green, blue = lamp.colour
    assert red > 1.9 * green > 3 * blue


def test_panels_and_lamps_move_together_to_the_viewers_right() -> None:
    with SampleRenderer(ANNY, SMALL) as renderer:
        left, right = (
            _levels(renderer.render(Shot(HEAD, light=Light("rembrandt", azimuth=azimuth))))
            for azimuth in (0.0, np.radians(110.0))
        )
    half = left.shape[1] // 2
    assert left[:, :half].mean() > 1.5 * left[:, half:].mean()
    assert right[:, half:].mean() > 1.5 * right[:, :half].mean()


def test_faces_are_as_bright_in_every_light() -> None:
    """Within a stop and a half of one another; HDRIs by the exposure that is measured for them."""
    with SampleRenderer(ANNY, SMALL) as renderer:
        found = {
            name: _levels(renderer.render(Shot(HEAD, light=Light(name)))).mean()
            for name in (*LAMP_PRESETS, *WORLD_PRESETS)
        }
    assert max(found.values()) < 2.8 * min(found.values()), found


def test_a_face_against_the_light_is_exposed_for() -> None:
    environments = Environments()
    made = environments.of(LIGHTS["sunrise"])
    assert made is not None
    front = np.radians(LIGHTS["sunrise"].turn)
    assert made.exposure(front + np.pi) > 2.0 * made.exposure(front)
    environments.close()


def test_blenders_hdris_are_seen_out_of_focus_unless_a_colour_is_named() -> None:
    with SampleRenderer(ANNY, SMALL) as renderer:
        seen = renderer.render(Shot(HEAD, light=Light("forest"))).image
        turned = renderer.render(Shot(HEAD, light=Light("forest", rotation=2.0))).image
        wall = Background(colour=(0.0, 0.0, 0.2))
        walled = renderer.render(Shot(HEAD, light=Light("forest"), background=wall)).image
    corner = seen[:16, :10].astype(int)
    assert np.abs(np.diff(corner, axis=1)).max() < 16  # blurred
    assert np.abs(seen[:16, :10].astype(int) - turned[:16, :10]).mean() > 10
    assert np.ptp(walled[:16, :10].reshape(-1, 3), axis=0).max() <= 1


def test_what_was_rendered_before_does_not_matter() -> None:
    shots = [Shot(HEAD, View(), Light(name)) for name in ("portrait", "city", "studio", "sunset")]
    found: dict[int, set[bytes]] = {}
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        with SampleRenderer(ANNY, SMALL) as renderer:
            for k in order:
                found.setdefault(k, set()).add(renderer.render(shots[k]).image.tobytes())
    assert [len(images) for images in found.values()] == [1, 1, 1, 1]
    assert len(set.union(*found.values())) == 4


def test_pictures_go_with_the_renderer() -> None:
    before = set(bpy.data.images)
    with SampleRenderer(ANNY, SMALL) as renderer:
        renderer.render(Shot(HEAD, light=Light("city")))
    assert {image.name for image in bpy.data.images if image not in before} <= {"Render Result"}


def test_the_studio_is_the_head_models_own() -> None:
    person = load_head_model("person")
    row = person.table.default()
    with SampleRenderer(person, SMALL) as renderer:
        studio, own, other = (
            renderer.render(Shot(row, light=Light(name))).image
            for name in ("studio", person.studio_light, "softbox")
        )
    assert np.array_equal(studio, own) and not np.array_equal(studio, other)
    assert ANNY.studio_light == "studio"


def test_a_blender_without_hdris_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = world_file("city")
    asked = "from facegen_addon.scene.render.world_files import world_file as f; print(f('city'))"
    project = Path(__file__).parents[2]
    command = [sys.executable, "-c", asked]
    without_blender = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert Path(without_blender.stdout.strip()).samefile(found)
    monkeypatch.setattr(bpy.utils, "system_resource", lambda *_, **__: str(tmp_path))
    with pytest.raises(UserError, match=r"has no studiolights/world/city\.exr .* another light"):
        world_file("city")


def test_a_persons_skin_has_less_noise_than_scattering_would_give_it() -> None:
    """The difference between two seeds, on the skin of the face."""
    person = load_head_model("person")
    row = person.table.default()
    settings = SampleSettings(samples=8, width=96, height=96, device="CPU", labels=False)

    def noise() -> float:
        with SampleRenderer(person, settings) as renderer:
            one, other = (renderer.render(Shot(row, seed=seed)).image for seed in (1, 2))
        cheeks = (slice(36, 66), slice(34, 62))
        return float(np.abs(one[cheeks].astype(float) - other[cheeks]).mean())

    without = noise()
    skin = next(m for m in bpy.data.materials if m.name.startswith("FaceGen Skin of person"))
    bsdf = next(node for node in skin.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    bsdf.inputs["Subsurface Weight"].default_value = 0.12
    assert without < 0.8 * noise()
