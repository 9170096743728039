# SPDX-License-Identifier: GPL-3.0-or-later
"""Artifacts: found by name, refused when missing, truncated, changed or not finite."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facegen_addon import artifacts
from facegen_addon.errors import Need, Remedy, UserError
from models.training import register as register_recipe


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with one registered artifact, "numbers"."""
    monkeypatch.setenv("FACEGEN_MODELS", str(tmp_path))
    np.savez(tmp_path / "numbers.npz", values=np.arange(6.0).reshape(2, 3))
    register(tmp_path / "numbers.npz")
    return tmp_path


def register(file: Path) -> None:
    register_recipe.register("numbers", file, licence="CC0-1.0", source="here", recipe="count.py")


def test_register_measures_hash_size_and_shapes(models: Path) -> None:
    entry = artifacts.read_index()["numbers"]
    assert entry["bytes"] == (models / "numbers.npz").stat().st_size
    assert entry["shapes"] == {"values": [2, 3]}
    assert entry["file"] == "numbers.npz"


def test_load_npz_returns_what_was_registered(models: Path) -> None:
    assert artifacts.artifact_path("numbers") == models / "numbers.npz"
    np.testing.assert_array_equal(artifacts.load_npz("numbers")["values"][1], [3, 4, 5])


def test_index_keeps_a_shape_on_one_line(models: Path) -> None:
    assert '"values": [2, 3]' in (models / "index.json").read_text()


def test_registering_again_keeps_other_entries(models: Path) -> None:
    register_recipe.register(
        "others", models / "numbers.npz", licence="l", source="s", recipe="r", threshold=0.51
    )
    assert set(artifacts.read_index()) == {"numbers", "others"}
    assert artifacts.artifact("others").facts["threshold"] == 0.51


@pytest.mark.parametrize("changed", [False, True])
def test_what_was_measured_of_a_file_holds_until_it_changes(models: Path, changed: bool) -> None:
    index = artifacts.read_index()
    index["numbers"]["different_people"] = {"median": 1.0}
    register_recipe.write_index(index, models / "index.json")
    if changed:
        np.savez(models / "numbers.npz", values=np.arange(7.0))
    register(models / "numbers.npz")
    assert ("different_people" in artifacts.read_index()["numbers"]) is not changed


def test_unknown_name_lists_the_known_ones(models: Path) -> None:
    with pytest.raises(UserError, match=r"unknown artifact 'letters'.*numbers"):
        artifacts.load_npz("letters")


def test_missing_file_names_file_and_remedy(models: Path) -> None:
    (models / "numbers.npz").unlink()
    with pytest.raises(UserError, match=r"numbers\.npz is missing$") as caught:
        artifacts.load_npz("numbers")
    assert caught.value.need == Need(Remedy.RESTORE)


def test_truncated_file_is_refused(models: Path) -> None:
    file = models / "numbers.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match=r"numbers\.npz is truncated, 100 of \d+ bytes"):
        artifacts.load_npz("numbers")


def test_changed_file_is_refused(models: Path) -> None:
    file = models / "numbers.npz"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"numbers\.npz does not have the sha256"):
        artifacts.load_npz("numbers")


def test_a_built_artifact_is_to_be_built(models: Path) -> None:
    (models / "built").mkdir()
    np.savez(models / "built" / "numbers.npz", values=np.zeros(3))
    register(models / "built" / "numbers.npz")
    (models / "built" / "numbers.npz").unlink()
    with pytest.raises(UserError, match=r"numbers\.npz is missing$") as caught:
        artifacts.load_npz("numbers")
    assert caught.value.need == Need(Remedy.BUILD_ENCODER, "numbers")


@pytest.mark.parametrize("text", ["{", "[]", '{"numbers": {"file": "numbers.npz"}}'])
def test_damaged_index_is_one_clear_line(models: Path, text: str) -> None:
    (models / "index.json").write_text(text)
    with pytest.raises(UserError, match=r"index\.json") as caught:
        artifacts.load_npz("numbers")
    assert "\n" not in str(caught.value)


def test_missing_index_names_the_folder(models: Path) -> None:
    (models / "index.json").unlink()
    with pytest.raises(UserError, match=r"index\.json is missing.*FACEGEN_MODELS"):
        artifacts.read_index()


def test_read_npz_refuses_nan(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", values=np.array([1.0, np.nan]))
    with pytest.raises(UserError, match="array 'values' holds NaN"):
        artifacts.read_npz(tmp_path / "a.npz")


def test_read_npz_refuses_pickled_objects(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", values=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="not a whole"):
        artifacts.read_npz(tmp_path / "a.npz")


def test_read_npz_refuses_a_lone_array_and_a_folder(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(UserError, match="not a whole"):
        artifacts.read_npz(tmp_path / "a.npy")
    with pytest.raises(UserError, match="cannot be read"):
        artifacts.read_npz(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_damage_to_an_npz_is_a_user_error_or_harmless(tmp_path: Path, data: st.DataObject):
    """Cut off or flip a byte anywhere: never another exception than UserError."""
    file = tmp_path / "a.npz"
    np.savez_compressed(file, values=np.arange(20.0), more=np.ones((2, 2), np.float32))
    whole = bytearray(file.read_bytes())
    position = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        damaged = whole[:position]
    else:
        whole[position] ^= data.draw(st.integers(1, 255))
        damaged = whole
    file.write_bytes(damaged)
    try:
        artifacts.read_npz(file)
    except UserError as error:
        assert "\n" not in str(error)


def test_register_refuses_nan_and_files_elsewhere(models: Path, tmp_path: Path) -> None:
    np.savez(models / "numbers.npz", values=np.array([np.inf]))
    with pytest.raises(UserError, match="NaN or infinite"):
        register(models / "numbers.npz")
    with pytest.raises(UserError, match="does not lie below"):
        register(models.parent / "numbers.npz")


def test_register_command_line(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(models / "numbers.npz")
    common = [file, "--licence", "CC0-1.0", "--source", "here", "--recipe", "count.py"]
    assert register_recipe.main(["counted", *common, "--set", "threshold=0.5", "--set", "a=b"]) == 0
    assert json.loads(capsys.readouterr().out)["counted"]["threshold"] == 0.5
    assert artifacts.artifact("counted").facts["a"] == "b"
    assert register_recipe.main(["missing", file + "x", *common[1:]]) == 2
    assert capsys.readouterr().err.startswith("register: ")


def test_every_committed_artifact_is_registered_and_whole(project: Path) -> None:
    """What lies in models/ is what the index says; built files are checked at loading."""
    index = artifacts.read_index()
    files = {entry["file"] for entry in index.values()}
    lying = {
        path.name for path in (project / "models").iterdir() if path.suffix in (".npz", ".onnx")
    }
    assert lying <= files
    for name, entry in index.items():
        assert {"licence", "source", "recipe", "shapes"} <= entry.keys()
        assert (project / "models" / "training" / entry["recipe"]).is_file()
        if not entry["file"].startswith(artifacts.BUILT_FOLDER):
            artifacts.artifact(name).read()


def test_a_users_own_model_has_a_folder_of_its_own(
    models: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registered beside the user's file and found there; the project's index stays as it is."""
    mine = tmp_path_factory.mktemp("user") / "models"
    monkeypatch.setenv("FACEGEN_DATA", str(mine.parent))
    mine.mkdir()
    before = (models / "index.json").read_bytes()
    assert artifacts.models_folder("flame_0123456789ab") == mine
    assert artifacts.models_folder("open_flame") == models
    np.savez(mine / "pairs.npz", values=np.arange(3.0))
    register_recipe.register(
        "pairs_flame_0123456789ab", mine / "pairs.npz", licence="", source="", recipe="x.py"
    )
    assert artifacts.load_npz("pairs_flame_0123456789ab")["values"].tolist() == [0, 1, 2]
    assert artifacts.load_npz("numbers") is not None
    assert (models / "index.json").read_bytes() == before
    (mine / "pairs.npz").write_bytes(b"")
    with pytest.raises(UserError, match="is truncated") as caught:
        artifacts.load_npz("pairs_flame_0123456789ab")
    assert caught.value.need == Need(Remedy.RETRAIN, "flame_0123456789ab")


def test_a_users_model_without_training_needs_it(models: Path) -> None:
    with pytest.raises(UserError, match=r"trained for flame_0123456789ab yet$") as caught:
        artifacts.artifact("surrogate_flame_0123456789ab")
    assert caught.value.need == Need(Remedy.TRAIN, "flame_0123456789ab")
