"""
The direction of imports.

It is read from the code, lazy imports included, and shown by importing each folder while the
packages that it must not need are blocked.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / 'hydranet_ros'

ROS = {
    'rclpy', 'sensor_msgs', 'std_msgs', 'diagnostic_msgs', 'lifecycle_msgs', 'rosgraph_msgs',
    'nav_msgs', 'vision_msgs', 'cv_bridge', 'builtin_interfaces', 'launch', 'launch_ros',
}  # fmt: skip
TORCH = {'torch', 'lightning', 'torchmetrics', 'onnxscript'}
MODEL_TOOLS = {'onnxruntime', 'onnx'}
HEAVY = ROS | TORCH | MODEL_TOOLS | {'rosbags', 'mujoco', 'cupy'}
ARRAYS = {'numpy', 'cv2', 'yaml', 'av'}

# One line per folder or top-level module, from the bottom up: it may import the lines above it,
# and its own. Then the packages that it must not import, not even lazily.
LAYERS: dict[str, set[str]] = {
    'errors': HEAVY | ARRAYS,
    'files': HEAVY | ARRAYS,
    'resources': HEAVY | ARRAYS,
    'camera': HEAVY,
    'images': HEAVY,
    'model_files': HEAVY,
    'inference': ROS | TORCH | {'onnx', 'rosbags', 'mujoco'},
    'perception': ROS | TORCH | {'onnx', 'rosbags', 'mujoco'},
    'network': ROS | {'rosbags', 'mujoco'},
    'training': ROS | {'rosbags', 'mujoco'},
    'bags': ROS | TORCH | {'onnx', 'mujoco'},
    'ros': TORCH | {'onnx', 'mujoco'},
    'doctor': TORCH | {'onnx', 'mujoco'},
    'cli': set(),
    '__main__': set(),
}
ORDER = {name: index for index, name in enumerate(LAYERS)}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob('*.py'))


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix('').parts[0]


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(part for part in parts if part != '__init__')


@cache
def module_names() -> frozenset[str]:
    return frozenset(dotted(path) for path in sources())


@cache
def imported(path: Path) -> frozenset[str]:
    """Return every module that a file imports, at its top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names.update(item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            members = {f'{node.module}.{item.name}' for item in node.names}
            modules = members & module_names()
            # "from package import module" needs the module, not the package's other names.
            names |= modules or {node.module}
            if len(modules) < len(members):
                names.add(node.module)
    return frozenset(names)


def own_imports(path: Path) -> set[str]:
    return {name for name in imported(path) if name.split('.')[0] == 'hydranet_ros'}


@pytest.mark.parametrize('path', sources(), ids=dotted)
def test_a_module_imports_only_its_own_layer_and_lower_ones(path: Path):
    if path == PACKAGE / '__init__.py':
        assert imported(path) <= {'os'}, 'importing the package must need nothing'
        return
    own = layer(path)
    assert own in LAYERS, f'{own} has no line yet: add one here and in docs/architecture.md'
    for name in own_imports(path):
        if name != 'hydranet_ros':
            target = name.split('.')[1]
            assert ORDER[target] <= ORDER[own], f'{own} must not import {name}'
    for name in imported(path) - own_imports(path):
        assert name.split('.')[0] not in LAYERS[own], f'{own} must not import {name}'
        assert name.split('.')[0] not in {'benchmarks', 'test'}, f'{own} must not import {name}'
    if own != 'cli':
        assert not any(name.startswith('hydranet_scenes') for name in imported(path))


def test_no_module_imports_itself_through_others():
    graph = {dotted(path): own_imports(path) - {dotted(path)} for path in sources()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as err:
        pytest.fail(f'import cycle: {" -> ".join(err.args[1])}')


def test_every_layer_has_a_module():
    assert {layer(path) for path in sources()} - {'__init__'} == set(LAYERS)


BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {blocked!r}:
            raise ImportError(name + ' is blocked')
sys.meta_path.insert(0, Blocker())
import {modules}
print('imported')
"""


def import_blocked(names: set[str], blocked: set[str]) -> None:
    """Import all modules of some layers in a new process with packages blocked."""
    modules = [dotted(path) for path in sources() if layer(path) in names]
    # These two import ROS at their top and are imported only inside functions.
    modules = [n for n in modules if not n.endswith(('launch_description', 'camera_node'))]
    code = BLOCKER.format(blocked=blocked, modules=', '.join(modules))
    command = [sys.executable, '-c', code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith('imported')


@pytest.mark.parametrize(
    ('names', 'blocked'),
    [
        ({'errors', 'files', 'resources'}, HEAVY | ARRAYS),
        ({'camera', 'images', 'model_files'}, HEAVY),
        ({'inference', 'perception'}, ROS | TORCH | {'onnx', 'rosbags', 'mujoco', 'cupy'}),
        ({'network', 'training'}, ROS | {'rosbags', 'mujoco'}),
        ({'bags'}, ROS | TORCH | {'onnx', 'mujoco', 'cupy'}),
        ({'ros'}, TORCH | {'onnx', 'mujoco', 'cupy'}),
        ({'doctor'}, HEAVY - {'rosbags'}),
        ({'cli'}, HEAVY | ARRAYS),
    ],
    ids=lambda value: '+'.join(sorted(value))[:40],
)
def test_a_layer_imports_without_the_packages_it_must_not_need(names, blocked):
    """Covers indirect imports too, which reading the code cannot show."""
    if names == {'ros'}:
        pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    import_blocked(names, blocked)


def test_importing_the_package_imports_nothing_heavy():
    code = 'import sys, hydranet_ros; print(sorted({"numpy", "cv2", "torch"} & set(sys.modules)))'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'
