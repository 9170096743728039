# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs are closed when all their shards are there once and whole, and only then."""

import errno
import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from batch.dataset import diversity, merge
from batch.dataset.command import make_command
from batch.dataset.diversity import mutually_apart
from batch.dataset.members import LABEL_SUFFIXES
from batch.run import main
from batch.shards import encode_npy
from facegen_addon import atomic_file
from facegen_addon.latent.sphere import cosine_distance_matrix, normalise
from tests.dataset.synthetic_run import SyntheticPlan, SyntheticRun, cut, edit, flip
from tests.toy_head import TABLE

CLOSING = ("index.json", "table.parquet", "croissant.json", "README.md", "contact_sheet.png")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of seven samples in three shards."""
    return SyntheticRun().write(tmp_path / "run").path


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line with which `merge` refuses."""
    assert main(["dataset", "merge", *map(str, arguments)]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("facegen: ")]
    assert len(lines) == 1
    return lines[0]


def test_a_run_is_closed_in_its_folder(folder: Path) -> None:
    before = content(folder)
    assert main(["dataset", "merge", str(folder)]) == 0
    after = content(folder)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == set(CLOSING)
    index = json.loads(after["index.json"])
    assert index["samples"] == index["count"] == 7 and index["failed"] == []
    assert [shard["samples"] for shard in index["shards"]] == [3, 3, 1]
    for shard in index["shards"]:
        assert shard["sha256"] == digest(after[shard["file"]])
        assert shard["bytes"] == len(after[shard["file"]])
    for name, facts in index["files"].items():
        assert facts == {"sha256": digest(after[name]), "bytes": len(after[name])}
    statistics = index["statistics"]
    assert statistics["identities"] == statistics["mutually_apart"] == 4
    assert statistics["label_check"] == {"samples": 3, "worst_depth_mm": 0.27}
    assert 0.8 < statistics["median_distance_of_identities"] < 1.2
    census = statistics["census"]
    assert census["parameters"] is None, "the toy says nothing of who its heads are"
    assert np.sum(census["requested"]) == 4
    card = after["README.md"].decode()
    assert "| woman, dark skin | " in card and "| fairer older men | " in card


def test_closing_twice_gives_the_same_bytes(folder: Path) -> None:
    assert main(["dataset", "merge", str(folder)]) == 0
    first = content(folder)
    assert main(["dataset", "merge", str(folder)]) == 0
    assert content(folder) == first


def test_the_table_has_every_figure_of_every_sample(folder: Path) -> None:
    assert main(["dataset", "merge", str(folder)]) == 0
    rows = pq.read_table(folder / "table.parquet").to_pylist()
    plan = SyntheticPlan()
    assert [row["index"] for row in rows] == list(range(7))
    for row in rows:
        index = row["index"]
        shot = plan.shot(index, 0)
        assert row["key"] == f"{index:06d}" and row["shard"] == index // 3
        assert row["identity"] == index // 2 and row["view_number"] == index % 2
        assert [row[f"parameter.{name}"] for name in TABLE.names] == list(shot.parameters)
        assert row["pose.yaw"] == np.degrees(shot.view.yaw)
        assert row["light.preset"] == "studio" and row["camera.width"] == 64
        assert row["background.colour"] == ([0.1, 0.2, 0.3] if index % 2 else None)
        assert np.array_equal(np.float32(row["requested"]), plan.requested(index))
        assert np.array_equal(np.float32(row["achieved"]), plan.achieved(index))
        assert row["apart"] is True


def test_heads_without_latents_have_none_in_the_table(tmp_path: Path) -> None:
    run = SyntheticRun(plan=SyntheticPlan(guided=False)).write(tmp_path / "run")
    assert main(["dataset", "merge", str(run.path)]) == 0
    rows = pq.read_table(run.path / "table.parquet").to_pylist()
    assert {row["requested"] for row in rows} == {row["cosine_distance"] for row in rows} == {None}


def test_a_run_of_the_format_before_has_the_same_table(tmp_path: Path) -> None:
    tables = []
    for number in (1, 2):
        kind = SyntheticRun(format=number, faceless={1, 6}, checked={2})
        run = kind.write(tmp_path / f"run-{number}")
        assert main(["dataset", "merge", str(run.path)]) == 0
        tables.append(pq.read_table(run.path / "table.parquet"))
        assert json.loads((run.path / "index.json").read_text())["format"] == number
    assert tables[0].equals(tables[1])
    assert tables[0]["achieved"].null_count == tables[0]["cosine_distance"].null_count == 2
    assert tables[0]["background.colour"].null_count == 4


def test_images_without_labels_are_closed_too(tmp_path: Path) -> None:
    run = SyntheticRun(labels=False).write(tmp_path / "run")
    assert main(["dataset", "merge", str(run.path)]) == 0
    assert "no label images" in (run.path / "README.md").read_text()
    assert "depth" not in (run.path / "croissant.json").read_text()
    Image.open(run.path / "contact_sheet.png").verify()


def test_the_card_says_how_it_was_made(folder: Path) -> None:
    assert main(["dataset", "merge", str(folder)]) == 0
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlicense: cc0-1.0\n")
    command = "batch/run.py dataset make --recipe recipe.toml --model open_flame --count 7 --seed 0"
    assert command in card
    assert (folder / "recipe.toml").read_text() in card
    run = json.loads((folder / "run.json").read_text())
    for value in (run["digest"], run["request"]["versions"]["encoder"]["sha256"]):
        assert value in card
    assert "$" not in card


@pytest.mark.parametrize("linked", [True, False])
def test_machines_end_with_the_same_bytes_as_one(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    SyntheticRun().write(tmp_path / "a", [0, 2])
    SyntheticRun().write(tmp_path / "b", [1])
    before = content(tmp_path / "a"), content(tmp_path / "b")
    if not linked:
        refusal = OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        monkeypatch.setattr(merge.os, "link", lambda *_: (_ for _ in ()).throw(refusal))
    whole = tmp_path / "whole"
    assert (
        main(["dataset", "merge", str(tmp_path / "a"), str(tmp_path / "b"), "--output", str(whole)])
        == 0
    )
    assert main(["dataset", "merge", str(folder)]) == 0
    assert content(whole) == content(folder)
    assert (content(tmp_path / "a"), content(tmp_path / "b")) == before
    same = (whole / "data-000001.tar").samefile(tmp_path / "b" / "data-000001.tar")
    assert same == linked


def test_an_earlier_merge_is_replaced_when_asked(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / "whole"
    assert main(["dataset", "merge", str(folder), "--output", str(whole)]) == 0
    first = content(whole)
    assert "add --replace" in refused(capsys, folder, "--output", whole)
    assert main(["dataset", "merge", str(folder), "--output", str(whole), "--replace"]) == 0
    assert content(whole) == first
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.tex").write_text("all of it")
    assert "no index.json" in refused(capsys, folder, "--output", other, "--replace")
    assert content(other) == {"thesis.tex": b"all of it"}


def test_samples_given_up_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = SyntheticRun(failed={1, 6}, attempts={2: 3}).write(tmp_path / "run")
    assert main(["dataset", "merge", str(run.path)]) == 3
    assert "2 of 7 samples had to be given up" in capsys.readouterr().err
    index = json.loads((run.path / "index.json").read_text())
    reason = "the face is turned away"
    assert index["failed"] == [
        {"index": 1, "seed": [0, 1, 7], "reason": reason},
        {"index": 6, "seed": [0, 6, 7], "reason": reason},
    ]
    statistics = index["statistics"]
    counts = [statistics[name] for name in ("accepted", "rejected", "failed")]
    assert counts == [5, 3 + 2 * 7, 2]
    assert pq.read_table(run.path / "table.parquet")["index"].to_pylist() == [0, 2, 3, 4, 5]
    assert f"| 6 (seed [0, 6, 7]) | {reason} |" in (run.path / "README.md").read_text()


def test_a_run_without_any_sample_is_not_closed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = SyntheticRun(failed=set(range(7))).write(tmp_path / "run")
    assert main(["dataset", "merge", str(run.path)]) == 3
    assert "all 7 samples" in capsys.readouterr().err
    assert not (run.path / "index.json").exists()


def test_missing_shards_are_named_with_what_makes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = SyntheticRun(count=20, shard_size=2).write(tmp_path / "run", [0, 1, 2, 3, 5, 6, 7, 8, 9])
    line = refused(capsys, run.path)
    assert "shard 4 is missing, 1 of 10" in line
    assert "--count 20 --seed 0 --shard-size 2" in line and "--shard 4/10`" in line
    shutil.rmtree(run.path)
    SyntheticRun(count=20, shard_size=2).write(run.path, [3])
    line = refused(capsys, run.path)
    assert "shards 0, 1, 2, 4, 5, 6, 7, 8, ... are missing, 9 of 10" in line
    assert "--shard 0/10`, and so on for 0, 1, 2" in line
    assert not (run.path / "index.json").exists()


def test_folders_that_do_not_belong_together_are_refused(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / "whole"
    other = SyntheticRun(plan=SyntheticPlan(seed=5)).write(tmp_path / "other").path
    assert "holds another run" in refused(capsys, folder, other, "--output", whole)
    twice = SyntheticRun().write(tmp_path / "twice", [1]).path
    assert "data-000001.tar is there again as" in refused(capsys, folder, twice, "--output", whole)
    assert "named twice" in refused(capsys, folder, folder, "--output", whole)
    assert "2 folders need --output" in refused(capsys, folder, twice)
    assert "is one of the folders" in refused(capsys, folder, twice, "--output", twice)
    assert not whole.exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "holds no data set (no run.json)"),
        (Path.mkdir, "holds no data set (no run.json)"),
        (lambda path: path.write_text("file"), "cannot be read"),
        (
            lambda path: (path.mkdir(), (path / "run.json").write_text("{}")),
            "run.json is not of format 1 or 2",
        ),
    ],
)
def test_what_is_no_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Any, message: str
) -> None:
    make(tmp_path / "nothing")
    assert message in refused(capsys, tmp_path / "nothing")


@pytest.mark.parametrize(
    ("name", "harm", "message"),
    [
        ("data-000001.tar", cut, "data-000001.tar has [0-9]+ bytes, not"),
        ("data-000001.tar", flip, "data-000001.tar is damaged: its sha256"),
        ("data-000001.tar", Path.unlink, "data-000001.tar is missing"),
        ("data-000001.json", lambda p: p.write_text("{"), "data-000001.json is no JSON"),
        ("data-000001.json", lambda p: edit(p, run="ab" * 32), "belongs to another run"),
        ("data-000001.json", lambda p: edit(p, shard=2), "is about another shard"),
        ("data-000001.json", lambda p: edit(p, format=1), "is not of format 2"),
        ("data-000001.json", lambda p: edit(p, samples=[]), "account for samples 3 to 5"),
        ("data-000001.json", lambda p: edit(p, samples=[{}]), "lacks something or has it wrong"),
        ("data-000001.json", lambda p: edit(p, failed=[{"index": 9}]), "has it wrong"),
        ("data-000001.json", lambda p: edit(p, checked=None), "has it wrong"),
        ("data-000001.json", lambda p: edit(p, sha256="00"), "its sha256 is not the one noted"),
        ("run.json", lambda p: edit(p, digest="00"), "run.json was changed"),
    ],
)
def test_damage_is_named_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, harm: Any, message: str
) -> None:
    harm(folder / name)
    before = content(folder)
    assert re.search(message, refused(capsys, folder))
    assert content(folder) == before


def test_a_shard_of_another_run_is_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = SyntheticRun(plan=SyntheticPlan(seed=5)).write(tmp_path / "other")
    for path in (other.tar(1), other.sidecar(1)):
        shutil.copy(path, folder)
    assert "data-000001.json belongs to another run" in refused(capsys, folder)
    edit(folder / "data-000001.json", run=json.loads((folder / "run.json").read_text())["digest"])
    assert "sample 000003: its record has run" in refused(capsys, folder)


def test_a_shard_too_many_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(folder / "data-000000.tar", folder / "data-000003.tar")
    assert "data-000003.tar is no shard of this run, which has 3" in refused(capsys, folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"index": 9}, "its record has index 9"),
        ({"seed": [0, 4, 1]}, "its record has seed"),
        ({"model": "anny"}, "its record has model"),
        ({"versions": {}}, "its record has versions"),
        ({"attempt": -1}, "its record has attempt -1"),
        ({"parameters": {"strong": 0.0}}, "its parameters are not those of the run's table"),
        ({"pose": {"yaw": "left"}}, "its record has pose.yaw 'left'"),
        ({"samples": True}, "its record has samples True"),
        ({"face_box": [0, 0, float("nan"), 1]}, "its face_box"),
        ({"five_points": [["a", 0]]}, "its five_points are no numbers"),
        ({"image": {"format": "png", "sha256": "0"}}, "the sha256 is another"),
        ({"image": {"format": "jpeg", "sha256": "0"}}, "its image is a png"),
        ({"light": {"azimuth": "left"}}, "a wrong light.azimuth"),
        ({"cosine_distance": None}, "its record has cosine_distance None"),
        ({"label_check": None}, "its record has label_check.worst_depth_mm None"),
        ({"background": {"picture": "", "colour": None}}, "its background.colour"),
        ({"face_seen": 1}, "its record has face_seen 1"),
    ],
)
def test_a_wrong_record_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], message: str
) -> None:
    kind = SyntheticRun()
    run = kind.write(tmp_path / "run")
    samples = {index: kind.members(run, index) for index in run.indices(1)}
    name, record = samples[4][1]
    samples[4][1] = name, json.dumps(json.loads(record) | change).encode()
    kind.write_shard(run, 1, samples)
    line = refused(capsys, run.path)
    assert message in line and ("sample 000004" in line or "light" in line)


@pytest.mark.parametrize(
    ("latent", "message"),
    [
        (np.ones(512, np.float32), "achieved.npy is of norm"),
        (np.append(np.ones(511), np.nan).astype(np.float32), "achieved.npy is of norm nan"),
        (None, "has no achieved.npy"),
        (np.full(512, np.nan, np.float32), "its record has face_seen True, achieved.npy another"),
        (np.eye(512, dtype=np.float32), "achieved.npy is no row of single-precision numbers"),
    ],
)
def test_a_wrong_latent_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], latent: np.ndarray | None, message: str
) -> None:
    kind = SyntheticRun()
    run = kind.write(tmp_path / "run")
    samples = {index: dict(kind.members(run, index)) for index in run.indices(0)}
    del samples[2]["achieved.npy"]
    if latent is not None:
        labels = {name: samples[2].pop(name) for name in LABEL_SUFFIXES}
        samples[2] |= {"achieved.npy": encode_npy(latent), **labels}
    kind.write_shard(run, 0, {index: list(members.items()) for index, members in samples.items()})
    assert f"sample 000002: {message}" in refused(capsys, run.path)


def test_without_pyarrow_one_line_names_the_remedy(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    line = refused(capsys, folder)
    assert "needs the Python module pyarrow" in line and "requirements/dataset.txt" in line


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_is_named(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    before = content(folder)
    error = OSError(number, os.strerror(number))
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(error))
    assert f"cannot be written ({os.strerror(number)})" in refused(capsys, folder)
    assert content(folder) == before


def test_a_full_disk_leaves_nothing_half_written(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(folder)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as patch:
        patch.setattr(atomic_file.os, "fsync", lambda _: (_ for _ in ()).throw(full))
        assert "No space left" in refused(capsys, folder)
    assert content(folder) == before
    leftover = folder / "work" / "closing" / ".facegen-killed.parquet"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    assert main(["dataset", "merge", str(folder)]) == 0
    assert not (folder / "work").exists()


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_status:
        main(["dataset", "merge", "--help"])
    assert exit_status.value.code == 0
    assert "node1/photos node2/photos --output photos" in capsys.readouterr().out


def test_identities_apart_are_those_of_one_greedy_pass(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    latents = normalise(rng.standard_normal((90, 3)))
    whole = mutually_apart(latents, 0.3)
    monkeypatch.setattr(diversity, "_BLOCK", 7)
    assert np.array_equal(mutually_apart(latents, 0.3), whole)
    distances = cosine_distance_matrix(latents)
    within = distances[np.ix_(whole, whole)][np.triu_indices(len(whole), 1)]
    assert 3 < len(whole) < 90 and within.min() >= 0.3
    assert (distances[:, whole].min(1) < 0.3).all()


def test_jpegs_are_shown_too(tmp_path: Path) -> None:
    pytest.importorskip("bpy")  # which decodes them
    runs = [
        SyntheticRun(count=1, image_format=image_format).write(tmp_path / image_format)
        for image_format in ("png", "jpeg")
    ]
    for run in runs:
        assert main(["dataset", "merge", str(run.path)]) == 0
    png, jpeg = (np.array(Image.open(run.path / "contact_sheet.png")).astype(int) for run in runs)
    assert png.shape == jpeg.shape and 0 < np.abs(png - jpeg).mean() < 3
    card = (runs[1].path / "README.md").read_text()
    assert "KEY.jpg" in card and "KEY.png" not in card
    assert '"includes": "*[0-9].jpg"' in (runs[1].path / "croissant.json").read_text()


def test_the_command_of_a_users_own_model_asks_for_its_file(tmp_path: Path) -> None:
    kind = SyntheticRun()
    run = kind.begin(tmp_path / "my run", model="flame_0123456789ab")
    command = make_command(run, "my recipe.toml", "data", "--shard", "1/3")
    assert command == (
        "dataset make --recipe 'my recipe.toml' --model FLAME_FILE --count 7 --seed 0"
        " --shard-size 3 --output data --shard 1/3"
    )
    for shard in range(3):
        kind.write_shard(run, shard, {i: kind.members(run, i) for i in run.indices(shard)})
    assert main(["dataset", "merge", str(run.path)]) == 0
    card = (run.path / "README.md").read_text()
    assert card.startswith("---\nlicense: other\n") and "its licence governs" in card
