# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person wears is rendered and labelled, and comes off again."""

from collections.abc import Iterator

import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.wear.outfit import Outfit
from facegen_addon.labels.label_check import check_labels
from facegen_addon.labels.maps import CLASSES
from facegen_addon.labels.shot import Shot, View
from facegen_addon.scene.head import fabric
from facegen_addon.scene.render.sample_renderer import Rendered, SampleRenderer, SampleSettings

MODEL = load_head_model("person")
HEAD = MODEL.sample_prior(np.random.default_rng(4), 1)[0]
WIDE = View(focal_length=36.0 * 1.6 / 0.42)
PLAIN = Shot(HEAD, WIDE)
DRESSED = Shot(HEAD, WIDE, outfit=Outfit("v_neck", glasses="sunglasses", headwear="beanie"))
CLEAR = Shot(HEAD, WIDE, outfit=Outfit("turtleneck", glasses="round"))


@pytest.fixture
def renderer() -> Iterator[SampleRenderer]:
    with SampleRenderer(MODEL, SampleSettings(samples=4, width=128, height=128)) as opened:
        yield opened


def shares(sample: Rendered) -> dict[str, float]:
    """Class -> share of the pixels."""
    assert sample.maps is not None
    return {n: float((sample.maps.segmentation == i).mean()) for i, n in enumerate(CLASSES)}


def test_what_is_worn_has_classes_of_its_own(renderer: SampleRenderer) -> None:
    plain, dressed, clear = (shares(renderer.render(s)) for s in (PLAIN, DRESSED, CLEAR))
    assert plain["clothes"] > 0.05
    assert plain["glasses"] == plain["headwear"] == clear["headwear"] == 0.0
    assert dressed["glasses"] > 0.01 and dressed["headwear"] > 0.04
    assert dressed["eyes"] < 0.2 * plain["eyes"]
    assert clear["glasses"] < dressed["glasses"] and clear["eyes"] > 0.5 * plain["eyes"]
    assert dressed["neck"] > plain["neck"] > clear["neck"]


def test_labels_hold_whatever_is_worn(renderer: SampleRenderer) -> None:
    for shot in (DRESSED, CLEAR):
        sample = renderer.render(shot)
        assert sample.maps is not None and sample.landmarks is not None
        assert not check_labels(sample.maps, sample.camera, sample.landmarks).problems
        maps = sample.maps
        assert not maps.uv_valid[maps.segmentation == CLASSES.index("headwear")].any()


def test_clothes_come_off_again(renderer: SampleRenderer) -> None:
    before = renderer.render(PLAIN)
    renderer.render(DRESSED)
    after = renderer.render(PLAIN)
    np.testing.assert_array_equal(before.image, after.image)


def test_clear_lenses_add_no_noise() -> None:
    """A mirror that few paths take is a dot where one does."""
    nodes = fabric.lens_material(dark=False).node_tree.nodes
    assert not {"BSDF_GLOSSY", "MIX_SHADER"} & {node.type for node in nodes}
