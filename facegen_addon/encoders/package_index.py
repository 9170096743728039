# SPDX-License-Identifier: GPL-3.0-or-later
"""Which package index carriers are fetched from: the user's choice, pip's settings, pip's default.

No index has its name in FaceGen: whoever has told pip of a mirror is served by it, and everybody
else by the index that the pip beside this Python would ask. pip is read, never run.
"""

from __future__ import annotations

import ast
import configparser
import importlib.util
import os
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ..errors import UserError

_DEFAULT_STANDS_IN = (
    PurePosixPath("pip", "_internal", "models", "index").with_suffix(".py").as_posix()
)
_DEFAULT_IS_CALLED = "PyPI"


def index_address(chosen: str = "") -> str:
    """The index's address without a slash at its end: `chosen`, pip's setting, or pip's default.

    UserError if there is none, or one that is not http's.
    """
    address = chosen or _pips_setting() or _simple(default_site())
    if not address:
        raise UserError(
            "this Blender's Python has no pip that would name a package index: enter the index's"
            " address in FaceGen's preferences, or locate a file that you downloaded"
        )
    if not address.startswith(("https://", "http://")):
        raise UserError(f"package index {address!r} is no address of the web: begin with https://")
    return address.rstrip("/")


def project_page(requirement: str) -> str:
    """The page at which a browser finds a package's files, such as "name==1.0"; empty if unknown.

    That of pip's default index: mirrors have no pages for people.
    """
    name, _, version = requirement.partition("==")
    site = default_site()
    return f"{site}project/{name}/{version}/#files" if site else ""


def default_site() -> str:
    """The site of pip's default index, ending in a slash; empty if this Python has no pip."""
    for source in _sources_of_pip():
        for node in ast.walk(ast.parse(source)):
            if (
                isinstance(node, ast.Assign)
                and [getattr(name, "id", "") for name in node.targets] == [_DEFAULT_IS_CALLED]
                and isinstance(node.value, ast.Call)
            ):
                (first, *_) = node.value.args
                return str(getattr(first, "value", ""))
    return ""


def _simple(site: str) -> str:
    return f"{site}simple" if site else ""


def _pips_setting() -> str:
    """The index that the user has set for pip, in the environment or in one of its files."""
    setting = os.environ.get("PIP_INDEX_URL", "")
    for file in reversed(_settings_files()):
        setting = setting or _setting_in(file)
    return setting


def _setting_in(file: Path) -> str:
    parser = configparser.RawConfigParser()
    try:
        parser.read(file, encoding="utf-8")
        return parser.get("global", "index-url", fallback="").strip()
    except (configparser.Error, OSError, UnicodeDecodeError):
        return ""  # pip would complain; here the next one is asked


def _settings_files() -> list[Path]:
    """pip's files of settings on Linux, macOS and Windows, the last one counts most."""
    given = os.environ.get("PIP_CONFIG_FILE", "")
    if given == os.devnull:
        return []
    home = Path(os.path.expanduser("~"))
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf")]
    files += [Path("/Library/Application Support/pip/pip.conf"), home / ".pip" / "pip.conf"]
    files += [Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"]
    files += [home / "Library" / "Application Support" / "pip" / "pip.conf"]
    folders = [os.environ.get(name, "") for name in ("PROGRAMDATA", "APPDATA")]
    files += [Path(folder) / "pip" / "pip.ini" for folder in folders if folder]
    return [*files, *([Path(given)] if given else [])]


def _sources_of_pip() -> Iterator[str]:
    """The file that names pip's default: pip's own, or that of the wheel that Python brings."""
    for folder in _folders("pip"):
        file = Path(folder).parent / _DEFAULT_STANDS_IN
        if file.is_file():
            yield file.read_text(encoding="utf-8")
    for wheel in _wheels_of_pip():
        with zipfile.ZipFile(wheel) as archive:
            yield archive.read(_DEFAULT_STANDS_IN).decode()


def _wheels_of_pip() -> Iterator[Path]:
    places = [Path(folder) / "_bundled" for folder in _folders("ensurepip")]
    packaged = sysconfig.get_config_var("WHEEL_PKG_DIR")  # where distributions keep them
    for place in [*places, *([Path(packaged)] if packaged else [])]:
        yield from sorted(place.glob("pip-*.whl"))


def _folders(package: str) -> list[str]:
    """Where a package lies, which is not imported; none if there is no such package."""
    return list(getattr(importlib.util.find_spec(package), "submodule_search_locations", ()))
