# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the shapes that annotations state, for all calls that tests make.

``watch()`` has every function of the library that is imported from then on check its arguments and
its result where their annotations say ``Annotated[<array>, "<shape>"]``. Letters are bound within a
call by jaxtyping. Dataclasses are checked as they are made. What a function refuses by itself is
its own affair: only calls that succeed are checked.
"""

from __future__ import annotations

import functools
import importlib.machinery
import inspect
import sys
import types
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import jaxtyping
import numpy as np

_PACKAGES = ("facegen_addon.", "batch.", "models.training.")


class _Finder:
    """Finds the library's modules like Python itself, and has them checked once they have run."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's spec, its loader one that checks; None for modules of others."""
        if not name.startswith(_PACKAGES):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module, then put checks around what it defines."""
        super().exec_module(module)
        for name, value in list(vars(module).items()):
            if getattr(value, "__module__", None) != module.__name__:
                continue  # imported from elsewhere, where it was seen to
            if isinstance(value, types.FunctionType):
                setattr(module, name, checked(value, vars(module)))
            elif inspect.isclass(value) and not hasattr(value, "bl_rna"):
                check_class(value)


def watch() -> None:
    """Check shapes in what is imported of the library from now on."""
    sys.meta_path.insert(0, _Finder())


def check_class(kind: type) -> None:
    """Put checks around what a class defines; what a dataclass is made with included."""
    names = vars(sys.modules[kind.__module__])
    for name, value in list(vars(kind).items()):
        if isinstance(value, types.FunctionType):
            setattr(kind, name, checked(value, names))
        elif isinstance(value, staticmethod | classmethod):
            setattr(kind, name, type(value)(checked(value.__func__, names)))
        elif isinstance(value, property) and value.fget is not None:
            setattr(kind, name, property(checked(value.fget, names), value.fset, value.fdel))
        elif isinstance(value, functools.cached_property):
            value.func = checked(value.func, names)


def checked(function: Callable[..., Any], names: dict[str, Any]) -> Callable[..., Any]:
    """The function with checks of the shapes in its annotations; itself if they state none.

    ``names``: of the module, by which annotations are read; a NamedTuple's constructor has none.
    """
    if not any("Annotated" in str(hint) for hint in function.__annotations__.values()):
        return function
    signature = inspect.signature(function)

    @functools.cache  # read at the first call: the module is not complete before
    def shaped_hints() -> dict[str, Any]:
        hints = typing.get_type_hints(function, names, include_extras=True)
        return {name: hint for name, hint in hints.items() if "Annotated" in str(hint)}

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        hints = shaped_hints()
        bound = signature.bind(*args, **options)
        result = function(*args, **options)
        with jaxtyping.jaxtyped("context"):
            for name, value in bound.arguments.items():
                if name in hints:
                    _check(function, name, value, hints[name])
            if "return" in hints:
                _check(function, "the result", result, hints["return"])
            return result

    return call


def _check(function: Callable[..., Any], name: str, value: Any, hint: Any) -> None:
    if not _fits(value, hint):
        shape = np.shape(value) if isinstance(value, np.ndarray) else value
        raise AssertionError(
            f"{function.__module__}.{function.__qualname__}: {name} is {shape}, not {hint}"
        )


def _fits(value: Any, hint: Any) -> bool:
    """Whether the arrays in a value have the shapes that a hint states."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return not isinstance(value, np.ndarray) or isinstance(value, _shape(arguments[1]))
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in arguments)
    if origin is tuple and isinstance(value, tuple):
        if arguments[-1] is Ellipsis:
            return all(_fits(one, arguments[0]) for one in value)
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    if origin is dict and isinstance(value, dict):
        return all(_fits(one, arguments[1]) for one in value.values())
    return not isinstance(hint, type) or isinstance(value, hint)


@functools.cache
def _shape(text: str) -> Any:
    return jaxtyping.Shaped[np.ndarray, text]
