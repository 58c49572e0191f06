"""The experiment ``compare_versions``: equality, tables, and the worker in this checkout."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from benchmarks.experiments import version_worker
from benchmarks.experiments.compare_versions import (
    DEMO_BAG,
    NEW,
    OLD,
    Comparison,
    checkout,
    main,
    run_worker,
    save_bag_images,
)
from hydranet_ros.errors import BenchError


def comparison(old: dict[str, str], new: dict[str, str]) -> Comparison:
    return Comparison({OLD: old, NEW: new})


def test_equal_checksums_are_no_difference():
    found = comparison({'mask': 'a' * 64}, {'mask': 'a' * 64})
    assert found.different == []
    assert found.digest_table().endswith('| mask | aaaaaaaaaaaa | aaaaaaaaaaaa | equal |')


def test_different_and_missing_checksums_are_differences():
    found = comparison({'mask': 'a', 'depth': 'b'}, {'mask': 'c', 'cloud': 'd'})
    assert found.different == ['mask', 'depth', 'cloud']
    assert found.digest_table().count('DIFFERENT') == 3


def test_medians_are_compared_as_a_ratio():
    found = Comparison()
    for version, values in ((OLD, (1.0, 2.0, 9.0)), (NEW, (1.0, 3.0, 4.0))):
        for value in values:
            found.add_sample('start, s', version, value)
    assert found.sample_table().splitlines()[-1] == '| start, s | 2.00 | 3.00 | 1.500 |'


def test_a_folder_without_the_package_is_not_a_checkout(tmp_path: Path):
    assert checkout(str(ROOT)) == ROOT
    with pytest.raises(argparse.ArgumentTypeError, match='no package hydranet_ros'):
        checkout(str(tmp_path))


def test_images_of_the_demo_bag_are_decoded(tmp_path: Path):
    pytest.importorskip('rosbags')
    save_bag_images(DEMO_BAG, tmp_path)
    images = [np.load(path) for path in sorted(tmp_path.glob('*.npy'))]
    assert len(images) == 4
    assert all(image.dtype == np.uint8 and image.shape[2] == 3 for image in images)


def test_the_worker_finds_every_name_in_this_checkout():
    pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
    for name in version_worker.LOCATIONS:
        assert version_worker.find(name) is not None


def test_the_worker_uses_the_package_of_its_checkout(tmp_path: Path):
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (extra: cpu)')
    (tmp_path / 'images').mkdir()
    for name in ('hydranet_ros', 'config', 'models'):
        (tmp_path / 'other' / name).parent.mkdir(exist_ok=True)
        (tmp_path / 'other' / name).symlink_to(ROOT / name)
    found = run_worker(tmp_path / 'other', 'results', tmp_path / 'images')
    assert set(found) == {
        f'{output}, random {size}'
        for output in ('mask', 'depth', 'cloud') for size in ('640x480', '1242x375', '161x121')
    }  # fmt: skip
    assert found == run_worker(ROOT, 'results', tmp_path / 'images')


def test_a_worker_that_fails_is_an_error_with_its_message(tmp_path: Path):
    package = tmp_path / 'hydranet_ros'
    package.mkdir()
    (package / '__init__.py').write_text('')
    with pytest.raises(BenchError, match='is in none of'):
        run_worker(tmp_path, 'results', tmp_path)


@pytest.mark.slow
def test_a_checkout_equals_itself(capsys):
    assert main([str(ROOT), '--rounds', '0']) == 0
    shown = capsys.readouterr().out
    assert 'weights after 5 training steps' in shown and '0 of 25 results differ.' in shown
