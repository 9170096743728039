# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering pairs: seeds per head, resuming, rejected heads, the committed table."""

from pathlib import Path

import numpy as np
import pytest

from facegen_addon.artifacts import read_index
from facegen_addon.errors import RejectedSample, UserError
from facegen_addon.scene.render.view import View
from facegen_addon.terminal.pool_worker import PIPE_VARIABLE
from models.training import pairs, render_pairs, render_pool
from tests.pool_here import PoolHere
from tests.training.synthetic import SyntheticForward, SyntheticHead

INITIAL = ["initial", "--model", "synthetic", "--count", "230"]


def test_pairs_are_what_forward_says(
    models: Path, head: SyntheticHead, forward: SyntheticForward
) -> None:
    assert render_pairs.main(INITIAL, forward) == 0
    data = pairs.load_pairs("synthetic", head.table)
    assert len(data) == 230
    expected = forward(head.table.from_standardised(data.z))
    np.testing.assert_allclose(data.latents, expected, atol=1e-4)


def test_a_longer_run_keeps_its_first_heads(head: SyntheticHead) -> None:
    short, long = (render_pairs.initial_heads(head, n, seed=3) for n in (20, 30))
    np.testing.assert_array_equal(long[:20], short)
    assert not np.array_equal(short, render_pairs.initial_heads(head, 20, seed=4))


def test_a_killed_run_goes_on_where_it_stopped(models: Path, forward: SyntheticForward) -> None:
    rendered = []

    def dying(parameters: np.ndarray) -> np.ndarray:
        if len(rendered) == 150:
            raise KeyboardInterrupt
        rendered.append(1)
        return forward(parameters)

    with pytest.raises(KeyboardInterrupt):
        render_pairs.main(INITIAL, dying)
    rendered.clear()
    # The first chunk of 100 was whole; 130 heads are left, so 150 are not reached again.
    assert render_pairs.main(INITIAL, dying) == 0
    assert len(rendered) == 130


def test_rejected_heads_leave_no_pair(
    models: Path, head: SyntheticHead, forward: SyntheticForward
) -> None:
    def fussy(parameters: np.ndarray) -> np.ndarray:
        if parameters[0, 0] > 0:
            raise RejectedSample("no face")
        return forward(parameters)

    assert render_pairs.main(INITIAL, fussy) == 0
    data = pairs.load_pairs("synthetic", head.table)
    assert 50 < len(data) < 180
    assert (data.z[:, 0] <= 0).all()


def test_table_keeps_parameters_exactly_and_latents_nearly(
    models: Path, head: SyntheticHead, forward: SyntheticForward
) -> None:
    render_pairs.main(INITIAL, forward)
    rendered = pairs.load_pairs("synthetic", head.table)
    assert render_pairs.main(["pack", "--model", "synthetic"]) == 0
    assert read_index()["pairs_synthetic"]["shapes"]["latents"] == [230, 512]
    for chunk in models.glob("built/**/chunk_*.npz"):
        chunk.unlink()
    table = pairs.load_pairs("synthetic", head.table)
    np.testing.assert_array_equal(table.z, rendered.z)
    assert (1 - np.sum(table.latents * rendered.latents, axis=1)).max() < 2e-4


def test_no_pairs_at_all_is_an_error(models: Path, head: SyntheticHead) -> None:
    with pytest.raises(UserError, match="pairs_synthetic"):
        pairs.load_pairs("synthetic", head.table)


def test_batches_are_read_in_the_order_they_were_made(models: Path) -> None:
    for name in ("round_10", "initial", "round_2"):
        z = np.zeros((1, 3), np.float32)
        path = pairs.chunk_path(pairs.batch_folder("synthetic", name), 0)
        pairs.write_chunk(path, z, np.ones((1, 512)), np.ones(1, bool))
    assert pairs.batch_names("synthetic") == ["initial", "round_2", "round_10"]


@pytest.mark.parametrize("count", ["0", "-3", "many"])
def test_bad_counts_are_refused(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        render_pairs.main(["initial", "--count", count])
    assert stop.value.code == 2
    assert count in capsys.readouterr().err


def test_unknown_model_is_one_line(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render_pairs.main(["initial", "--model", "nobody"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def in_workers(models: Path, forward: SyntheticForward, workers: int) -> PoolHere:
    """Render by workers, whose F is this; what they were asked for."""
    pool = PoolHere(render_pool.rendering)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render_pool, "Pool", pool)
        patch.setattr(render_pool, "load_forward", lambda *asked: forward)
        assert render_pairs.main([*INITIAL, "--workers", str(workers)]) == 0
    return pool


def test_workers_make_the_chunks_that_one_process_makes(
    models: Path, forward: SyntheticForward, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render_pairs.main(INITIAL, forward) == 0
    chunks = sorted(models.glob("built/**/chunk_*.npz"))
    alone = [path.read_bytes() for path in chunks]
    chunks[0].unlink()
    chunks[2].write_bytes(b"half")
    capsys.readouterr()
    pool = in_workers(models, forward, 3)
    assert [path.read_bytes() for path in chunks] == alone
    assert [job.path for job in pool.jobs] == [chunks[0], chunks[2]]
    assert "100 %" in capsys.readouterr().err
    assert pool.size == 3 and pool.command[-1] == "worker"
    assert pool.set_up == render_pool.SetUp("synthetic", 8, 1, View())
    assert in_workers(models, forward, 3).jobs == [], "nothing is left to be done"


def test_a_worker_without_a_pool_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(PIPE_VARIABLE, raising=False)
    assert render_pairs.main(["worker"]) == 2
    assert capsys.readouterr().err == (
        "render_pairs: this is started by scripts that render: run that\n"
    )
