# SPDX-License-Identifier: GPL-3.0-or-later
"""A package index of this machine, which can refuse, break off, lie and be silent."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from facegen_addon.encoders.carrier import Carrier


def carrier_of(data: bytes) -> Carrier:
    """The carrier of a made-up wheel."""
    digest = hashlib.sha256(data).hexdigest()
    return Carrier("made-up==1.0", "made_up-1.0-py3-none-any.whl", digest, len(data), "a", digest)


class PackageIndex:
    """Serves one wheel.

    `data`: what is sent as the wheel; `stated`: its sha256 as the page has it; `page`: "json" or
    "html"; `cut_after`: bytes after which each answer breaks off; `ranges`: whether it can send the
    rest of a file; `status`: of every answer; `asked`: the requests' paths and ranges.
    """

    def __init__(self, carrier: Carrier, data: bytes) -> None:
        self.carrier, self.data = carrier, data
        self.stated = hashlib.sha256(data).hexdigest()
        self.page = "json"
        self.cut_after: int | None = None
        self.ranges = True
        self.status = 200
        self.asked: list[tuple[str, str]] = []
        self.address = ""

    def links(self) -> tuple[str, bytes]:
        """The package's page: its type and text."""
        link, name = f"../../files/{self.carrier.wheel}", self.carrier.wheel
        if self.page == "json":
            files = [
                {"filename": "other", "url": "../../files/made_up-0.9-py3-none-any.whl"},
                {"filename": name, "url": link, "hashes": {"sha256": self.stated}},
            ]
            return "application/vnd.pypi.simple.v1+json", json.dumps({"files": files}).encode()
        text = f'<a href="../x.whl">x</a><a href="{link}#sha256={self.stated}">{name}</a>'
        return "text/html", text.encode()


@contextmanager
def serving(index: PackageIndex) -> Iterator[str]:
    """The index at work; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.asked.append((self.path, self.headers.get("Range", "")))
            if index.status != 200:
                self.send_error(index.status)
                return
            if self.path.startswith("/simple/"):
                kind, body = index.links()
                self._send(200, kind, body, len(body), "")
                return
            start = 0
            if index.ranges and "Range" in self.headers:
                start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            body = index.data[start:]
            stated = f"bytes {start}-{len(index.data) - 1}/{len(index.data)}" if start else ""
            self._send(206 if start else 200, "application/zip", body[: index.cut_after],
                       len(body), stated)  # fmt: skip

        def _send(self, status: int, kind: str, body: bytes, length: int, part: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length))
            if part:
                self.send_header("Content-Range", part)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        index.address = f"http://127.0.0.1:{server.server_port}/simple"
        yield index.address
    finally:
        server.shutdown()
        server.server_close()
