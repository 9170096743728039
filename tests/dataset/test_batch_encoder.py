# SPDX-License-Identifier: GPL-3.0-or-later
from typing import Any

import numpy as np
import pytest

from batch.dataset.batch_encoder import AT_ONCE, BatchEncoder
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.errors import RejectedSample

POINTS = np.array([[50.0, 60], [110, 60], [80, 90], [55, 120], [105, 120]])


class Toy:
    """Latents that are sums of pixels; in company, if it is fickle, a little otherwise."""

    image_size, latent_size = 8, 1

    def __init__(self, fickle: bool) -> None:
        self.fickle, self.calls = fickle, list[int]()

    def cut(self, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        if not image.any():
            raise RejectedSample("nothing to be seen")
        return image

    def embed(self, crops: np.ndarray) -> np.ndarray:
        self.calls.append(len(crops))
        sums = crops.reshape(len(crops), -1).sum(1, dtype=np.float32)[:, None]
        return sums + (1e-3 * len(crops) if self.fickle else 0.0)


def images(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(1).integers(1, 256, (count, 8, 8, 3)).astype(np.uint8))


@pytest.mark.parametrize(("fickle", "at_once"), [(False, AT_ONCE), (True, 1)])
def test_images_go_together_where_that_changes_nothing(fickle: bool, at_once: int) -> None:
    toy: Any = Toy(fickle)
    encoder = BatchEncoder(toy)
    assert encoder.at_once == at_once
    toy.calls.clear()
    some = images(10)
    together = encoder.latents(some, [POINTS] * 10)
    assert max(toy.calls) == at_once and sum(toy.calls) == 10
    one_by_one = [encoder.latents([image], [POINTS])[0] for image in some]
    assert all(np.array_equal(a, b) for a, b in zip(together, one_by_one, strict=True))


def test_faces_that_cannot_be_cut_out_have_no_latent() -> None:
    toy: Any = Toy(fickle=False)
    first, _, third = images(3)
    found = BatchEncoder(toy).latents([first, np.zeros_like(first), third], [POINTS] * 3)
    assert found[1] is None and found[0] is not None and found[2] is not None
    assert BatchEncoder(toy).latents([], []) == []


@pytest.mark.parametrize(("name", "at_once"), [("facenet", AT_ONCE), ("sface", 1)])
def test_facenet_takes_several_at_once_and_sface_one(name: str, at_once: int) -> None:
    """As measured; should a network or ONNX Runtime change, figures in docs change with it."""
    encoder = BatchEncoder(Encoder.load(name, threads=1))
    some = np.random.default_rng(2).integers(0, 256, (6, 160, 160, 3), np.uint8)
    together = encoder.latents(list(some), [POINTS] * 6)
    alone = [encoder.latents([image], [POINTS])[0] for image in some]
    assert all(np.array_equal(a, b) for a, b in zip(together, alone, strict=True))
    assert encoder.at_once in (1, at_once)
