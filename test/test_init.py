"""Importing the package limits OpenCV before it is loaded."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

VARIABLE = 'OPENCV_IO_MAX_IMAGE_PIXELS'


@pytest.mark.parametrize(('given', 'expected'), [(None, str(2**27)), ('5000', '5000')])
def test_opencv_is_limited_before_it_is_imported_unless_the_user_set_a_limit(given, expected):
    code = (
        'import os, sys, hydranet_ros\n'
        "assert 'cv2' not in sys.modules\n"
        f"print(os.environ['{VARIABLE}'])"
    )
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    if given is not None:
        environment[VARIABLE] = given
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == expected
