# SPDX-License-Identifier: GPL-3.0-or-later
"""What FaceGen costs beside its obvious alternatives, and today beside another commit.

    python -m tools.bench                       all parts, each figure as a ratio: `make bench`
    python -m tools.bench render sliders        these parts alone
    python -m tools.bench --against v0.3        today's figures beside that commit's, in turn
    python -m tools.bench --processor-time      on a busy machine: parts of a single process alone

Each part is a process of its own and measures its pairs in turn. With --against, the commit is
checked out into a temporary folder and measured by today's benchmarks in today's environment, part
by part in turn, so that a machine that slows down slows both alike. Exit status: 0; 1 if a part
fails, which is told in a line while the others go on; 2 for a commit that is not there.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegen_addon.errors import UserError
from facegen_addon.terminal.process import run_process
from tools.timing import PROCESSOR_TIME, Ratio

_PROJECT = Path(__file__).resolve().parents[1]
_RECIPES = _PROJECT / ".venv-recipes" / "bin" / "python"
_TOOLS = ("bench*.py", "timing.py", "flame_parity.py")
"""What another commit is measured by, below `tools`."""
_FASTER_IS_MORE = ("heads/s",)


@dataclass(frozen=True)
class Part:
    """A benchmark: module and arguments; the Python that runs it; whether its work is done by
    processes of its own, whose processor time nobody sees."""

    arguments: tuple[str, ...]
    python: str = sys.executable
    has_processes: bool = False


PARTS = {
    "render": Part(("tools.bench_render",)),
    "sliders": Part(("tools.bench_sliders",)),
    "panel": Part(("tools.bench_panel",)),
    "artist": Part(("tools.bench_artist",)),
    "farm": Part(("tools.bench_farm",), has_processes=True),
    "memory": Part(("tools.bench_farm", "--memory", "480"), has_processes=True),
    "flame": Part(("tools.bench_flame",), str(_RECIPES)),
}


Rounds = dict[str, list[Ratio]]
"""Name -> figures of each round."""


class PartFailed(Exception):
    """A part that ended without its figures; the message is its last line."""


def measured(part: Part, project: Path) -> Iterator[Ratio]:
    """The figures of a part, as they come, of the checkout in a folder; PartFailed."""
    with tempfile.TemporaryFile(mode="w+") as errors:
        command = [part.python, "-m", *part.arguments]
        try:
            process = subprocess.Popen(
                command, cwd=project, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        except OSError as error:
            raise PartFailed(f"{part.python} cannot be started ({error.strerror})") from None
        try:
            assert process.stdout is not None
            for line in process.stdout:  # Blender's own chatter among them
                ratio = Ratio.read(line)
                if ratio is not None:
                    yield ratio
        finally:
            process.terminate()
            status = process.wait()
        if status:
            errors.seek(0)
            said = [line.strip() for line in errors if line.strip()]
            raise PartFailed(said[-1] if said else f"exit status {status}")


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """Another commit in a temporary folder, with today's benchmarks; UserError if there is none."""
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit.returncode:
        raise UserError(
            f"unknown commit {revision!r}: name one that `git log` knows here, a tag or a branch"
        )
    with tempfile.TemporaryDirectory(prefix="facegen-bench-") as name:
        folder = Path(name, "checkout")
        try:
            made = _git("worktree", "add", "--detach", str(folder), commit.stdout.strip())
            if made.returncode:
                raise UserError(f"{revision} cannot be checked out: {made.stderr.strip()}")
            for pattern in _TOOLS:
                for file in (_PROJECT / "tools").glob(pattern):
                    shutil.copy(file, folder / "tools" / file.name)
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ("git", *arguments), cwd=_PROJECT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise UserError("git is not installed: --against needs it, and a checkout") from None


def bench(parts: Sequence[str]) -> int:
    """Print the figures of parts; the exit status."""
    failed = 0
    for name in parts:
        try:
            for ratio in measured(PARTS[name], _PROJECT):
                print(ratio, flush=True)
        except PartFailed as error:
            failed = 1
            print(f"bench: part {name} failed: {error}", file=sys.stderr)
    return failed


def compare(parts: Sequence[str], revision: str, rounds: int) -> int:
    """Print today's figures beside another commit's, part by part; the exit status."""
    failed = 0
    with checkout(revision) as there:
        for name in parts:
            found: dict[Path, Rounds] = {_PROJECT: {}, there: {}}
            try:
                _take_turns(PARTS[name], found, rounds)
            except PartFailed as error:
                failed = 1
                print(f"bench: part {name} failed: {error}", file=sys.stderr)
            for figure, today in found[_PROJECT].items():
                print(beside(today, found[there].get(figure, []), revision), flush=True)
    return failed


def _take_turns(part: Part, found: Mapping[Path, Rounds], rounds: int) -> None:
    """Measure a part of both checkouts, who is first in turn; PartFailed, in whose words where.

    What is measured until then is found. One that fails is not tried again.
    """
    here, there = found
    errors: dict[Path, PartFailed] = {}
    for number in range(rounds):
        for project in (here, there) if number % 2 == 0 else (there, here):
            if project in errors:
                continue
            try:
                for ratio in measured(part, project):
                    found[project].setdefault(ratio.name, []).append(ratio)
            except PartFailed as error:
                errors[project] = error
    if here in errors:
        raise errors[here]
    if there in errors:
        raise PartFailed(f"at the other commit: {errors[there]}")


def beside(today: Sequence[Ratio], before: Sequence[Ratio], revision: str) -> str:
    """A line that compares a figure with another commit's; the medians of their rounds.

    Below 1 today is faster, or needs less.
    """
    ours, ratio, unit = _median(today), _middle_ratio(today), today[0].unit
    line = f"{today[0].name}: {ours:.3g} {unit} ({ratio:.2f} of {today[0].alternative})"
    if not before:
        return f"{line}; {revision}: not there"
    theirs = _median(before)
    change = theirs / ours if unit in _FASTER_IS_MORE else ours / theirs
    return f"{line}; {revision}: {theirs:.3g} {unit} ({_middle_ratio(before):.2f}); {change:.2f}"


def _median(rounds: Sequence[Ratio]) -> float:
    return float(np.median([one.ours for one in rounds]))


def _middle_ratio(rounds: Sequence[Ratio]) -> float:
    return float(np.median([one.ratio for one in rounds]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--against", metavar="REV", help="a commit, tag or branch")
    parser.add_argument("--rounds", type=int, default=2, help="with --against: of each part")
    parser.add_argument("--processor-time", action="store_true", help="instead of the clock's")
    options = parser.parse_args(arguments)
    known = [n for n, part in PARTS.items() if not (options.processor_time and part.has_processes)]
    for name in options.parts:
        if name not in known:
            kind = "unknown part" if name not in PARTS else "no processor time is known of part"
            raise UserError(f"{kind} {name!r}: choose from {', '.join(known)}")
    parts = options.parts or known
    if options.processor_time:
        os.environ[PROCESSOR_TIME] = "1"
    if options.against is None:
        return bench(parts)
    return compare(parts, options.against, max(1, options.rounds))


if __name__ == "__main__":
    run_process(main, "bench")
