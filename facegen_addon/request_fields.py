# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of a request, each declared once.

The dataclass of the request takes its defaults and checks from them, the command line its options,
the operator its properties, and the documentation its tables (tools/option_tables.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import UserError

REQUIRED = object()
"""The default of a field that has none."""
_METADATA = "request field"


@dataclass(frozen=True, kw_only=True)
class RequestField:
    """One field of a request.

    help: what it is, a phrase without a capital; unset: what holds where it is not given, in words,
    where the default cannot say it; label: its name in the panel, where that is another; metavar:
    what stands for its value in the command line's help.
    """

    name: str
    help: str
    default: Any
    unset: str = ""
    label: str = ""
    metavar: str | None = None

    @property
    def declared(self) -> Any:
        """A new field for the request's dataclass: ``count: int = COUNT.declared``."""
        metadata = {_METADATA: self}
        if self.default is REQUIRED:
            return dataclasses.field(metadata=metadata)
        return dataclasses.field(default=self.default, metadata=metadata)

    def fault(self, value: Any, spelled: str) -> str:
        """The fault of a value of the field, which the user spells so; empty if there is none."""
        return ""

    @property
    def accepted(self) -> str:
        """Accepted values, in words; empty if the help says it."""
        return ""

    @property
    def option(self) -> str:
        """Its option on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def shown_label(self) -> str:
        """Its name in the panel."""
        return self.label or self.name.replace("_", " ").title()

    def but(self, **changes: Any) -> Any:
        """The same field with something changed, for another request."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, kw_only=True)
class WholeNumber(RequestField):
    """A whole number from ``low`` to ``high``, both included; unit: "pixels", or nothing."""

    low: int
    high: int
    unit: str = ""

    def __contains__(self, value: int) -> bool:
        return self.low <= value <= self.high

    def fault(self, value: Any, spelled: str) -> str:
        """Out of range."""
        if value in self:
            return ""
        return f"{spelled} {value} is out of range; give a number from {self.low} to {self.high}"

    @property
    def accepted(self) -> str:
        """The range."""
        return f"{self.low} to {self.high}"


@dataclass(frozen=True, kw_only=True)
class Number(RequestField):
    """A number from ``low`` to ``high``; excluded: both bounds."""

    low: float
    high: float
    excluded: bool = False

    def __contains__(self, value: float) -> bool:
        inside = self.low <= value <= self.high
        return inside and not (self.excluded and value in (self.low, self.high))

    def fault(self, value: Any, spelled: str) -> str:
        """Out of range, or no number at all."""
        if value in self:
            return ""
        return f"{spelled} {value} is out of range; give a number {self._words('from')}"

    @property
    def accepted(self) -> str:
        """The range."""
        return self._words().strip()

    def _words(self, start: str = "") -> str:
        if self.excluded:
            return f"between {self.low:g} and {self.high:g}, both excluded"
        return f"{start} {self.low:g} to {self.high:g}"


@dataclass(frozen=True, kw_only=True)
class OneOf(RequestField):
    """One of some names; said: what a name means, where that is worth a word."""

    names: tuple[str, ...]
    said: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)

    def __contains__(self, value: str) -> bool:
        return value in self.names

    def fault(self, value: Any, spelled: str) -> str:
        """No such name."""
        if value in self:
            return ""
        return f"unknown {spelled} {value!r}; choose from {', '.join(self.names)}"

    @property
    def accepted(self) -> str:
        """The names."""
        return ", ".join(self.names)

    def explained(self, quote: str = "") -> str:
        """The names, quoted so, each with what it means."""
        remarks = ((name, self.said.get(name, "")) for name in self.names)
        return ", ".join(
            f"{quote}{name}{quote}{f' ({said})' if said else ''}" for name, said in remarks
        )


@dataclass(frozen=True, kw_only=True)
class Text(RequestField):
    """Text, such as a name or a path; whoever uses it checks it."""


@dataclass(frozen=True, kw_only=True)
class FilePath(RequestField):
    """The path of a file or folder."""


@dataclass(frozen=True, kw_only=True)
class FilePaths(RequestField):
    """Several paths."""


@dataclass(frozen=True, kw_only=True)
class Switch(RequestField):
    """Yes or no."""


def fields_of(request: type) -> tuple[RequestField, ...]:
    """The fields that a request's dataclass is declared by, in its order."""
    return tuple(
        field.metadata[_METADATA]
        for field in dataclasses.fields(request)
        if _METADATA in field.metadata
    )


def given(request: Any) -> dict[str, Any]:
    """Values of a request, by name: all but those that stand for "not given"."""
    values = ((field, getattr(request, field.name)) for field in fields_of(type(request)))
    return {
        field.name: value for field, value in values if not (field.unset and value == field.default)
    }


def check_fields(
    fields: Iterable[RequestField],
    values: Mapping[str, Any],
    spelled: Callable[[str], str] = str,
) -> None:
    """UserError for the first of the values that its field does not accept.

    ``spelled`` gives a field's name as the user writes it, to whom the line is addressed.
    """
    for field in fields:
        if field.name in values:
            fault = field.fault(values[field.name], spelled(field.name))
            if fault:
                raise UserError(fault)
