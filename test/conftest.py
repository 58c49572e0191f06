"""What several test files share: the folder of real images, and the isolated ROS domain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA_VARIABLE = 'HYDRANET_DATA'


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        '--data',
        default=os.environ.get(DATA_VARIABLE, ''),
        help=f'folder of real test images (default: ${DATA_VARIABLE}, then ../shared/data)',
    )


@pytest.fixture(scope='session')
def data_dir(request: pytest.FixtureRequest) -> Path:
    """Return the folder of real images; the test is skipped where there is none."""
    given = request.config.getoption('--data')
    folder = Path(given) if given else ROOT.parent / 'shared' / 'data'
    if not folder.is_dir():
        pytest.skip(f'no real images at {folder}: give --data FOLDER or set {DATA_VARIABLE}')
    return folder
