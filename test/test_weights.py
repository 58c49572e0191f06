"""Downloads over a real HTTP server: whole, checked, converted, or one clear error and nothing."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hydranet_ros.inference.engine import Engine
from hydranet_ros.errors import DownloadError
from hydranet_ros.network import weights
from hydranet_ros.network.weights import WEIGHTS, OfficialWeights, blob_id, describe, pull


@pytest.fixture
def server():
    """Serve ``server.answers``: path to (status, body, length that is announced)."""
    answers: dict[str, tuple[int, bytes, int]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body, length = answers.get(self.path, (404, b'', 0))
            self.send_response(status)
            self.send_header('Content-Length', str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    running.answers = answers
    running.url = f'http://127.0.0.1:{running.server_port}/weights'
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def published(tmp_path: Path, server, monkeypatch):
    """Publish a checkpoint of the official layout under a name of the table."""
    torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
    from reference_network import random_reference

    path = tmp_path / 'source.ckpt'
    torch.save({'state_dict': random_reference().state_dict()}, path)
    item = OfficialWeights('ExpKITTI_joint', blob_id(path), 'kitti')
    monkeypatch.setattr(weights, 'WEIGHTS', {**WEIGHTS, item.name: item})
    body = path.read_bytes()
    server.answers['/weights/ExpKITTI_joint.ckpt'] = (200, body, len(body))
    return body


def fails(server, folder: Path, match: str) -> None:
    with pytest.raises(DownloadError, match=match):
        pull('ExpKITTI_joint', base_url=server.url, destination=folder, say=lambda text: None)
    assert list(folder.iterdir()) == [], 'something was left behind'


def test_a_pulled_checkpoint_becomes_the_model_of_its_preset(published, server, tmp_path):
    said: list[str] = []
    folder = tmp_path / 'models'
    made = pull('ExpKITTI_joint', base_url=server.url, destination=folder, say=said.append)
    assert made == [folder / 'kitti.onnx']
    assert Engine(made[0]).info.preset == 'kitti'
    assert 'non-commercial' in said[0]
    assert [path.name for path in folder.iterdir()] == ['kitti.onnx']


def test_the_blob_id_is_gits_own(tmp_path: Path):
    path = tmp_path / 'file'
    path.write_bytes(b'hello\n')
    expected = subprocess.run(
        ['git', 'hash-object', str(path)], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert blob_id(path) == expected


def test_other_bytes_are_refused(server, tmp_path):
    server.answers['/weights/ExpKITTI_joint.ckpt'] = (200, b'x' * 1000, 1000)
    fails(server, tmp_path / 'models', 'other bytes than it should.*d9386a96f748')


def test_a_cut_connection_is_named(server, tmp_path):
    server.answers['/weights/ExpKITTI_joint.ckpt'] = (200, b'x' * 1000, 5000)
    fails(server, tmp_path / 'models', 'was cut')


def test_a_missing_file_is_named_with_its_status(server, tmp_path):
    fails(server, tmp_path / 'models', 'answered 404')


def test_no_network_is_named(tmp_path):
    with socket.socket() as closed:
        closed.bind(('127.0.0.1', 0))
        port = closed.getsockname()[1]
    folder = tmp_path / 'models'
    with pytest.raises(DownloadError, match='cannot be reached.*Check the network'):
        pull('ExpKITTI_joint', base_url=f'http://127.0.0.1:{port}', destination=folder)
    assert list(folder.iterdir()) == []


LIMITED = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from hydranet_ros.errors import DownloadError
from hydranet_ros.network.weights import pull
try:
    pull('ExpKITTI_joint', base_url=sys.argv[1], destination=Path(sys.argv[2]))
except DownloadError as err:
    print('refused:', err)
"""


def test_a_full_disk_is_named_and_nothing_is_left(server, tmp_path):
    """A real limit of the kernel's on the size of a file stands for the disk that is full."""
    server.answers['/weights/ExpKITTI_joint.ckpt'] = (200, b'x' * 2_000_000, 2_000_000)
    folder = tmp_path / 'models'
    done = subprocess.run(
        [sys.executable, '-c', LIMITED, server.url, str(folder)],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, 'PYTHONDONTWRITEBYTECODE': '1'},
    )  # fmt: skip
    assert 'refused: The disk is full' in done.stdout, done.stderr
    assert list(folder.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100_000


@pytest.fixture
def small_disk(tmp_path: Path):
    """Mount a real disk of 20 MB: room for a checkpoint of 12 MB, not for its model file too."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip('mounting a small disk needs root')
    yield folder
    subprocess.run(['umount', str(folder)], check=True)


def test_a_disk_too_full_for_the_download_is_named(server, small_disk):
    server.answers['/weights/ExpKITTI_joint.ckpt'] = (200, b'x' * 30_000_000, 30_000_000)
    fails(server, small_disk, 'The disk is full; nothing was kept')


def test_a_disk_too_full_for_the_model_file_is_named(published, server, small_disk):
    fails(server, small_disk, 'was fetched whole, but: .*kitti.onnx cannot be written: No space')


def test_a_folder_that_cannot_be_made_is_named_before_anything_is_fetched(server, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(DownloadError, match='cannot be written.*HYDRANET_MODELS'):
        pull('ExpKITTI_joint', base_url=server.url, destination=tmp_path / 'file' / 'models')


def test_an_unknown_name_lists_the_known():
    with pytest.raises(DownloadError, match='ExpKITTI_joint, ExpNYUD_joint'):
        pull('ExpMars')


def test_the_list_names_every_checkpoint_and_the_license():
    text = describe()
    assert all(name in text for name in WEIGHTS)
    assert 'non-commercial' in text
