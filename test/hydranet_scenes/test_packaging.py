"""The distribution hydranet_scenes: its packages and its imports."""

from __future__ import annotations

import ast
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / 'hydranet_scenes'
# The renderer needs neither ROS nor PyTorch.
ALLOWED = {'cv2', 'hydranet_ros', 'hydranet_scenes', 'mujoco', 'numpy', 'rich'}


def modules() -> dict[str, Path]:
    """Return the path of each module by its dotted name."""
    found = {}
    for path in ROOT.rglob('*.py'):
        name = '.'.join(path.relative_to(ROOT.parent).with_suffix('').parts)
        found[name.removesuffix('.__init__')] = path
    return found


def imports(path: Path) -> set[str]:
    """Return the dotted names that a module imports, those inside functions included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module
            found |= {node.module, *(f'{node.module}.{alias.name}' for alias in node.names)}
    return found


def test_the_distribution_holds_every_package():
    text = (ROOT / 'pyproject.toml').read_text(encoding='utf-8')
    (block,) = re.findall(r'^packages = \[(.*?)\]', text, re.MULTILINE | re.DOTALL)
    packages = {name for name, path in modules().items() if path.name == '__init__.py'}
    assert set(re.findall(r'"(.*?)"', block)) == packages


def test_no_module_imports_ros_or_pytorch():
    for name, path in modules().items():
        outside = {found.split('.')[0] for found in imports(path)} - set(sys.stdlib_module_names)
        assert outside <= ALLOWED, name


def test_no_modules_import_each_other():
    known = modules()
    graph = {name: imports(path) & set(known) - {name} for name, path in known.items()}
    assert len(tuple(TopologicalSorter(graph).static_order())) == len(known)
