"""A web server on 127.0.0.1 with the manners of a package index and of the Hugging Face Hub, and faults on demand."""

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Page:
    """What one address serves, and how it fails.

    ``status`` other than 200 is answered to GET. ``sent`` is what GET really sends where that differs from ``body``.
    ``cuts`` connections are closed after half of what was asked for; ``gate`` holds GET back until it is set.
    """

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    sent: bytes | None = None
    cuts: int = 0
    with_length: bool = True
    gate: threading.Event | None = None


class Loopback:
    """The server: a context manager that listens on a free port and counts the GET requests of each address."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.gets: Counter[str] = Counter()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Loopback":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self, path: str, body: bytes, **settings) -> Page:
        """Serve ``body`` at ``path`` and return its page, whose faults may be changed at any time."""
        self.pages[path] = page = Page(body, **settings)
        return page

    def serve_wheel(self, package: str, filename: str, body: bytes) -> Page:
        """Serve a wheel in a simple index (PEP 503) at ``/simple``."""
        link = f'<!DOCTYPE html><html><body><a href="/wheels/{filename}">{filename}</a></body></html>'
        self.serve(f"/simple/{package}/", link.encode(), headers={"Content-Type": "text/html"})
        return self.serve(f"/wheels/{filename}", body)

    def serve_hub_file(self, repository: str, revision: str, file: str, body: bytes) -> Page:
        """Serve a file of a repository as the Hub does: its commit and its SHA-256 in the headers."""
        headers = {"X-Repo-Commit": revision, "ETag": f'"{hashlib.sha256(body).hexdigest()}"'}
        return self.serve(f"/{repository}/resolve/{revision}/{file}", body, headers=headers)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                page = server.pages.get(unquote(urlsplit(self.path).path))
                self._head(page.status if page else 404, page, len(page.body) if page else 0)

            def do_GET(self) -> None:
                path = unquote(urlsplit(self.path).path)
                server.gets[path] += 1
                page = server.pages.get(path)
                if page is None or page.status != 200:
                    return self._head(page.status if page else 404, page, 0)
                if page.gate:
                    page.gate.wait(60)
                body = page.body if page.sent is None else page.sent
                start = (
                    int(self.headers["Range"].removeprefix("bytes=").split("-")[0]) if "Range" in self.headers else 0
                )
                rest = body[start:]
                self._head(206 if start else 200, page, len(rest), start=start, whole=len(body))
                if page.cuts:
                    page.cuts -= 1
                    rest = rest[: len(rest) // 2]
                    self.close_connection = True
                self.wfile.write(rest)

            def _head(self, status: int, page: Page | None, length: int, start: int = 0, whole: int = 0) -> None:
                self.send_response(status)
                for name, value in (page.headers if page else {}).items():
                    self.send_header(name, value)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
                if page is None or page.with_length:
                    self.send_header("Content-Length", str(length))
                else:
                    self.send_header("Connection", "close")
                self.end_headers()

            def log_message(self, *_) -> None:
                pass

        return Handler


def closed_port_url() -> str:
    """Return an address at which nothing listens."""
    with Loopback() as server:
        return server.url


def assert_one_plain_sentence(message: str, *, remedy: str) -> None:
    """Check that a message is a single sentence in one line that names the remedy."""
    assert "\n" not in message
    assert message.endswith(".")
    assert not any(f"{mark} {letter}" in message for mark in ".!?" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), message
    assert "Traceback" not in message
    assert remedy in message, message
