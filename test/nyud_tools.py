"""Write the labeled part of NYUDv2 in small, with known values."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

HEIGHT, WIDTH, FRAMES = 6, 8, 3
NAMES = ['book', 'wall', 'bottle', 'floor', 'mug']  # ids 1 to 5


def images() -> np.ndarray:
    """Return images, (N, H, W, 3), whose pixels hold frame, row and column."""
    frame, row, column = np.mgrid[0:FRAMES, 0:HEIGHT, 0:WIDTH]
    return np.stack([frame * 100, row * 10, column], -1).astype(np.uint8)


def write_mat(path: Path, **changes: np.ndarray | None) -> None:
    """Write the HDF5 file that MATLAB writes for its H x W x 3 x N arrays."""
    frame, row, column = np.mgrid[0:FRAMES, 0:HEIGHT, 0:WIDTH]
    arrays = {
        'images': images().transpose(0, 3, 2, 1),
        'labels': ((row + column) % (len(NAMES) + 1)).transpose(0, 2, 1).astype(np.uint16),
        'depths': (frame + row / 8 + column / 64 + 1).transpose(0, 2, 1).astype(np.float32),
        'rawDepths': np.where(row == 0, 0, column + 0.5).transpose(0, 2, 1).astype(np.float32),
        **changes,
    }
    with h5py.File(path, 'w') as file:
        for name, array in arrays.items():
            if array is not None:
                file[name] = array
        codes = file.create_group('#refs#')
        names = file.create_dataset('names', (1, len(NAMES)), dtype=h5py.ref_dtype)
        for index, text in enumerate(NAMES):
            codes[text] = np.array([[ord(letter)] for letter in text], np.uint16)
            names[0, index] = codes[text].ref


def write_labeled_set(folder: Path) -> Path:
    """Write the file, its splits and a table of the 40 classes, and return the folder."""
    write_mat(folder / 'nyu_depth_v2_labeled.mat')
    splits = {'trainNdxs': np.array([[1], [3]]), 'testNdxs': np.array([[2]])}
    savemat(folder / 'splits.mat', splits)
    # ids 1..5 to classes 1..40: books 23, wall 1, otherprop 40, floor 2, otherprop 40
    savemat(folder / 'classMapping40.mat', {'mapClass': np.array([[23, 1, 40, 2, 40]])})
    return folder
