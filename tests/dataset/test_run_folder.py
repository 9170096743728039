# SPDX-License-Identifier: GPL-3.0-or-later
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from batch.dataset.run_folder import RunFolder, digest_of
from batch.lock import only_one
from facegen_addon.errors import UserError
from tests.dataset.synthetic_run import edit

REQUEST: dict[str, Any] = {
    "count": 7,
    "seed": 0,
    "shard_size": 3,
    "model": "toy",
    "recipe": {"image": {"size": [64, 64]}},
    "versions": {"Blender": "4.5.15"},
}


def begin(path: Path, replace: bool = False, **changes: Any) -> RunFolder:
    request = REQUEST | changes
    return RunFolder.begin(path, request, [], 'recipe = "toy"\n', replace=replace)


def test_shards_share_out_all_samples(tmp_path: Path) -> None:
    run = begin(tmp_path / "run")
    assert run.shard_count == 3
    assert [list(run.indices(shard)) for shard in range(3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert run.tar(2).name == "data-000002.tar" and run.sidecar(2).name == "data-000002.json"


def test_the_same_run_is_gone_on_with(tmp_path: Path) -> None:
    first, second = begin(tmp_path / "run"), begin(tmp_path / "run")
    assert first == second and first.digest == digest_of(REQUEST)
    assert (tmp_path / "run" / "recipe.toml").read_text() == 'recipe = "toy"\n'


def test_another_run_is_refused_by_what_differs(tmp_path: Path) -> None:
    begin(tmp_path / "run")
    with pytest.raises(UserError, match=r"recipe.image.size \[64, 64\] -> \[128, 128\]"):
        begin(tmp_path / "run", recipe={"image": {"size": [128, 128]}})
    with pytest.raises(UserError, match=r"seed 0 -> 5; model \"toy\" -> \"anny\""):
        begin(tmp_path / "run", seed=5, model="anny")


def test_replace_removes_the_run_and_nothing_else(tmp_path: Path) -> None:
    run = begin(tmp_path / "run")
    run.tar(0).write_bytes(b"shard")
    (run.path / "index.json").write_text("{}")
    (run.path / "notes.txt").write_text("mine")
    run.work(1).mkdir(parents=True)
    again = begin(tmp_path / "run", replace=True, seed=5)
    names = {path.name for path in again.path.iterdir()}
    assert names == {"run.json", "recipe.toml", "notes.txt", "work"} and again.request["seed"] == 5
    assert not list((again.path / "work").iterdir())


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(UserError, match="not empty"):
        begin(tmp_path)
    with pytest.raises(UserError, match="not empty"):
        begin(tmp_path, replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read"),
        ("[]", "format"),
        ('{"format": 99}', "format"),
        (json.dumps({"format": 1, "digest": "0", "request": REQUEST}), "was changed"),
        (json.dumps({"format": 1, "digest": "0", "request": None}), "was changed"),
        (json.dumps({"format": 1, "digest": digest_of(REQUEST), "request": REQUEST}), "lacks"),
    ],
)
def test_a_damaged_run_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UserError, match=rf"run\.json.*{message}"):
        RunFolder.open(tmp_path)


def test_a_run_of_the_format_before_is_read_but_not_gone_on_with(tmp_path: Path) -> None:
    run = begin(tmp_path / "run")
    edit(run.path / "run.json", format=1)
    before = (run.path / "run.json").read_bytes()
    assert RunFolder.open(run.path).format == 1
    with pytest.raises(UserError, match=r"holds a run of format 1, and 2 is written now: go on"):
        begin(run.path)
    assert (run.path / "run.json").read_bytes() == before
    assert begin(run.path, replace=True).format == 2


def test_no_run_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no run\.json"):
        RunFolder.open(tmp_path)


def test_tasks_that_begin_at_once_share_the_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: begin(tmp_path / "run"), range(8)))
    assert len({run.digest for run in runs}) == 1


def test_what_a_kill_at_the_beginning_left_does_not_stay(tmp_path: Path) -> None:
    run = begin(tmp_path / "run")
    (run.path / "work" / ".facegen-half.json").write_text("{")
    run.remove_work()
    assert not (run.path / "work").exists()


def test_a_path_that_no_disk_takes_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name another folder"):
        begin(tmp_path / ("x" * 300))


def test_a_run_that_cannot_be_removed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(tmp_path / "run")
    run.tar(0).mkdir()
    with pytest.raises(UserError, match=r"--replace: .*data-000000\.tar cannot be removed"):
        begin(tmp_path / "run", replace=True)


def test_a_run_that_is_being_made_is_not_replaced(tmp_path: Path) -> None:
    run = begin(tmp_path / "run")
    run.tar(0).write_bytes(b"shard")
    with only_one(run.work(1) / "lock"), pytest.raises(UserError, match="another process"):
        begin(tmp_path / "run", replace=True)
    assert run.tar(0).exists()
    assert not begin(tmp_path / "run", replace=True).tar(0).exists()
