"""Downloads from a real HTTP server are complete and verified, or raise one clear error."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_server import Response, Server, make_certificate, serve

from hydranet_ros.errors import DownloadError
from hydranet_ros.model_files.download import download, git_blob_id

CONTENT = b'model file ' * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        running.responses['/model'] = Response(body=CONTENT)
        yield running


@pytest.mark.parametrize('announced', [len(CONTENT), -1])
def test_a_verified_file_has_the_content_of_the_server(server, tmp_path: Path, announced: int):
    server.responses['/model'] = Response(body=CONTENT, length=announced)
    download(f'{server.url}/model', tmp_path / 'file', SHA256)
    assert (tmp_path / 'file').read_bytes() == CONTENT


def test_redirects_are_followed(server, tmp_path: Path):
    server.responses['/moved'] = Response(302, location='/model')
    download(f'{server.url}/moved', tmp_path / 'file', SHA256)
    assert server.requests == ['/moved', '/model']


def test_the_git_blob_id_equals_that_of_git(tmp_path: Path):
    path = tmp_path / 'file'
    path.write_bytes(b'hello\n')
    expected = subprocess.run(
        ['git', 'hash-object', str(path)], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert git_blob_id(path) == expected


def test_a_file_is_verified_with_the_given_checksum(server, tmp_path: Path):
    expected = hashlib.sha1(f'blob {len(CONTENT)}\0'.encode() + CONTENT).hexdigest()
    download(f'{server.url}/model', tmp_path / 'file', expected, checksum=git_blob_id)
    with pytest.raises(DownloadError, match=f'got {expected}, expected {SHA256}'):
        download(f'{server.url}/model', tmp_path / 'file', SHA256, checksum=git_blob_id)


def test_a_checksum_mismatch_names_both_checksums_and_the_url(server, tmp_path: Path):
    server.responses['/model'] = Response(body=CONTENT[:-1] + b'?')
    with pytest.raises(DownloadError) as error:
        download(f'{server.url}/model', tmp_path / 'file', SHA256)
    found = hashlib.sha256(CONTENT[:-1] + b'?').hexdigest()
    assert str(error.value) == (
        f'Checksum mismatch for {server.url}/model: got {found}, expected {SHA256}. Retry, or '
        'use another mirror.'
    )


@pytest.mark.parametrize('status', [404, 500])
def test_an_http_error_names_its_status(server, tmp_path: Path, status: int):
    server.responses['/model'] = Response(status, b'an error page')
    with pytest.raises(DownloadError, match=f'/model returned {status} .*Check the address'):
        download(f'{server.url}/model', tmp_path / 'file', SHA256)
    assert not (tmp_path / 'file').exists()


def test_an_interrupted_connection_is_an_error(server, tmp_path: Path):
    server.responses['/model'] = Response(body=CONTENT[:1000], length=len(CONTENT))
    with pytest.raises(DownloadError, match='interrupted.*retry'):
        download(f'{server.url}/model', tmp_path / 'file', SHA256)


def test_an_unreachable_server_is_an_error(tmp_path: Path):
    with socket.socket() as closed:
        closed.bind(('127.0.0.1', 0))
        port = closed.getsockname()[1]
    with pytest.raises(DownloadError, match='cannot be reached.*Check the network'):
        download(f'http://127.0.0.1:{port}/model', tmp_path / 'file', SHA256)


@pytest.mark.parametrize('url', ['ftp://127.0.0.1/model', 'model', 'http://[1/model'])
def test_an_address_that_is_not_http_is_an_error(tmp_path: Path, url: str):
    with pytest.raises(DownloadError, match='cannot be reached'):
        download(url, tmp_path / 'file', SHA256)


@pytest.mark.parametrize('announced', [len(CONTENT), -1])
def test_a_file_above_the_limit_is_refused(server, tmp_path: Path, announced: int):
    """A server without a Content-Length cannot fill the disk either."""
    server.responses['/model'] = Response(body=CONTENT, length=announced)
    with pytest.raises(DownloadError, match='larger than 100000 bytes'):
        download(f'{server.url}/model', tmp_path / 'file', SHA256, max_bytes=100_000)
    assert not (tmp_path / 'file').exists() or (tmp_path / 'file').stat().st_size <= 100_000
    download(f'{server.url}/model', tmp_path / 'file', SHA256, max_bytes=len(CONTENT))


@pytest.mark.skipif(shutil.which('openssl') is None, reason='openssl is not installed')
def test_a_redirect_from_https_to_http_is_refused_before_it_is_followed(
    server, tmp_path: Path, monkeypatch
):
    certificate, key = make_certificate(tmp_path)
    monkeypatch.setenv('SSL_CERT_FILE', str(certificate))
    with serve((certificate, key)) as secure:
        secure.responses['/model'] = Response(body=CONTENT)
        secure.responses['/inside'] = Response(302, location='/model')
        secure.responses['/outside'] = Response(302, location=f'{server.url}/model')
        download(f'{secure.url}/inside', tmp_path / 'file', SHA256)
        with pytest.raises(DownloadError, match=r'/outside redirects to http://.* is not HTTPS'):
            download(f'{secure.url}/outside', tmp_path / 'other', SHA256)
    assert server.requests == []


LIMITED = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from hydranet_ros.errors import DownloadError
from hydranet_ros.model_files.download import download
try:
    download(sys.argv[1], Path(sys.argv[2]), '')
except DownloadError as err:
    print('refused:', err)
"""


def test_a_full_disk_is_an_error(server, tmp_path: Path):
    """The kernel's limit on the size of a file acts as a full disk."""
    done = subprocess.run(
        [sys.executable, '-c', LIMITED, f'{server.url}/model', str(tmp_path / 'file')],
        capture_output=True, text=True, timeout=120,
        env={**os.environ, 'PYTHONDONTWRITEBYTECODE': '1'},
    )  # fmt: skip
    assert 'refused: The disk is full. Nothing was kept of' in done.stdout, done.stderr


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path: Path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(DownloadError, match='file cannot be written: Not a directory'):
        download(f'{server.url}/model', tmp_path / 'file' / 'model', SHA256)
