# SPDX-License-Identifier: GPL-3.0-or-later
"""Sobol indices against closed forms, short lists, and rankings that are kept, stale or damaged."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegen_addon.artifacts import read_index
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.mapping import ranking
from facegen_addon.mapping.ranking import (
    Design,
    Ranking,
    block_indices,
    finished,
    independent_heads,
    linked_blocks,
    load_ranking,
    ranking_steps,
    short_list,
    stored_ranking,
)
from facegen_addon.mapping.surrogate import SurrogateEnsemble
from models.training import rank_sliders
from models.training.register import register
from tests.mapping.test_backward import small_ensemble
from tests.training.synthetic import SyntheticHead, synthetic_table

SCALES = np.array([0.5, 3.0, 1.0, 0.0, 2.0])
SHARES = SCALES**2 / (SCALES**2).sum()


def linear(z: np.ndarray) -> np.ndarray:
    return (z @ np.diag(SCALES)).astype(np.float32)


def normal_pool(columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(4000, columns)).astype(np.float32)


def singles(columns: int) -> list[np.ndarray]:
    return list(np.arange(columns)[:, None])


def test_indices_of_a_linear_function_are_its_shares_of_variance() -> None:
    found = block_indices(linear, normal_pool(5), singles(5), heads=4000)
    np.testing.assert_allclose(found.total, SHARES, atol=0.03)
    np.testing.assert_allclose(found.first, SHARES, atol=0.03)
    assert found.total[3] == found.first[3] == 0
    # The errors that are stated are the errors that there are.
    repeated = [
        block_indices(linear, normal_pool(5), singles(5), 400, seed) for seed in range(1, 30)
    ]
    spread = np.std([r.total * 1.0 for r in repeated], axis=0)
    stated = np.mean([r.total_error for r in repeated], axis=0)
    np.testing.assert_allclose(spread[[1, 4]], stated[[1, 4]], rtol=0.4)


def test_what_two_sliders_do_only_together_is_in_both_totals_and_in_neither_first() -> None:
    def product(z: np.ndarray) -> np.ndarray:
        return z[:, :1] * z[:, 1:2]

    found = block_indices(product, normal_pool(2), singles(2), heads=8000)
    np.testing.assert_allclose(found.total, 1, atol=0.1)
    np.testing.assert_allclose(found.first, 0, atol=0.1)
    (total,), (first,) = (
        getattr(block_indices(product, normal_pool(2), [np.array([0, 1])], 8000), name)
        for name in ("total", "first")
    )
    assert (total, first) == pytest.approx((1, 1), abs=0.05)


@given(st.lists(st.floats(0.1, 5), min_size=2, max_size=6), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_totals_never_fall_short_of_first_orders(scales: list[float], seed: int) -> None:
    """Whatever the function: here one that bends, of vectors of unit norm."""
    mixing = np.random.default_rng(seed).normal(size=(len(scales), 8)) * np.array(scales)[:, None]

    def bent(z: np.ndarray) -> np.ndarray:
        raw = np.tanh(z @ mixing) + 0.5
        return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)

    found = block_indices(bent, normal_pool(len(scales)), singles(len(scales)), 800, seed)
    assert (found.total >= found.first - 0.08).all()
    assert (found.total >= 0).all()
    assert found.total.sum() > 0.9


def test_a_block_keeps_its_correlation_and_the_others_lose_theirs() -> None:
    base = normal_pool(3)
    pool = np.stack([base[:, 0], base[:, 0] + 0.1 * base[:, 1], base[:, 0]], axis=1)
    rng = np.random.default_rng(1)
    heads = independent_heads(pool, [np.array([0, 1]), np.array([2])], rng, 3000)
    correlations = np.corrcoef(heads, rowvar=False)
    assert correlations[0, 1] > 0.95
    assert abs(correlations[0, 2]) < 0.1
    assert not independent_heads(pool, [np.array([1])], rng, 10)[:, [0, 2]].any()


def test_linked_blocks_are_chains_of_correlations() -> None:
    base = normal_pool(4)
    a, b, c, d = base.T
    constant = np.zeros_like(a)
    pool = np.stack([a, b, a + b, c, constant, d, c + 0.1 * d - c], axis=1).astype(np.float32)
    assert [block.tolist() for block in linked_blocks(pool)] == [[0, 1, 2], [5, 6]]
    assert linked_blocks(normal_pool(1)) == []


def test_nothing_to_explain_is_said() -> None:
    heads = normal_pool(2)[:10]
    with pytest.raises(UserError, match="make all heads alike"):
        Design(lambda z: np.ones((len(z), 4), np.float32), heads, heads)


def made_up(cumulative: list[float]) -> Ranking:
    count = len(cumulative)
    numbers = np.linspace(0.5, 0.1, count)
    return Ranking(
        "made up", tuple(f"p{i}" for i in range(count)), numbers, numbers / 10, numbers,
        np.array(cumulative), ("shape",), np.ones(1), np.ones(1), 0.4, 8, "sha", "digest",
    )  # fmt: skip


def test_a_short_list_is_the_first_from_which_the_share_is_kept() -> None:
    wobbling = made_up([0.4, 0.91, 0.89, 0.96, 1.0])
    assert [wobbling.count(share) for share in (0.3, 0.4, 0.9, 0.95, 0.99, 1)] == [1, 1, 4, 4, 5, 5]
    assert wobbling.short_list(0.9) == ("p0", "p1", "p2", "p3")
    assert made_up([1.0]).short_list(0.99) == ("p0",)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.01, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(UserError, match=r"give a number above 0, at most 1"):
        made_up([0.5, 1.0]).count(share)


@pytest.fixture
def head() -> SyntheticHead:
    return SyntheticHead(synthetic_table(6))


@pytest.fixture
def ranked(head: SyntheticHead) -> Ranking:
    return finished(ranking_steps(head, small_ensemble(6), "sha", heads=200))  # type: ignore[arg-type]


def test_a_model_is_ranked_by_falling_total(head: SyntheticHead, ranked: Ranking) -> None:
    assert sorted(ranked.names) == [f"p{i}" for i in range(6)]
    assert (np.diff(ranked.total) <= 0).all()
    assert ranked.cumulative[-1] == 1
    assert ranked.cumulative[0] < 0.9
    assert ranked.groups == tuple(head.table.guided_groups())
    again = finished(ranking_steps(head, small_ensemble(6), "sha", heads=200))  # type: ignore[arg-type]
    assert again.names == ranked.names
    np.testing.assert_array_equal(again.total, ranked.total)
    steps = list(ranking_steps(head, small_ensemble(6), "sha", heads=10))  # type: ignore[arg-type]
    assert steps == [(done, 12) for done in range(1, 13)]


def test_surrogates_of_another_model_are_refused(head: SyntheticHead) -> None:
    with pytest.raises(UserError, match="take 7 parameters, head model 'synthetic' guides 6"):
        finished(ranking_steps(head, small_ensemble(7), "sha", heads=10))  # type: ignore[arg-type]


@pytest.fixture
def folder(head: SyntheticHead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models of its own, with surrogates; and a user's folder."""
    monkeypatch.setenv("FACEGEN_MODELS", str(tmp_path))
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "user"))
    (tmp_path / "index.json").write_text("{}")
    register_surrogates(tmp_path, small_ensemble(6))
    return tmp_path


def register_surrogates(folder: Path, ensemble: SurrogateEnsemble) -> None:
    path = folder / "surrogate_synthetic.npz"
    np.savez(path, **ensemble.arrays())  # type: ignore[arg-type]
    register("surrogate_synthetic", path, licence="-", source="-", recipe="-")


def test_a_ranking_is_computed_once_and_kept(
    folder: Path, head: SyntheticHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stored_ranking(head) is None  # type: ignore[arg-type]
    first = load_ranking(head)  # type: ignore[arg-type]
    path = ranking.cached_path("synthetic")
    assert path.is_file()
    with monkeypatch.context() as without:
        without.setattr(ranking, "compute_steps", None)
        kept = load_ranking(head)  # type: ignore[arg-type]
        assert short_list(head, 0.9) == first.short_list(0.9)  # type: ignore[arg-type]
    assert (kept.names, kept.heads, kept.variance) == (first.names, first.heads, first.variance)
    np.testing.assert_array_equal(kept.cumulative, first.cumulative)


@pytest.mark.parametrize("damage", ["truncated", "another format", "nan", "lacking"])
def test_a_damaged_copy_is_made_anew(folder: Path, head: SyntheticHead, damage: str) -> None:
    names = load_ranking(head).names  # type: ignore[arg-type]
    path = ranking.cached_path("synthetic")
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:300])
    else:
        arrays = dict(np.load(path))
        if damage == "another format":
            facts = json.loads(str(arrays["facts"])) | {"format": 99}
            arrays["facts"] = np.array(json.dumps(facts))
        elif damage == "nan":
            arrays["total"] = np.full(6, np.nan)
        else:
            arrays["total"] = arrays["total"][:4]
        np.savez(path, **arrays)
    assert stored_ranking(head) is None  # type: ignore[arg-type]
    assert load_ranking(head).names == names  # type: ignore[arg-type]


def test_new_surrogates_make_a_ranking_stale(folder: Path, head: SyntheticHead) -> None:
    load_ranking(head)  # type: ignore[arg-type]
    ensemble = small_ensemble(6)
    register_surrogates(folder, replace(ensemble, biases=tuple(b + 1 for b in ensemble.biases)))
    assert stored_ranking(head) is None  # type: ignore[arg-type]


def test_without_surrogates_there_is_no_ranking(folder: Path, head: SyntheticHead) -> None:
    other = replace(head, name="flame_0123")
    assert stored_ranking(other) is None  # type: ignore[arg-type]
    with pytest.raises(UserError, match="nothing has been trained for flame_0123 yet"):
        load_ranking(other)  # type: ignore[arg-type]


def test_the_recipe_registers_a_ranking_of_a_model_of_the_catalogue(
    folder: Path,
    head: SyntheticHead,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(rank_sliders, "load_head_model", lambda name: head)
    monkeypatch.setitem(rank_sliders.HEAD_MODELS, "synthetic", lambda: head)
    assert rank_sliders.main(["--model", "synthetic", "--heads", "30"]) == 0
    assert "of 6 sliders" in capsys.readouterr().out
    entry = read_index()["ranking_synthetic"]
    assert (entry["heads"], entry["recipe"]) == (30, "rank_sliders.py")
    found = stored_ranking(head)  # type: ignore[arg-type]
    assert found is not None and found.heads == 30
    assert not ranking.cached_path("synthetic").exists()
    (folder / "ranking_synthetic.npz").write_bytes(b"no archive")
    with pytest.raises(UserError, match="ranking_synthetic"):
        stored_ranking(head)  # type: ignore[arg-type]


def test_the_recipe_keeps_a_users_model_with_the_user(
    folder: Path, head: SyntheticHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_sliders, "load_head_model", lambda name: head)
    assert rank_sliders.main(["--model", "synthetic", "--heads", "10"]) == 0
    assert ranking.cached_path("synthetic").is_file()
    assert "ranking_synthetic" not in read_index()


def test_the_recipe_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert rank_sliders.main(["--model", "nobody"]) == 2
    assert "unknown head model 'nobody'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        rank_sliders.main(["--heads", "1"])
    with pytest.raises(SystemExit):
        rank_sliders.main(["--heads", "few"])


@pytest.mark.parametrize("name", ["anny", "open_flame"])
def test_committed_rankings_are_of_the_present_surrogates(name: str) -> None:
    """After training, models/training/rank_sliders.py is due."""
    model = load_head_model(name)
    found = stored_ranking(model)
    assert found is not None
    assert set(found.names) == {model.table.names[column] for column in model.table.guided}
    counts = [found.count(share) for share in (0.9, 0.95, 0.99)]
    assert counts == sorted(counts) and counts[0] < counts[2] < len(found.names)
    assert found.cumulative[counts[1] - 1] >= 0.95
