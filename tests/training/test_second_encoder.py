# SPDX-License-Identifier: GPL-3.0-or-later
"""The chapter about the second encoder, on encoders in closed form that agree or do not."""

import zlib
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from facegen_addon.encoders.encoder import DEFAULT_ENCODER, Encoder, EncoderSource
from facegen_addon.errors import RejectedSample, UserError
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.inversion import InversionSettings, TrustRegion
from facegen_addon.report.section import Section
from facegen_addon.scene.render.view import View
from models.training import pairs
from models.training.render_pool import Chunk, render_chunk
from models.training.report import second_encoder, study
from tests.mapping.test_backward import LinearNetwork, small_ensemble
from tests.training.conftest import SyntheticNature
from tests.training.synthetic import SyntheticForward, SyntheticHead

WIDTHS = {DEFAULT_ENCODER: 512, second_encoder.SECOND: 128}
THRESHOLDS = {DEFAULT_ENCODER: 0.3, second_encoder.SECOND: 0.4}


class Witness:
    """FaceNet's stand-in and beside it a second one: `agrees`, or sees something else."""

    def __init__(self, forward: SyntheticForward, agrees: bool) -> None:
        self._forward, self._agrees, self.rendered = forward, agrees, 0
        self._turn = np.random.default_rng(0).normal(size=(512, 128))

    def __call__(self, parameters: np.ndarray) -> np.ndarray:
        self.rendered += len(parameters)
        first = self._forward(parameters)
        # The same head has the same latent in either case.
        noise = np.random.default_rng(zlib.crc32(parameters.tobytes())).normal(size=(1, 128))
        second = first @ self._turn if self._agrees else noise
        return np.concatenate([first, second / np.linalg.norm(second, axis=1)[:, None]], axis=1)


@pytest.fixture
def run(
    models: Path,
    head: SyntheticHead,
    forward: SyntheticForward,
    nature: SyntheticNature,
    monkeypatch: pytest.MonkeyPatch,
):
    """Runs the chapter at its quick size or a middling one; `agrees` says what the witness sees."""
    ensemble = small_ensemble(len(head.table.guided))
    settings = InversionSettings.of(head.table)
    region = TrustRegion.of(head.table, settings, np.eye(ensemble.inputs))
    network = LinearNetwork(ensemble)
    parts = (head.table, ensemble, region, settings, network)
    mapping = BackwardMapping.assemble(*parts)  # type: ignore[arg-type]
    monkeypatch.setattr(BackwardMapping, "load", lambda name, table: mapping)
    monkeypatch.setattr(study.NaturalFaces, "load", lambda: nature)
    monkeypatch.setattr(study.Study, "has_real_faces", False)

    def load(name: str, *, threads: int) -> Encoder:
        return Encoder(name, THRESHOLDS[name], 8, WIDTHS[name], None)  # type: ignore[arg-type]

    monkeypatch.setattr(second_encoder.Encoder, "load", load)
    source = EncoderSource(second_encoder.SECOND, models, "0" * 64, {}, registered=True)
    monkeypatch.setattr(second_encoder, "find_encoder", lambda name: source)
    monkeypatch.setattr(second_encoder, "HEADS", (40, 8))
    monkeypatch.setattr(second_encoder, "AGAIN", (10, 8))
    monkeypatch.setattr(second_encoder, "_DRAWS", 50)

    def run(agrees: bool, quick: bool = False) -> tuple[Section, Witness]:
        witness = Witness(forward, agrees)
        options = Namespace(
            model="synthetic", workers=1, threads=1, samples=1, quick=quick, view=View()
        )
        return second_encoder.chapter(study.Study(options, witness)), witness

    return run


def test_an_agreeing_witness_agrees(run) -> None:
    section, witness = run(agrees=True)
    assert witness.rendered == 40 + 10 + 10
    everything = section.data["agreement"][0]
    assert everything["heads"] == "all" and everything["pairs"] == 780
    assert everything["spearman"]["value"] > 0.8
    assert everything["spearman"]["low"] < everything["spearman"]["value"]
    assert section.data["decisions"]["matched_kappa"] > 0.5
    for row in section.data["thresholds"]:
        # Light and noise change nothing in closed form, so the same head is always nearer.
        assert row["area"]["value"] == 1 and row["light_same"] == 1
        assert row["noise_median"] == pytest.approx(0, abs=1e-5)


def test_a_witness_that_sees_something_else_does_not(run) -> None:
    section, _ = run(agrees=False)
    assert abs(section.data["agreement"][0]["spearman"]["value"]) < 0.3
    assert section.data["decisions"]["matched_kappa"] < 0.3


def test_shares_and_sets_add_up(run) -> None:
    data = run(agrees=False)[0].data
    found = data["decisions"]
    cells = [found[key] for key in ("both", "first_only", "second_only", "neither")]
    assert sum(cells) == pytest.approx(1)
    given_first = found["both"] / (found["both"] + found["first_only"])
    assert found["second_given_first"]["value"] == pytest.approx(given_first)
    variety = data["variety"]
    assert variety["first"]["minimum"] >= THRESHOLDS[DEFAULT_ENCODER]
    assert variety["first"]["apart"] == 1
    assert variety["kept_by_second"] <= variety["heads"] <= variety["of"] == 40


def test_the_quick_form_has_no_holes(run) -> None:
    section, witness = run(agrees=True, quick=True)
    assert witness.rendered == 24
    text = section.markdown()
    assert "nan" not in text and text.count("|---") >= 4
    assert "samples of the density" in text
    assert "<svg" in section.figures[0].html


def test_nothing_is_rendered_twice(run) -> None:
    first, _ = run(agrees=True)
    again, witness = run(agrees=True)
    assert witness.rendered == 0 and again.data == first.data


def test_a_second_encoder_that_is_not_built_names_the_remedy(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str, *, threads: int) -> Encoder:
        raise UserError("sface.onnx is missing: `sh tools/set_up.sh runtime sface` builds it")

    monkeypatch.setattr(second_encoder.Encoder, "load", missing)
    with pytest.raises(UserError, match="set_up"):
        run(agrees=True)


values = st.lists(st.integers(0, 20), min_size=2, max_size=30)


@given(values)
def test_ranks_are_scipys(numbers: list[int]) -> None:
    np.testing.assert_allclose(second_encoder.ranks(np.array(numbers)), stats.rankdata(numbers) - 1)


@given(values, values)
def test_area_under_the_curve_counts_pairs(same: list[int], different: list[int]) -> None:
    a, b = np.array(same), np.array(different)
    expected = (a[:, None] < b).mean() + 0.5 * (a[:, None] == b).mean()
    assert second_encoder.area_under_curve(a, b) == pytest.approx(expected)


def test_kappa_of_agreement_chance_and_one_sided_decisions() -> None:
    a = np.arange(100) % 2 == 0
    b = np.arange(100) % 4 < 2
    assert second_encoder.kappa(a, a) == 1
    assert second_encoder.kappa(a, b) == pytest.approx(0)
    assert second_encoder.kappa(a, ~a) == -1
    assert second_encoder.kappa(a | True, a | True) == 1


def test_a_head_drawn_twice_makes_no_pair_with_itself() -> None:
    i, j = second_encoder.pairs_of(np.array([3, 3, 5]))
    assert sorted(zip(i.tolist(), j.tolist(), strict=True)) == [(3, 5), (3, 5)]


def test_correlation_of_what_does_not_vary_is_undefined() -> None:
    assert np.isnan(second_encoder.correlation(np.ones(5), np.arange(5)))
    assert np.isnan(second_encoder.correlation(np.zeros(0), np.zeros(0)))


def test_latents_of_any_width_become_chunks(head: SyntheticHead, tmp_path: Path) -> None:
    """Rejected heads included: their rows are as wide as the others'."""
    z = pairs.quantised(np.random.default_rng(0).normal(size=(5, len(head.table.guided))))
    steps: list[int] = []

    def forward(parameters: np.ndarray) -> np.ndarray:
        if not steps:
            raise RejectedSample("no face")
        return np.ones((1, 640), np.float32)

    render_chunk(head.table, Chunk(tmp_path / "chunk_0.npz", z), forward, steps.append)
    heads, usable = pairs.read_batch(tmp_path)
    assert heads.latents.shape == (5, 640) and steps == [1] * 5
    assert usable.tolist() == [False, True, True, True, True]
