"""A real HTTP server on the loopback interface."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Response:
    """One response; ``length`` is the announced length, -1 to announce none."""

    status: int = 200
    body: bytes = b''
    length: int | None = None
    location: str = ''


@dataclass
class Server:
    """A running server: the URL of its root, and its responses by path."""

    url: str
    responses: dict[str, Response] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)


@contextmanager
def serve(certificate: tuple[Path, Path] | None = None) -> Iterator[Server]:
    """
    Run a server that responds 404 to unknown paths.

    :param certificate: certificate and key files of an HTTPS server.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append(self.path)
            response = server.responses.get(self.path, Response(404))
            length = len(response.body) if response.length is None else response.length
            self.send_response(response.status)
            if length >= 0:
                self.send_header('Content-Length', str(length))
            if response.location:
                self.send_header('Location', response.location)
            self.end_headers()
            self.wfile.write(response.body)

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    scheme = 'http'
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        running.socket = context.wrap_socket(running.socket, server_side=True)
        scheme = 'https'
    server = Server(f'{scheme}://127.0.0.1:{running.server_port}')
    thread = threading.Thread(target=running.serve_forever, kwargs={'poll_interval': 0.02})
    thread.start()
    try:
        yield server
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate for 127.0.0.1 and its key with the openssl command."""
    certificate, key = folder / 'certificate.pem', folder / 'key.pem'
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
         '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1',
         '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', str(key), '-out', str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key
