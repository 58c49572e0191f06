"""The distribution hydranet_scenes."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / 'hydranet_scenes'


def test_the_distribution_holds_every_package():
    text = (ROOT / 'pyproject.toml').read_text(encoding='utf-8')
    (block,) = re.findall(r'^packages = \[(.*?)\]', text, re.MULTILINE | re.DOTALL)
    folders = {path.parent.relative_to(ROOT.parent) for path in ROOT.rglob('__init__.py')}
    assert set(re.findall(r'"(.*?)"', block)) == {'.'.join(folder.parts) for folder in folders}
