# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line that makes a run, from what its run.json says."""

import shlex

from batch.dataset.run_folder import RunFolder
from facegen_addon.artifacts import USER_MODEL_PREFIX
from facegen_addon.heads.flame_person.head import LIKE_PERSON


def make_command(run: RunFolder, recipe: str, output: str, *more: str) -> str:
    """`dataset make` with the settings of a run, without the program before it.

    recipe, output: paths; more: further words.
    Where the user's own FLAME file lies is not known: its place is taken by FLAME_FILE.
    """
    request = run.request
    model = str(request["model"])
    own = model.startswith(USER_MODEL_PREFIX)
    own_file = "FLAME_FILE" + (LIKE_PERSON if model.endswith(LIKE_PERSON) else "")
    words = ["dataset", "make", "--recipe", recipe]
    words += ["--model", own_file if own else model]
    for option in ("count", "seed", "shard_size"):
        words += [f"--{option.replace('_', '-')}", str(request[option])]
    return shlex.join([*words, "--output", output, *more])
