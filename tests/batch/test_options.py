# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input by subprocess, as a user meets it: one line, exit status 2, nothing written."""

import subprocess
import sys
from pathlib import Path

import pytest

from batch.options import parse_options
from facegen_addon.errors import UserError
from facegen_addon.request_fields import Number, RequestField, WholeNumber, fields_of
from facegen_addon.variety.fields import BUDGET
from facegen_addon.variety.request import VarietyRequest


def _generate(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(project / "batch" / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=project)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--model", "flamingo"], ["flamingo", "anny"]),
        (["--engine", "LUXCORE"], ["LUXCORE", "CYCLES"]),
        (["--distribution", "normal"], ["normal", "latent"]),
        (["--grade", "best"], ["best", "refined"]),
        (["--light", "disco"], ["--light 'disco'", "studio"]),
        (["--count", "0"], ["--count 0", "1 to"]),
        (["--count", "-3"], ["--count -3", "1 to"]),
        (["--count", "1000000000"], ["--count 1000000000", "10000"]),
        (["--count", "many"], ["many"]),
        (["--distance", "0"], ["--distance 0", "between 0 and 2"]),
        (["--distance", "2"], ["--distance 2", "between 0 and 2"]),
        (["--distance", "nan"], ["--distance nan", "between 0 and 2"]),
        (["--samples", "0"], ["--samples 0"]),
        (["--size", "16"], ["--size 16", "64"]),
        (["--seed", "-1"], ["--seed -1"]),
        (["--budget", "3"], ["--budget 3", "16"]),
        (["--real-latents", "nowhere.npz"], ["nowhere.npz"]),
        (["--corrections", "-1"], ["--corrections -1", "0 to 8"]),
        (["--corrections", "9"], ["--corrections 9", "0 to 8"]),
        (["--corrections", "two"], ["two"]),
        (["--corrections", "2", "--distribution", "prior"], ["--corrections", "prior", "latent"]),
        (["--corrections", "2", "--budget", "47"], ["--budget 47", "48"]),
        (["--fill-gaps", "nowhere"], ["--fill-gaps nowhere", "earlier run"]),
        (["--fill-gaps", "facegen_addon"], ["facegen_addon", "heads.npz", "roundtrip.npz"]),
        (["--fill-gaps", "a:b"], ["--fill-gaps a:b", "earlier run"]),
        (["--fill-gaps"], ["--fill-gaps"]),
        (["--fill-gaps", "x", "--distribution", "uniform"], ["--fill-gaps", "uniform", "latent"]),
        (["--colour", "red"], ["--colour"]),
        (["--encoder", "sfaze"], ["'sfaze'", "facenet, sface", ".onnx"]),
        (["--encoder", "nowhere.onnx", "--distribution", "prior"], ["nowhere.onnx is missing"]),
        (["--encoder", ""], ["cannot be read"]),
        (["--wear", "garment=toga"], ["--wear: unknown garment 'toga'", "hoodie"]),
        (["--wear", "colour=0 0 2"], ["--wear: colour is '0 0 2'", "0 to 1"]),
    ],
)
def test_a_wrong_value_is_one_line(tmp_path: Path, arguments: list[str], named: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        parse_options([*arguments, "--output", str(tmp_path / "run")])
    message = str(caught.value)
    assert "\n" not in message
    for part in named:
        assert part in message
    assert not list(tmp_path.iterdir())


def test_the_command_line_exits_with_2_and_no_traceback(project: Path, tmp_path: Path) -> None:
    result = _generate(project, "generate", "--count", "0", "--output", str(tmp_path / "run"))
    assert result.returncode == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "--count 0" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("output", ["/proc/facegen/run", "/dev/null", "/dev/null/run"])
def test_an_unwritable_output_exits_with_2(project: Path, output: str) -> None:
    result = _generate(project, "generate", "--count", "1", "--output", output)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert output in result.stderr


def test_an_unknown_command_names_those_there_are(project: Path) -> None:
    result = _generate(project, "degenerate")
    assert result.returncode == 2 and "generate" in result.stderr


def test_help_is_no_error(project: Path) -> None:
    assert _generate(project, "--help").returncode == 0
    text = " ".join(_generate(project, "generate", "--help").stdout.split())
    assert (
        "--distance" in text
        and "(default: 16)" in text
        and "same heads, 0 to 2147483647 (default: 0)" in text
    )
    for nothing in ("()", "None", "False"):
        assert f"(default: {nothing})" not in text


def test_corrections_are_in_the_default_budget(tmp_path: Path) -> None:
    output = ["--output", str(tmp_path / "run"), "--count", "4"]
    assert parse_options(output).budget == 40
    assert parse_options([*output, "--corrections", "2"]).budget == 120


def test_the_default_distance_is_the_encoders(tmp_path: Path) -> None:
    output = ["--output", str(tmp_path / "run")]
    assert parse_options(output).distance == 0.51
    other = parse_options([*output, "--encoder", "sface"])
    assert (other.encoder, other.distance) == ("sface", 0.637)
    assert parse_options([*output, "--encoder", "sface", "--distance", "0.4"]).distance == 0.4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--second-distance 0.4", "--second-distance 0.4 is of no encoder; name it by --second-en"),
        ("--second-encoder facenet", "--second-encoder facenet is the first encoder, too"),
        ("--people-quantile 0.01 --distance 0.3", "--distance 0.3 and --people-quantile 0.01 are"),
        ("--people-quantile 0.7", "--people-quantile 0.7 is out of range; give a number from"),
        ("--apart-in elsewhere", "unknown --apart-in 'elsewhere'; choose from one-render"),
    ],
)
def test_demands_that_cannot_be_are_refused_in_the_users_words(
    tmp_path: Path, words: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        parse_options([*words.split(), "--output", str(tmp_path / "run")])


def test_people_may_say_the_distances(tmp_path: Path) -> None:
    output = ["--output", str(tmp_path / "run"), "--people-quantile", "0.01"]
    assert parse_options(output).distance == 0.618
    both = parse_options([*output, "--second-encoder", "sface"])
    assert (both.distance, both.second_distance) == (0.618, 0.696)


def test_several_earlier_runs_can_be_given(tmp_path: Path) -> None:
    runs = [tmp_path / name for name in ("a", "b", "c:d")]
    for run in runs:
        run.mkdir()
        (run / "heads.npz").touch()
    options = parse_options(["--fill-gaps", *map(str, runs), "--output", str(tmp_path / "run")])
    assert options.fill_gaps == tuple(runs)


WITH_RANGE = [field for field in fields_of(VarietyRequest) if field.accepted and field != BUDGET]


@pytest.mark.parametrize("field", WITH_RANGE, ids=lambda field: field.name)
def test_command_line_and_request_refuse_the_same_in_the_same_words(field: RequestField) -> None:
    """All but the budget: the command line asks for a render of each head and correction."""
    numbers = isinstance(field, WholeNumber | Number)
    for wrong in (field.low - 1, field.high + 1) if numbers else ("gauss",):
        with pytest.raises(UserError) as by_request:
            VarietyRequest(**{field.name: wrong})
        with pytest.raises(UserError) as by_option:
            parse_options([f"{field.option}={wrong}"])
        line = str(by_request.value).replace(field.name, field.option, 1)
        assert str(by_option.value) == line
