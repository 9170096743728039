# SPDX-License-Identifier: GPL-3.0-or-later
"""Gap filling on a synthetic head model, and earlier runs read with every damage."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.latent.metrics import nearest_neighbour_distances
from facegen_addon.latent.sphere import cosine_distance_matrix, normalise
from facegen_addon.mapping import gaps
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.gaps import propose_gap_fillers, read_achieved
from tests.mapping.test_backward import (
    REGION,
    SETTINGS,
    TABLE,
    LinearNetwork,
    reachable_latents,
    small_ensemble,
)


@pytest.fixture(autouse=True)
def few_anchors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three groups need no thousand samples."""
    monkeypatch.setattr(gaps, "_ANCHORS", 120)


class Nature:
    """Real faces in three groups, of which heads may have reached one or two."""

    def __init__(self, backward: BackwardMapping) -> None:
        self._centres = reachable_latents(backward, 3, seed=7)

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        centres = self._centres[rng.integers(3, size=n)]
        noise = 0.01 * rng.standard_normal((n, 512))
        return normalise(centres + noise).astype(np.float32)

    def around(self, group: int, n: int) -> np.ndarray:
        noise = 0.01 * np.random.default_rng(group).standard_normal((n, 512))
        return normalise(self._centres[group] + noise).astype(np.float32)


@pytest.fixture(scope="module")
def backward() -> BackwardMapping:
    ensemble = small_ensemble()
    return BackwardMapping.assemble(TABLE, ensemble, REGION, SETTINGS, LinearNetwork(ensemble))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def nature(backward: BackwardMapping) -> Any:
    return Nature(backward)


@pytest.mark.parametrize("grade", ["refined", "direct"])
def test_heads_go_where_none_is(backward: BackwardMapping, nature: Any, grade: Any) -> None:
    """Two of three groups are covered: the first new head is for the third."""
    there = np.concatenate([nature.around(0, 5), nature.around(2, 5)])
    proposal = propose_gap_fillers(
        backward, nature, np.random.default_rng(1), 3, there, grade=grade
    )
    nearest = cosine_distance_matrix(proposal.requested[:1], np.stack(
        [nature.around(group, 1)[0] for group in range(3)]
    ))  # fmt: skip
    assert np.argmin(nearest) == 1
    assert proposal.requested.shape == (3, 512)
    np.testing.assert_allclose(
        proposal.predicted, backward.predicted(TABLE.standardise(proposal.parameters)), atol=1e-5
    )


def test_filling_gaps_covers_better_than_drawing_on(backward: BackwardMapping, nature: Any) -> None:
    """By the surrogates' own measure, on people that the search has not seen."""
    rng = np.random.default_rng(3)
    people = nature.sample(rng, 200)
    there = backward.predicted(backward.standardised(nature.around(0, 4)))
    drawn = backward.predicted(backward.standardised(nature.sample(rng, 4)))
    steered = propose_gap_fillers(backward, nature, rng, 4, there).predicted
    covered = [
        nearest_neighbour_distances(people, np.concatenate([there, more])).mean()
        for more in (drawn, steered)
    ]
    assert covered[1] < covered[0]


def test_same_seed_same_heads_and_none_need_be_there(
    backward: BackwardMapping, nature: Any
) -> None:
    nobody = np.zeros((0, 512), np.float32)
    first, second = (
        propose_gap_fillers(backward, nature, np.random.default_rng(5), 4, nobody) for _ in "ab"
    )
    assert first.parameters.tobytes() == second.parameters.tobytes()
    assert first.parameters.shape == (4, len(TABLE))


def test_with_a_distance_the_first_heads_are_pushed_apart(
    backward: BackwardMapping, nature: Any
) -> None:
    nobody = np.zeros((0, 512), np.float32)
    told: list[tuple[int, int]] = []

    def closest(distance: float | None) -> float:
        proposal = propose_gap_fillers(
            backward, nature, np.random.default_rng(2), 3, nobody, distance,
            progress=lambda done, total: told.append((done, total)),
        )  # fmt: skip
        distances = cosine_distance_matrix(proposal.predicted)
        return float(distances[np.triu_indices(3, 1)].min())

    free = closest(None)
    assert closest(1.2 * free) > 1.1 * free
    assert all(done <= total for done, total in told) and told


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("name", ["heads.npz", "roundtrip.npz"])
def test_runs_are_read_by_folder_and_by_file(tmp_path: Path, name: str) -> None:
    latents = normalise(np.random.default_rng(0).standard_normal((3, 512)))
    path = write(tmp_path / name, achieved=latents, model="anny")
    for run in (tmp_path, path):
        np.testing.assert_allclose(read_achieved(run, "anny"), latents, atol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "named"),
    [
        ({"achieved": np.eye(2, 512), "model": "open_flame"}, ["'open_flame'", "'anny'"]),
        ({"achieved": np.eye(2, 512)}, ["no achieved latents"]),
        ({"parameters": np.ones((2, 9)), "model": "anny"}, ["no achieved latents"]),
        ({"achieved": np.zeros((0, 512)), "model": "anny"}, ["no heads"]),
        ({"achieved": np.eye(2, 128), "model": "anny"}, ["(2, 128)", "512"]),
        ({"achieved": np.zeros((2, 512)), "model": "anny"}, ["norm 0"]),
        ({"achieved": np.full((2, 512), np.nan), "model": "anny"}, ["NaN"]),
        ({"achieved": np.array(["a", "b"]), "model": "anny"}, ["no numbers"]),
        ({"achieved": np.array(0.5), "model": "anny"}, ["shape"]),
        (
            {"achieved": np.eye(2, 512), "model": "anny", "usable": np.zeros(2, bool)},
            ["no heads"],
        ),
        (
            {"achieved": np.eye(2, 512), "model": "anny", "usable": np.ones(3, bool)},
            ["showed a face"],
        ),
    ],
)
def test_a_wrong_run_is_one_line_that_names_it(
    tmp_path: Path, arrays: dict[str, Any], named: list[str]
) -> None:
    write(tmp_path / "heads.npz", **arrays)
    with pytest.raises(UserError) as caught:
        read_achieved(tmp_path, "anny")
    message = str(caught.value)
    assert "\n" not in message
    for part in ["heads.npz", *named]:
        assert part in message


def test_heads_that_showed_no_face_cover_nobody(tmp_path: Path) -> None:
    """`measure` keeps their rows, with latents of zero."""
    achieved, usable = np.eye(3, 512, dtype=np.float32), np.array([True, False, True])
    achieved[1] = 0
    write(tmp_path / "roundtrip.npz", achieved=achieved, usable=usable, model="anny")
    np.testing.assert_array_equal(read_achieved(tmp_path, "anny"), achieved[usable])


def test_a_run_by_another_encoder_is_no_map_of_this_ones_heads(tmp_path: Path) -> None:
    """Of the same width, its latents would be taken for this one's."""
    latents = np.eye(2, 512, dtype=np.float32)
    write(tmp_path / "heads.npz", achieved=latents, model="anny", encoder="tiny-0123")
    np.testing.assert_array_equal(read_achieved(tmp_path, "anny", "tiny-0123"), latents)
    with pytest.raises(UserError, match=r"heads\.npz has latents of encoder 'tiny-0123', not 'fac"):
        read_achieved(tmp_path, "anny")
    write(tmp_path / "heads.npz", achieved=latents, model="anny")
    with pytest.raises(UserError, match=r"encoder 'facenet', not 'tiny-0123'"):
        read_achieved(tmp_path, "anny", "tiny-0123")


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"neither heads\.npz nor roundtrip\.npz"):
        read_achieved(tmp_path, "anny")
    with pytest.raises(UserError, match="missing"):
        read_achieved(tmp_path / "nowhere", "anny")
    (tmp_path / "heads.npz").write_bytes(b"PK no archive")
    with pytest.raises(UserError, match=r"heads\.npz is not a whole"):
        read_achieved(tmp_path, "anny")
