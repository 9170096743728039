# SPDX-License-Identifier: GPL-3.0-or-later
"""`export-flame`: sliders and runs as the parameter files of other programs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from batch import export_flame, import_flame
from facegen_addon.arrays import FloatArray
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.exchange.flame_codes import WRITABLE, WRITABLE_SUFFIXES, read_parameters
from facegen_addon.heads.exchange.slider_file import RUN_FILE, read_slider_file, write_slider_file
from facegen_addon.heads.flame.head import FlameHead


def _sliders(head: FlameHead, rng: np.random.Generator, groups: tuple[str, ...]) -> FloatArray:
    """Two random heads that differ from the mean in these groups."""
    table = head.table
    rows = np.tile(table.default(), (2, 1))
    for group in groups:
        columns = table.columns(group)
        rows[:, columns] = rng.uniform(
            table.minimum[columns], table.maximum[columns], (2, len(columns))
        )
    return rows


def test_a_run_of_generate(
    tmp_path: Path,
    toy_head: FlameHead,
    rng: np.random.Generator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = _sliders(toy_head, rng, ("shape", "expression", "pose"))
    run = tmp_path / "demo"
    run.mkdir()
    np.savez_compressed(
        run / RUN_FILE,
        model=np.array("toy"),
        names=np.array(toy_head.table.names),
        parameters=rows,
        achieved=np.zeros((2, 512), np.float32),
    )
    output = tmp_path / "heads.npz"
    assert export_flame.main([str(run), "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"2 heads of toy as plain: {output}\n"
    expected = toy_head.to_flame(rows).as_mapping()
    found = read_parameters(output).parameters.as_mapping()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-6)


@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
@pytest.mark.parametrize("convention", WRITABLE)
def test_sliders_there_and_back(
    tmp_path: Path,
    toy_head: FlameHead,
    rng: np.random.Generator,
    capsys: pytest.CaptureFixture[str],
    convention: str,
    suffix: str,
) -> None:
    """Exported and imported again, the sliders that a convention has a place for are as before."""
    groups = ("shape",) if convention == "mica" else ("shape", "expression")
    rows = _sliders(toy_head, rng, groups)
    write_slider_file(tmp_path / "before.json", toy_head, rows)
    exported, after = tmp_path / f"heads{suffix}", tmp_path / "after.npz"
    arguments = ["--convention", convention, "--output", str(exported)]
    assert export_flame.main([str(tmp_path / "before.json"), *arguments]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert import_flame.main([str(exported), "--model", "toy", "--output", str(after)]) == 0
    assert capsys.readouterr().out.startswith(f"convention: {convention}\nheads: 2\n")
    np.testing.assert_allclose(read_slider_file(after).rows(toy_head.table), rows, atol=1e-6)


def test_what_a_convention_has_no_place_for_is_said(
    tmp_path: Path,
    toy_head: FlameHead,
    rng: np.random.Generator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = _sliders(toy_head, rng, ("shape", "expression", "pose"))
    write_slider_file(tmp_path / "sliders.npz", toy_head, rows)
    arguments = ["--convention", "deca", "--output", str(tmp_path / "deca.npz")]
    export_flame.main([str(tmp_path / "sliders.npz"), *arguments])
    left_out = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert left_out == ["neck_pose", "leye_pose", "reye_pose"]
    with np.load(tmp_path / "deca.npz") as found:
        widths = {key: found[key].shape[1] for key in found.files}
    assert widths == {"shape": 100, "exp": 50, "pose": 6}


def test_heads_of_another_model_are_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    anny = load_head_model("anny")
    write_slider_file(tmp_path / "anny.npz", anny, anny.sample_prior(rng, 1))
    with pytest.raises(UserError, match="'anny' has no FLAME parameters"):
        export_flame.main([str(tmp_path / "anny.npz"), "--output", str(tmp_path / "a.npz")])
    assert not (tmp_path / "a.npz").exists()


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        ("rows.npz", [], "does not say which head model it is for; add --model NAME"),
        ("rows.npz", ["--model", "toy"], "expected rows of"),
        ("nowhere.npz", [], r"nowhere\.npz is missing"),
        (".", [], r"heads\.npz is missing"),
        ("rows.npz", ["--convention", "bfm"], "unknown --convention 'bfm'; choose from plain"),
        ("rows.npz", ["--output", "a.mat"], r"--output a\.mat does not end in \.npz or \.json"),
    ],
)
def test_a_wrong_value_is_one_line(
    tmp_path: Path,
    toy_head: FlameHead,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("rows.npz", parameters=np.zeros((1, 3)))
    with pytest.raises(UserError, match=message) as caught:
        export_flame.main([source, "--output", "a.npz", *arguments])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.npz").exists()


def test_help_has_examples(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(project / "batch/run.py"), "export-flame", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "batch/run.py export-flame out/demo" in done.stdout
