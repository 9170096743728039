# SPDX-License-Identifier: GPL-3.0-or-later
"""`dataset make | merge | verify`, and the same commands as they were called before."""

from pathlib import Path

import pytest

from batch import run
from batch.dataset import generate
from batch.dataset.options import DatasetOptions
from facegen_addon.terminal.copies import program
from tests.dataset.synthetic_run import SyntheticRun

HINT = "hint: `{}` is spelled `dataset {}` now; both work"
HINTS = {
    "generate": HINT.format("generate --recipe NAME", "make --recipe NAME"),
    "merge": HINT.format("merge", "merge"),
    "verify": HINT.format("verify", "verify"),
}


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, list[str]]:
    """Exit status, standard output and lines on stderr, without bars, of one command line."""
    try:
        status = run.main([*map(str, arguments)])
    except SystemExit as end:
        status = int(end.code or 0)
    out, err = capsys.readouterr()
    return status, out, [line for line in err.splitlines() if "%" not in line]


def both(
    capsys: pytest.CaptureFixture[str], new: str, old: str, *arguments: object
) -> tuple[int, str, list[str]]:
    """What the new spelling says, once the old one has said the same after its hint."""
    status, out, lines = said(capsys, *new.split(), *arguments)
    assert said(capsys, old, *arguments) == (status, out, [HINTS[old], *lines])
    return status, out, lines


@pytest.mark.parametrize("fails", [False, True])
def test_merge_and_verify_have_two_spellings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fails: bool
) -> None:
    folder = SyntheticRun().write(tmp_path / "run").path
    status, _, lines = both(capsys, "dataset merge", "merge", folder)
    assert status == 0 and lines == [lines[0]] and str(folder) in lines[0]
    if fails:
        (folder / "table.parquet").write_bytes(b"")
    status, out, lines = both(capsys, "dataset verify", "verify", folder, "--seeds", "0")
    assert status == (3 if fails else 0) and out.count("✓") > 5
    assert "hint" not in out


@pytest.mark.parametrize(("new", "old"), [("dataset merge", "merge"), ("dataset verify", "verify")])
def test_a_refusal_is_the_same_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], new: str, old: str
) -> None:
    status, out, lines = both(capsys, new, old, tmp_path / "nowhere")
    assert status == 2 and out == "" and len(lines) == 1
    assert "holds no data set" in lines[0] and "`dataset make`" in lines[0]


def test_make_is_what_generate_with_a_recipe_was(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[DatasetOptions] = []
    monkeypatch.setattr(generate, "_generate", lambda options, log: made.append(options) or 0)
    asked = ("--recipe", "photos", "--count", 3, "--shard", "0/2")
    assert both(capsys, "dataset make", "generate", *asked) == (0, "", [])
    assert len(made) == 2 and made[0] == made[1] and made[0].count == 3
    assert said(capsys, "generate", "--recipe=photos") == (0, "", [HINTS["generate"]])


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("dataset make --recipe photos --cuont 3", "dataset make --help"),
        ("generate --recipe photos --cuont 3", "generate --recipe NAME --help"),
        ("dataset merge", "dataset merge --help"),
        ("merge", "; see merge --help"),
        ("dataset verify a b", "dataset verify --help"),
        ("verify a b", "; see verify --help"),
        ("dataset make", "--recipe; see dataset make --help"),
    ],
)
def test_errors_name_the_spelling_that_was_used(
    capsys: pytest.CaptureFixture[str], command: str, named: str
) -> None:
    status, out, lines = said(capsys, *command.split())
    assert status == 2 and out == "" and lines[-1].endswith(named)
    assert lines[:-1] == [hint for old, hint in HINTS.items() if command.split()[0] == old]


@pytest.mark.parametrize("command", ["dataset mereg", "dataset verfiy out", "dataset --recipe a"])
def test_another_word_is_refused_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    status, out, lines = said(capsys, *command.split())
    assert status == 2 and out == "" and len(lines) == 1
    assert lines[0].endswith(
        "choose from dataset make, dataset merge, dataset verify, dataset calibrate, dataset census"
    )
    assert " ".join(command.split()[:2]) in lines[0]


@pytest.mark.parametrize(
    "command", ["", "--help", "dataset", "dataset -h", *(f"dataset {n} -h" for n in HINTS)]
)
def test_help_has_examples_that_can_be_typed(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    status, out, lines = said(capsys, *command.replace("generate", "make").split())
    assert status == 0 and lines == []
    examples = out.partition("examples:\n")[2].splitlines()
    shown = [line.removeprefix("  ") for line in examples if line.startswith("  ")]
    typed = [line.removeprefix(f"{program()} ").split() for line in shown if line[0] != " "]
    assert len(typed) >= 3 and ["dataset"] in [words[:1] for words in typed]
    assert {words[0] for words in typed} <= set(run.COMMANDS)
    assert {words[1] for words in typed if words[0] == "dataset"} <= {"make", "merge", "verify"}


def test_the_help_that_errors_of_the_old_spelling_name_is_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, out, lines = said(capsys, "generate", "--recipe", "NAME", "--help")
    assert status == 0 and "--shard-size" in out and lines == [HINTS["generate"]]


def test_the_help_of_all_names_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "--help")[1]
    for name, (_, summary) in run.COMMANDS.items():
        assert f"  {name} " in out and summary in out
