"""
"How to add" of docs/architecture.md, performed on a copy of the product.

Each test makes the one addition that the page describes, a file or a row, and uses it in a new
process. An addition that needs a second edit fails here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT

PARTS = ('hydranet_ros', 'config', 'launch')


@dataclass(frozen=True)
class Copy:
    """A copy of the package, its configuration and its models."""

    root: Path

    def add_row(self, module: str, after: str, row: str) -> None:
        """Insert a row behind the line that matches ``after``, with the same indentation."""
        path = self.root / module
        lines = path.read_text(encoding='utf-8').splitlines(keepends=True)
        found = [index for index, line in enumerate(lines) if re.search(after, line)]
        assert len(found) == 1, f'{after!r} matches {len(found)} lines of {module}'
        lines[found[0] + 1 : found[0] + 1] = [f'{row}\n']
        path.write_text(''.join(lines), encoding='utf-8')

    def replace(self, module: str, old: str, new: str) -> None:
        """Replace the only occurrence of a text."""
        path = self.root / module
        text = path.read_text(encoding='utf-8')
        assert text.count(old) == 1, f'{old!r} occurs {text.count(old)} times in {module}'
        path.write_text(text.replace(old, new), encoding='utf-8')

    def write(self, name: str, text: str) -> None:
        """Add a file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')

    def run(self, *command: str) -> str:
        """Run a command on the copy; return what it prints."""
        environment = {**os.environ, 'PYTHONPATH': str(self.root)}
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, code: str) -> str:
        """Run Python code on the copy; return what it prints."""
        check = f'import hydranet_ros; assert {str(self.root)!r} in hydranet_ros.__file__\n'
        return self.run(sys.executable, '-c', check + code)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    root = tmp_path / 'checkout'
    for part in PARTS:
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns('__pycache__'))
    (root / 'models').symlink_to(ROOT / 'models')
    return Copy(root)


def test_a_preset_is_one_file(copy: Copy):
    text = (ROOT / 'config' / 'street.yaml').read_text(encoding='utf-8')
    copy.write('config/garden.yaml', text)
    assert copy.python("""
from hydranet_ros.model_files.preset import Preset, preset_names
from hydranet_ros.model_files.resolve import choose_model
print('garden' in preset_names(), Preset.load('garden').name, choose_model('garden').path.name)
""") == 'True garden street.onnx\n'  # fmt: skip


def test_an_output_is_one_member_and_one_row(copy: Copy):
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    outputs = 'hydranet_ros/perception/outputs.py'
    copy.add_row(outputs, r"^    POINTS = 'points'", "    AREA = 'area'")
    copy.add_row(
        outputs,
        r'^OUTPUTS: Mapping',
        "    Output.AREA: OutputSpec('segmentation/area', IMAGE, 'The mask once more.',\n"
        "        source='labels', requires=_LABELS, encoding='mono8', in_bag=True),",
    )
    assert copy.python("""
import rclpy, numpy as np
from rclpy.lifecycle import LifecycleNode
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.model_files.resolve import find_model
from hydranet_ros.perception.outputs import Output
from hydranet_ros.perception.pipeline import Perception
from hydranet_ros.ros.publishers import Publishers
perception = Perception(Engine(find_model('street.onnx'), EngineOptions('cpu', threads=1)))
result = perception.process(np.zeros((64, 96, 3), np.uint8), wanted=frozenset({Output.AREA}))
rclpy.init()
node = LifecycleNode('node')
Publishers(node, perception.engine.info, perception.available)
names = [name for name, _ in node.get_topic_names_and_types()]
print(result.values[Output.AREA].shape, '/node/segmentation/area' in names)
rclpy.shutdown()
""") == '(64, 96) True\n'  # fmt: skip


def test_a_parameter_is_one_field(copy: Copy):
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    copy.add_row(
        'hydranet_ros/ros/parameters.py',
        r'^class NodeParameters',
        '    """Values of all parameters."""\n\n'
        "    gain: float = _parameter(2.0, 'An added parameter.', live=True, span=(0.0, 4.0))\n"
        '    # The docstring below is now a plain string.',
    )
    assert copy.python("""
import rclpy
from rclpy.parameter import Parameter
from hydranet_ros.ros.node import HydranetNode
rclpy.init()
node = HydranetNode(parameter_overrides=[Parameter('autostart', value=False)])
changed, refused = (
    node.set_parameters([Parameter('gain', value=value)])[0].successful for value in (3.0, 5.0)
)
text = node.describe_parameter('gain').description
print(node.get_parameter('gain').value, changed, refused, text)
rclpy.shutdown()
""").startswith('3.0 True False An added parameter.')  # fmt: skip


def test_an_encoder_is_one_class_and_one_row(copy: Copy):
    pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
    encoders = 'hydranet_ros/network/encoders/__init__.py'
    copy.write(
        'hydranet_ros/network/encoders/wide.py',
        'from hydranet_ros.network.encoders.mobilenet_v2 import MobileNetV2\n\n\n'
        'class Wide(MobileNetV2):\n    """An added encoder."""\n',
    )
    copy.add_row(
        encoders, r'^from .*resnet import', 'from hydranet_ros.network.encoders.wide import Wide'
    )
    copy.add_row(encoders, r"^    'mobilenet_v2': MobileNetV2,", "    'wide': Wide,")
    assert copy.python("""
import torch
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet
network = build_hydranet(HydraNetConfig(encoder='wide')).eval()
with torch.no_grad():
    found = network(torch.zeros(1, 3, 64, 96))
print(sorted(found))
""") == "['depth', 'segmentation']\n"  # fmt: skip


def test_a_data_set_is_one_row(copy: Copy, tmp_path: Path):
    pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
    catalog = 'hydranet_ros/training/data/catalog.py'
    copy.add_row(
        catalog, r"^        'camvid': Kind", "        'garden': Kind(plain.open_folder, _LABELS),"
    )
    (tmp_path / 'set' / 'images').mkdir(parents=True)
    assert copy.python(f"""
import cv2, numpy as np
from pathlib import Path
from hydranet_ros.training.data.catalog import KINDS, open_dataset
from hydranet_ros.training.data.source import parse_source
folder = Path({str(tmp_path / 'set')!r})
for name, shape in (('images', (8, 8, 3)), ('labels', (8, 8))):
    (folder / name).mkdir(exist_ok=True)
    cv2.imwrite(str(folder / name / 'a.png'), np.ones(shape, np.uint8))
data = open_dataset(parse_source(f'garden:{{folder}}?classes=kitti6'))
print(len(data), data[0].labels.shape)
""") == '1 (8, 8)\n'  # fmt: skip


def test_a_provider_is_one_class_and_one_row(copy: Copy):
    copy.write('hydranet_ros/inference/twice.py', '''
from hydranet_ros.inference.onnx_providers import CpuProvider


class Twice(CpuProvider):
    """The CPU once more, under another name."""

    name = 'twice'

    @property
    def runtime_name(self):
        return 'CPUExecutionProvider'

    def missing(self):
        return None
''')  # fmt: skip
    providers = 'hydranet_ros/inference/providers.py'
    copy.add_row(
        providers,
        r'^from .*session import',
        'from hydranet_ros.inference.twice import Twice',
    )
    copy.add_row(providers, r'^    CpuProvider\(\),', '    Twice(),')
    assert copy.python("""
import numpy as np
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.model_files.resolve import find_model
engine = Engine(find_model('street.onnx'), EngineOptions('twice', threads=1))
print(engine.provider, engine.infer(np.zeros((32, 48, 3), np.uint8)).labels.shape)
""") == 'twice (32, 48)\n'  # fmt: skip


def test_a_camera_model_is_one_class_and_one_row(copy: Copy):
    copy.write('hydranet_ros/camera/division.py', '''
import numpy as np


class DivisionLens:
    """One-parameter division model, for its inverse only."""

    coefficient_counts = (1,)
    zero_is_identity = True

    def distort(self, points, coefficients):
        raise NotImplementedError

    def undistort(self, points, coefficients, tolerance):
        radius = (points * points).sum(-1, keepdims=True)
        return points / (1 + coefficients[0] * radius)
''')  # fmt: skip
    distortion = 'hydranet_ros/camera/distortion.py'
    copy.add_row(
        distortion,
        r'^from hydranet_ros.camera.equidistant import',
        'from hydranet_ros.camera.division import DivisionLens',
    )
    copy.add_row(distortion, r"^    'equidistant': ", "    'division': DivisionLens(),")
    assert copy.python("""
from hydranet_ros.camera.model import CameraModel, pixel_rays
camera = CameraModel(5, 5, 2.0, 2.0, 2.0, 2.0, 'division', (-0.5,))
print(pixel_rays(camera)[2, 4])
""") == '[2. 0.]\n'  # fmt: skip


def test_a_colormap_is_one_row(copy: Copy):
    copy.add_row(
        'hydranet_ros/perception/colormaps.py',
        r"^    'turbo': _depth_table",
        "    'gray': _depth_table(cv2.COLORMAP_BONE, 255, 0),",
    )
    assert copy.python("""
import numpy as np
from hydranet_ros.perception.colormaps import color_depth
found = color_depth(np.array([[0.0, np.nan]], np.float32), (0.0, 80.0), colormap='gray')
print(found[0].tolist())
""") == '[[254, 254, 254], [0, 0, 0]]\n'  # fmt: skip


def test_a_command_is_one_module(copy: Copy):
    copy.write('hydranet_ros/cli/greet.py', '''
"""``hydranet greet``."""


def command() -> None:
    """Print a greeting."""
    print('hello')
''')  # fmt: skip
    hydranet = (sys.executable, '-m', 'hydranet_ros')
    assert copy.run(*hydranet, 'greet') == 'hello\n'
    assert 'Print a greeting.' in copy.run(*hydranet, '--help')


def test_a_metric_is_its_formula_and_one_row(copy: Copy):
    pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
    copy.replace(
        'hydranet_ros/training/metrics.py',
        "'pixel_accuracy': self.pixel_accuracy}",
        "'pixel_accuracy': self.pixel_accuracy, 'pixel_error': 1 - self.pixel_accuracy}",
    )
    copy.add_row(
        'hydranet_ros/training/metric_table.py',
        r"^    Metric\('pixel_accuracy'",
        "    Metric('pixel_error', 'pixel error', 'segmentation', PERCENT, 1, False),",
    )
    assert copy.python("""
import numpy as np
from hydranet_ros.training.metric_table import find_metric, metrics_of
from hydranet_ros.training.metrics import ConfusionMatrix
matrix = ConfusionMatrix(2)
matrix.add(np.array([[0, 0, 1, 1]]), np.array([[0, 0, 0, 1]]))
metric = find_metric('pixel_error')
print(metric.describe(matrix.summary()['pixel_error']), metric.mode,
      'pixel_error' in [item.key for item in metrics_of('segmentation')])
""") == 'pixel error 25.0 % min True\n'  # fmt: skip
