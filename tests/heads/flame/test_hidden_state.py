# SPDX-License-Identifier: GPL-3.0-or-later
"""What a FLAME head is depends on its file and the landmarks beside it, not on earlier runs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.artifacts import load_npz
from facegen_addon.heads.catalogue import forget_models, load_head_model
from facegen_addon.heads.flame import dressing, open_head
from facegen_addon.heads.flame.head import FITTED, FlameHead
from facegen_addon.heads.flame.open_head import EMBEDDING_FILE, flame_head_from_file
from facegen_addon.labels.regions import below_jaw

LANDMARKS = "landmarks of the FLAME file"


@pytest.fixture(autouse=True)
def own_user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user folder of this test alone; models are read anew before and after."""
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "user"))
    forget_models()
    yield tmp_path / "user"
    forget_models()


def flame_file(folder: Path) -> Path:
    """The open head's file as a user's own; its dressing takes no time."""
    folder.mkdir(exist_ok=True)
    np.savez(folder / "f.npz", **load_npz("open_flame"))  # type: ignore[arg-type]
    return folder / "f.npz"


def put_landmarks(folder: Path, seed: int = 0, count: int = 68) -> None:
    """An official embedding of random places; the first 68 are the same for every count."""
    triangle = np.random.default_rng(seed).integers(0, 2000, 68)
    extra = np.arange(count - 68)
    table = {
        "full_lmk_faces_idx": np.concatenate([triangle, extra])[None],
        "full_lmk_bary_coords": np.full((1, count, 3), 1 / 3),
    }
    np.save(folder / EMBEDDING_FILE, np.array(table, object), allow_pickle=True)


def loaded_anew(path: Path) -> FlameHead:
    """The head as another process would load it."""
    forget_models()
    head = load_head_model(str(path))
    assert isinstance(head, FlameHead)
    return head


def cached(user: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in user.rglob("*") if p.is_file()}


def test_landmarks_in_another_folder_change_nothing(tmp_path: Path, own_user_folder: Path) -> None:
    alone, official = flame_file(tmp_path / "a"), flame_file(tmp_path / "b")
    put_landmarks(tmp_path / "b")
    first = loaded_anew(alone)
    before = cached(own_user_folder)
    other = loaded_anew(official)
    again = loaded_anew(alone)
    assert cached(own_user_folder) == before, "a cache holds what its key determines"
    for name in ("triangle", "bary"):
        one, two = (getattr(head.landmark_embedding, name) for head in (first, again))
        np.testing.assert_array_equal(one, two)
    assert (other.landmark_embedding.triangle != first.landmark_embedding.triangle).any()
    regions = [below_jaw(head) for head in (first, again, other)]
    np.testing.assert_array_equal(regions[0], regions[1])
    assert (regions[0] != regions[2]).any(), "the segmentation follows the landmarks"


def test_the_sources_tell_landmarks_apart(tmp_path: Path) -> None:
    alone, official = flame_file(tmp_path / "a"), flame_file(tmp_path / "b")
    put_landmarks(tmp_path / "b")
    one, two = loaded_anew(alone).sources, loaded_anew(official).sources
    assert {name for name in one if one[name] != two[name]} == {LANDMARKS}
    assert one[LANDMARKS] == FITTED
    assert "FLAME file" in one and "dressing of the FLAME file" in one


def test_other_landmarks_in_the_same_place_are_read_in_the_same_process(tmp_path: Path) -> None:
    path = flame_file(tmp_path / "a")
    found = [load_head_model(str(path)).sources[LANDMARKS]]
    for seed in (0, 1):
        put_landmarks(tmp_path / "a", seed)
        found.append(load_head_model(str(path)).sources[LANDMARKS])
    (tmp_path / "a" / EMBEDDING_FILE).unlink()
    found.append(load_head_model(str(path)).sources[LANDMARKS])
    assert found[0] == found[3] == FITTED and len(set(found)) == 3


def test_a_name_stands_for_the_file_alone(tmp_path: Path) -> None:
    """Whether the process has loaded it from its path, or finds it in the cache."""
    path = flame_file(tmp_path / "b")
    put_landmarks(tmp_path / "b")
    official = loaded_anew(path)
    warm = load_head_model(official.name)
    forget_models()
    cold = load_head_model(official.name)
    for head in (warm, cold):
        assert head.sources[LANDMARKS] == FITTED
        assert head.name == official.name
    assert official.sources[LANDMARKS] != FITTED


def test_of_seventy_landmarks_the_first_68_serve(tmp_path: Path) -> None:
    path = flame_file(tmp_path / "a")
    put_landmarks(tmp_path / "a")
    of_68 = loaded_anew(path).sources
    put_landmarks(tmp_path / "a", count=70)
    assert loaded_anew(path).sources == of_68, "the same labels, the same digest"


@pytest.mark.parametrize("change", ["format", "NumPy"])
def test_a_dressing_is_cached_by_all_that_made_it(
    tmp_path: Path, own_user_folder: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = flame_file(tmp_path / "a")
    loaded_anew(path)
    folder = own_user_folder / "dressing"
    (before,) = folder.iterdir()
    if change == "format":
        monkeypatch.setattr(dressing, "FORMAT", dressing.FORMAT + 1)
    else:
        monkeypatch.setattr(open_head.np, "__version__", "99.0")
    made = loaded_anew(path)
    assert len(list(folder.iterdir())) == 2 and before.is_file()
    loaded_anew(path)
    assert len(list(folder.iterdir())) == 2
    assert made.sources == loaded_anew(path).sources


def test_the_digest_of_a_dressing_sees_every_array(tmp_path: Path) -> None:
    made = flame_head_from_file(flame_file(tmp_path / "a")).dressing
    again = dressing.from_arrays(dressing.to_arrays(made))
    assert dressing.digest(again) == dressing.digest(made)
    arrays = dressing.to_arrays(made)
    for name, values in arrays.items():
        changed = np.array(values)
        changed.flat[0] = 1 - changed.flat[0]
        other = dressing.from_arrays({**arrays, name: changed})
        assert dressing.digest(other) != dressing.digest(made), name


@pytest.mark.parametrize("name", ["open_flame", "anny"])
def test_models_of_the_project_are_known_by_all_their_artifacts(name: str) -> None:
    assert "anny_head" in load_head_model(name).sources, "the open head's surface, too"
