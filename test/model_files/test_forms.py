"""Names of the files that hold the forms of one model."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydranet_ros.model_files.forms import FORM_SUFFIXES, sibling
from hydranet_ros.model_files.metadata import FORMS


def test_every_form_has_a_suffix():
    assert set(FORM_SUFFIXES) == set(FORMS)


@pytest.mark.parametrize('given', ['street.onnx', 'street.cpu.onnx', 'street.int8.onnx'])
@pytest.mark.parametrize(
    ('form', 'name'),
    [('portable', 'street.onnx'), ('cpu', 'street.cpu.onnx'), ('int8', 'street.int8.onnx')],
)
def test_each_form_is_found_from_every_other(given: str, form: str, name: str):
    assert sibling(Path('/models') / given, form) == Path('/models') / name


def test_a_name_with_dots_keeps_them():
    assert sibling(Path('a.b.onnx'), 'cpu').name == 'a.b.cpu.onnx'


def test_a_file_of_another_extension_gets_the_suffix_after_its_name():
    assert sibling(Path('model.bin'), 'cpu').name == 'model.bin.cpu.onnx'
