# SPDX-License-Identifier: GPL-3.0-or-later
"""All head models: those of the project by name, those of a user's FLAME files by path."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from ..artifacts import USER_MODEL_PREFIX
from ..errors import UserError
from .anny.head import ANNY, anny_head
from .flame.head import FlameHead
from .flame.open_head import (
    EMBEDDING_FILE,
    OPEN_FLAME,
    flame_head_from_cache,
    flame_head_from_file,
    open_flame_head,
)
from .flame_person.head import LIKE_PERSON, OPEN_PERSON, like_person, open_person_head
from .head_model import HeadModel
from .person.head import PERSON, person_head

DEFAULT_MODEL = PERSON

DEFAULT_FLAME = OPEN_FLAME
"""Where FLAME's own parameters are meant and no model is named."""

HEAD_MODELS: dict[str, Callable[[], HeadModel]] = {
    OPEN_FLAME: open_flame_head,
    ANNY: anny_head,
    PERSON: person_head,
    OPEN_PERSON: open_person_head,
}
"""Name -> what loads it; a new head model is added here."""
_FLAME_FILES = (".pkl", ".npz")

_loaded: dict[str, HeadModel] = {}


def load_head_model(name: str) -> HeadModel:
    """The head model called ``name``, or in the FLAME file at the path ``name``.

    A file's head is found again by its own name, flame_ and the beginning of the file's sha256, for
    as long as this process or the user's cache keeps it. UserError if there is none or its file is
    damaged.
    """
    if name in _loaded:
        return _loaded[name]
    if name in HEAD_MODELS:
        return _keep(HEAD_MODELS[name]())
    if name.endswith(LIKE_PERSON):
        bare = load_head_model(name.removesuffix(LIKE_PERSON))
        if bare.name in HEAD_MODELS or not isinstance(bare, FlameHead):
            raise UserError(
                f"{LIKE_PERSON} is for FLAME files, and {bare.name} is none; choose {OPEN_PERSON}"
            )
        return _like_person(bare)
    if name.startswith(USER_MODEL_PREFIX) and not is_flame_file(name):
        return _keep(flame_head_from_cache(name))
    if is_flame_file(name):
        path = Path(name)
        return _of_file(path, _state(path), _state(path.with_name(EMBEDDING_FILE)))
    raise UserError(
        f"unknown head model {name!r}; choose from {', '.join(HEAD_MODELS)}, or give a FLAME file"
        f" ({', '.join(_FLAME_FILES)})"
    )


def is_flame_file(name: str) -> bool:
    """Whether a model is named by the path of a file."""
    return Path(name).suffix.lower() in _FLAME_FILES


def check_model_name(name: str) -> None:
    """UserError unless ``name`` can be a head model: quick, nothing is read."""
    name = name.removesuffix(LIKE_PERSON)
    if is_flame_file(name):
        if not os.path.isfile(name):
            raise UserError(f"head model {name} is not there; name a FLAME file")
    elif name not in HEAD_MODELS and not name.startswith(USER_MODEL_PREFIX):
        load_head_model(name)


_State = tuple[int, ...]


def _state(path: Path) -> _State:
    """Identity, size and time of change of the file at a path; empty where they cannot be read, as
    reading the file will say."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def forget_models() -> None:
    """Have all models read anew from their files."""
    _loaded.clear()
    _of_file.cache_clear()
    _like_person.cache_clear()


def _keep(model: HeadModel) -> HeadModel:
    _loaded[model.name] = model
    return model


@cache
def _of_file(path: Path, state: _State, landmarks: _State) -> HeadModel:
    """The head of a FLAME file, kept until its state or that of the landmarks beside it changes."""
    head = flame_head_from_file(path)
    _keep(head.with_fitted_landmarks())
    return head


@cache
def _like_person(bare: FlameHead) -> HeadModel:
    """The head of a file with person's look, kept as long as the head without it."""
    return _keep(like_person(bare))
