"""Official checkpoints are downloaded, verified and exported; an error leaves no files behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_server import Response, Server, serve

from hydranet_ros.errors import DownloadError
from hydranet_ros.inference.engine import Engine
from hydranet_ros.model_files.download import git_blob_id
from hydranet_ros.network import weights
from hydranet_ros.network.weights import (
    WEIGHTS,
    OfficialWeights,
    describe_weights,
    pull_weights,
)

NAME = 'ExpKITTI_joint'


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def published(official_checkpoint: Path, server: Server, tmp_path: Path, monkeypatch) -> bytes:
    """Publish a checkpoint of the official layout as ``ExpKITTI_joint`` and return its content."""
    from network_tools import small_preset

    preset = small_preset(tmp_path, 'kitti')
    item = OfficialWeights(NAME, git_blob_id(official_checkpoint), preset)
    monkeypatch.setattr(weights, 'WEIGHTS', {**WEIGHTS, NAME: item})
    content = official_checkpoint.read_bytes()
    server.responses[f'/{NAME}.ckpt'] = Response(body=content)
    return content


def pull(server: Server, folder: Path, **options) -> list[Path]:
    return pull_weights(
        NAME, base_url=server.url, destination=folder, log=lambda text: None, **options
    )


def assert_fails(server: Server, folder: Path, match: str) -> None:
    with pytest.raises(DownloadError, match=match):
        pull(server, folder)
    assert list(folder.iterdir()) == []


def test_a_pulled_checkpoint_becomes_the_model_file_of_its_preset(published, server, tmp_path):
    lines: list[str] = []
    folder = tmp_path / 'models'
    paths = pull_weights(NAME, base_url=server.url, destination=folder, log=lines.append)
    assert paths == [folder / 'kitti.onnx']
    assert Engine(paths[0]).info.preset == 'kitti'
    assert 'non-commercial' in lines[0]
    assert sorted(path.name for path in folder.iterdir()) == ['kitti.cpu.onnx', 'kitti.onnx']


@pytest.fixture
def two_domains(server: Server, tmp_path: Path, monkeypatch) -> None:
    """Publish a checkpoint of two domains as ``ExpKITTI_joint``."""
    from network_tools import save_official, small_preset

    checkpoint = save_official(tmp_path / 'joint.ckpt', 46)
    preset = small_preset(tmp_path, 'nyud_kitti')
    item = OfficialWeights(NAME, git_blob_id(checkpoint), preset)
    monkeypatch.setattr(weights, 'WEIGHTS', {**WEIGHTS, NAME: item})
    server.responses[f'/{NAME}.ckpt'] = Response(body=checkpoint.read_bytes())


def test_each_domain_of_a_checkpoint_becomes_a_model(two_domains, server, tmp_path):
    folder = tmp_path / 'models'
    paths = pull(server, folder)
    assert paths == [folder / 'nyud_kitti.kitti.onnx', folder / 'nyud_kitti.nyud.onnx']
    assert [Engine(path).info.domain for path in paths] == ['kitti', 'nyud']
    assert len(list(folder.iterdir())) == 4


def test_a_domain_that_cannot_be_written_leaves_no_files_of_the_others(
    two_domains, server, tmp_path
):
    folder = tmp_path / 'models'
    (folder / 'nyud_kitti.nyud.onnx').mkdir(parents=True)
    with pytest.raises(DownloadError, match='downloaded but not exported: .*nyud_kitti.nyud'):
        pull(server, folder)
    assert [path.name for path in folder.iterdir()] == ['nyud_kitti.nyud.onnx']


def test_without_conversion_the_checkpoint_itself_is_kept(published, server, tmp_path):
    paths = pull(server, tmp_path / 'models', convert=False)
    assert paths == [tmp_path / 'models' / f'{NAME}.ckpt']
    assert paths[0].read_bytes() == published


def test_a_wrong_checksum_leaves_no_files(server, tmp_path):
    server.responses[f'/{NAME}.ckpt'] = Response(body=b'x' * 1000)
    assert_fails(server, tmp_path / 'models', 'Checksum mismatch.*expected d9386a96f748')


def test_an_interrupted_connection_leaves_no_files(server, tmp_path):
    server.responses[f'/{NAME}.ckpt'] = Response(body=b'x' * 1000, length=5000)
    assert_fails(server, tmp_path / 'models', 'interrupted')


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 20 MB, enough for the checkpoint (12 MB) but not for the model file too."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip('mounting a small disk needs root')
    yield folder
    subprocess.run(['umount', str(folder)], check=True)


def test_a_disk_too_small_for_the_download_leaves_no_files(server, small_disk):
    server.responses[f'/{NAME}.ckpt'] = Response(body=b'x' * 30_000_000)
    assert_fails(server, small_disk, 'The disk is full. Nothing was kept')


def test_a_disk_too_small_for_the_model_file_leaves_no_files(published, server, small_disk):
    assert_fails(
        server, small_disk, 'downloaded but not exported: .*kitti.onnx cannot be written: No space'
    )


def test_a_folder_that_cannot_be_created_is_named_before_the_download(server, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(DownloadError, match='cannot be written.*HYDRANET_MODELS'):
        pull(server, tmp_path / 'file' / 'models')
    assert server.requests == []


def test_the_error_of_an_unknown_name_lists_the_known_names():
    with pytest.raises(DownloadError, match='ExpKITTI_joint, ExpNYUD_joint'):
        pull_weights('ExpMars')


def test_the_list_names_every_checkpoint_its_status_and_the_license(monkeypatch, tmp_path):
    monkeypatch.setenv('HYDRANET_MODELS', str(tmp_path))
    (tmp_path / 'nyud.onnx').write_bytes(b'')
    text = describe_weights()
    assert all(name in text for name in WEIGHTS)
    assert f'installed: {tmp_path / "nyud.onnx"}' in text
    assert 'not installed: kitti.onnx' in text
    assert 'non-commercial' in text
