# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of files that every system takes."""

_DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in "123456789¹²³"
}


def is_device(name: str) -> bool:
    """Whether Windows takes the name for one of its devices, whatever suffix follows."""
    return name.partition(".")[0].rstrip().casefold() in _DEVICES
