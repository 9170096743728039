# SPDX-License-Identifier: GPL-3.0-or-later
"""How far noise moves latents and what less of it costs, by an F known exactly."""

import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.sphere import normalise
from models.training import measure_noise
from models.training.measure_noise import AS_EVER, COLUMNS, WAYS, Way, measure, table, varied_heads


def test_a_row_says_how_far_noise_moves_latents_and_what_it_costs() -> None:
    heads = normalise(np.random.default_rng(0).standard_normal((5, 64)))

    def see(head: np.ndarray, way: Way, seed: int) -> tuple[np.ndarray, float]:
        """Noise falls with the root of the samples; a clamp draws all latents to one side."""
        noise = 0.1 * np.random.default_rng(seed).standard_normal(64) / way["samples"] ** 0.5
        bias = 0.5 * np.eye(64)[0] if "sample_clamp_direct" in way else 0.0
        return normalise((head + bias + noise)[None])[0], 1.0 + 0.1 * way["samples"]

    ways = {name: WAYS[name] for name in (AS_EVER, "24 samples", "8, clamped at 1")}
    rows = {
        row[0]: dict(zip(COLUMNS, row, strict=True)) for row in table(measure(heads, see, ways))
    }
    usual, finer, clamped = rows.values()
    off = "from 256 samples"
    assert 0 < 2 * float(finer[off]) < float(usual[off]) < float(clamped[off])
    assert float(finer["another seed"]) < float(usual["another seed"])
    assert usual["cost"] == "1.00" and finer["cost"] == f"{3.4 / 1.8:.2f}"


def test_heads_are_as_different_as_they_come() -> None:
    model = load_head_model("person")
    heads = varied_heads(model, 8, 0)
    sex, age, lightness = model.attributes(heads).T
    assert len(np.unique(heads, axis=0)) == 8
    assert lightness[[0, 2]].max() + 25 < lightness[[1, 3]].min()
    assert age[6] + 25 < age[[4, 5]].min()
    assert (sex[[0, 1, 5, 7]] > 0.5).all() and (sex[[2, 3, 4, 6]] < 0.5).all()
    np.testing.assert_array_equal(varied_heads(model, 3, 0), heads[:3])


def test_ways_that_are_none_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure_noise.main(["--ways", "9 samples"]) == 2
    assert "9 samples" in capsys.readouterr().err
