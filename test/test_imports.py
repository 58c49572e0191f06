"""The direction of imports: read from the code, and shown by importing with packages blocked."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / 'hydranet_ros'

ROWS = {
    'errors': 0, 'files': 0,
    'resources': 1, 'model_info': 1, 'preset': 1, 'buffers': 1, 'geometry': 1, 'colour': 1,
    'encodings': 1, 'lens': 1, 'pruning': 1, 'cloud': 1, 'contact_sheet': 1,
    'recent': 1, 'finish': 1, 'image_header': 1,
    'gpu': 2, 'engine': 2, 'engine_cache': 2, 'providers': 2, 'perception': 2, 'model_choice': 2,
    'network': 2, 'training': 2, 'scenes': 2,
    'bag': 2, 'media': 3, 'predict': 3, 'bag_run': 3, 'ply': 3, 'ros': 3,
    'cli': 4, '__main__': 4, 'bench': 4,
}  # fmt: skip
ROS_PACKAGES = {
    'rclpy', 'sensor_msgs', 'std_msgs', 'diagnostic_msgs', 'lifecycle_msgs', 'rosgraph_msgs',
    'nav_msgs', 'vision_msgs', 'cv_bridge', 'builtin_interfaces', 'launch', 'launch_ros',
}  # fmt: skip
TORCH_PACKAGES = {'torch', 'lightning', 'torchmetrics', 'onnxscript'}
HEAVY = ROS_PACKAGES | TORCH_PACKAGES | {'onnxruntime', 'onnx', 'rosbags', 'av', 'mujoco'}
FORBIDDEN = {
    **dict.fromkeys(('errors', 'files'), HEAVY | {'numpy', 'cv2', 'yaml'}),
    **dict.fromkeys(('resources', 'model_info', 'preset', 'buffers', 'pruning', 'recent'), HEAVY),
    **dict.fromkeys(
        ('geometry', 'colour', 'encodings', 'lens', 'cloud', 'contact_sheet', 'finish'), HEAVY
    ),
    'image_header': HEAVY | {'numpy', 'cv2', 'yaml'},
    **dict.fromkeys(
        ('gpu', 'engine', 'engine_cache', 'providers', 'perception'),
        ROS_PACKAGES | TORCH_PACKAGES | {'onnx'},
    ),
    'model_choice': HEAVY,
    'network': ROS_PACKAGES,
    'training': ROS_PACKAGES,
    'scenes': ROS_PACKAGES,
    'bag': ROS_PACKAGES | TORCH_PACKAGES,
    'bag_run': ROS_PACKAGES | TORCH_PACKAGES,
    'media': ROS_PACKAGES | TORCH_PACKAGES,
    'predict': ROS_PACKAGES | TORCH_PACKAGES,
    'ros': TORCH_PACKAGES | {'onnx'},
}


def unit(path: Path) -> str:
    """Return the row's name of a source file: its subpackage, or its module."""
    parts = path.relative_to(PACKAGE).with_suffix('').parts
    return parts[0]


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob('*.py') if path.parent.name != '__pycache__')


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names.update(item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
            if node.module == 'hydranet_ros':
                names.update(f'hydranet_ros.{item.name}' for item in node.names)
    return names


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix('').parts
    return '.'.join(part for part in parts if part != '__init__')


@pytest.mark.parametrize('path', sources(), ids=dotted)
def test_a_module_imports_only_from_its_row_and_above(path: Path):
    if path == PACKAGE / '__init__.py':
        assert imported(path) <= {'os'}, 'importing the package must need nothing'
        return
    own = unit(path)
    assert own in ROWS, f'{own} has no row yet: give it one here and in docs/architecture.md'
    for name in imported(path):
        if name.startswith('hydranet_ros.'):
            target = name.split('.')[1]
            if target != '__version__':
                assert ROWS[target] <= ROWS[own], f'{own} must not import {name}'
        else:
            top = name.split('.')[0]
            assert top not in FORBIDDEN.get(own, set()), f'{own} must not import {top}'


BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {blocked!r}:
            raise ImportError(name + ' is blocked')
sys.meta_path.insert(0, Blocker())
import {module}
print('imported')
"""


def import_blocked(modules: list[str], blocked: set[str]) -> None:
    code = BLOCKER.format(blocked=blocked, module=', '.join(modules))
    command = [sys.executable, '-c', code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith('imported')


@pytest.mark.parametrize('unit_name', sorted(set(FORBIDDEN) - {'ros', 'training', 'scenes'}))
def test_a_row_imports_with_what_it_must_not_need_blocked(unit_name: str):
    """Blocks also what is imported indirectly, which reading the code cannot show."""
    modules = [
        dotted(path)
        for path in sources()
        if path != PACKAGE / '__init__.py' and unit(path) == unit_name
    ]
    if not modules:
        pytest.fail(f'{unit_name} has no module')
    import_blocked(modules, FORBIDDEN[unit_name])


def test_the_node_imports_with_torch_blocked():
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    import_blocked(['hydranet_ros.ros.node', 'hydranet_ros.ros.messages'], FORBIDDEN['ros'])


def test_training_and_scenes_import_with_ros_blocked():
    import_blocked(
        [dotted(p) for p in sources() if unit(p) in {'training', 'scenes'}], ROS_PACKAGES
    )


def test_importing_the_package_imports_nothing_heavy():
    code = 'import sys, hydranet_ros; print(sorted({"numpy", "cv2", "torch"} & set(sys.modules)))'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'
