"""
The launch files, started by ROS 2's own launch system if it is installed.

``launch`` and ``launch_ros`` come with a ROS 2 installation, not as wheels; the first tests check
the files without them.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, TIMEOUT, wait_for

from hydranet_ros.model_files.preset import preset_names
from hydranet_ros.perception.outputs import TOPICS
from hydranet_ros.ros.launch_arguments import LAUNCH_ARGUMENTS, PRESET

LAUNCH_FILES = sorted((ROOT / 'launch').glob('*.launch.py'))
GENERAL = ROOT / 'launch' / 'hydranet.launch.py'
RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
arguments = [tuple(item.split(':=', 1)) for item in sys.argv[2:]]
service = LaunchService(argv=[])
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    PythonLaunchDescriptionSource(sys.argv[1]), launch_arguments=arguments)]))
sys.exit(service.run())
"""
NODE = f"""#!{sys.executable}
import sys
from hydranet_ros.ros.run import main
sys.exit(main())
"""
REPORT = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path
import yaml
report = dict(argv=sys.argv[1:], environment=dict(os.environ))
report['files'] = [yaml.safe_load(Path(b).read_text())
                   for a, b in zip(sys.argv, sys.argv[1:]) if a == '--params-file']
Path(os.environ['REPORT']).write_text(json.dumps(report))
"""


def test_every_preset_has_a_launch_file_and_there_is_one_for_any_preset():
    names = {f'{name}.launch.py' for name in preset_names()}
    assert {path.name for path in LAUNCH_FILES} == names | {GENERAL.name}


@pytest.mark.parametrize('path', LAUNCH_FILES, ids=lambda path: path.name)
def test_a_launch_file_only_names_its_preset(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert [call.func.id for call in calls] == ['preset_launch_description']
    expected = [] if path == GENERAL else [path.name.split('.')[0]]
    assert [argument.value for argument in calls[0].args] == expected


def test_rviz_shows_overlay_depth_and_cloud_on_topics_of_the_node():
    config = yaml.safe_load((ROOT / 'config' / 'hydranet.rviz').read_text())
    displays = config['Visualization Manager']['Displays']
    shown = {item['Topic']['Value'] for item in displays if 'Topic' in item}
    assert shown <= {topic.full_name for topic in TOPICS}
    assert {'/hydranet/segmentation/overlay', '/hydranet/points', '/hydranet/depth/color'} <= shown


@pytest.fixture
def launch_ros() -> Any:
    """Skip the test without launch_ros; ``launch`` alone may be the folder of that name."""
    return pytest.importorskip('launch_ros.actions', reason='launch_ros comes with ROS 2 only')


@pytest.mark.parametrize('path', LAUNCH_FILES, ids=lambda path: path.name)
def test_a_launch_file_declares_the_arguments_of_the_table(launch_ros, path, monkeypatch):
    from launch.launch_description_sources import (
        get_launch_description_from_python_launch_file as load,
    )

    monkeypatch.delenv('HYDRANET_DDS_PROFILE', raising=False)
    expected = [*([PRESET] if path == GENERAL else []), *LAUNCH_ARGUMENTS]
    found = load(str(path)).get_launch_arguments()
    assert [item.name for item in found] == [item.name for item in expected]
    for argument, item in zip(found, expected):
        assert ''.join(part.text for part in argument.default_value) == item.default
        assert argument.description.startswith(item.description)
        assert list(argument.choices or ()) == list(item.choices)


@pytest.fixture
def run_launch(launch_ros, tmp_path: Path, domain_id: int) -> Iterator[Callable]:
    """Return a function that launches a file with a given program as the node."""
    binary = tmp_path / 'prefix' / 'lib' / 'hydranet_ros' / 'hydranet_node'
    index = tmp_path / 'prefix/share/ament_index/resource_index/packages'
    index.mkdir(parents=True)
    (index / 'hydranet_ros').touch()
    (tmp_path / 'prefix/share/hydranet_ros').mkdir()
    binary.parent.mkdir(parents=True)
    running: list[subprocess.Popen] = []
    prefixes = [str(tmp_path / 'prefix'), *filter(None, [os.environ.get('AMENT_PREFIX_PATH')])]

    def run(preset: str, program: str, *arguments: str) -> tuple[subprocess.Popen, Path]:
        binary.write_text(program)
        binary.chmod(0o755)
        log = tmp_path / 'launch.log'
        environment = {
            **os.environ, 'AMENT_PREFIX_PATH': os.pathsep.join(prefixes), 'PYTHONUNBUFFERED': '1',
            'ROS_LOG_DIR': str(tmp_path / 'ros_log'), 'ROS_DOMAIN_ID': str(domain_id),
            'REPORT': str(tmp_path / 'report.json'),
        }  # fmt: skip
        with log.open('w') as handle:
            process = subprocess.Popen(
                [sys.executable, '-c', RUN, str(ROOT / f'launch/{preset}.launch.py'), *arguments],
                stdout=handle, stderr=subprocess.STDOUT, env=environment, cwd=tmp_path,
                start_new_session=True,
            )  # fmt: skip
        running.append(process)
        return process, log

    yield run
    for process in running:
        if process.poll() is None:
            interrupt(process)
            process.wait(TIMEOUT)


def interrupt(process: subprocess.Popen) -> None:
    """Send SIGINT to launch and its processes, as a terminal does on Ctrl-C."""
    os.killpg(process.pid, signal.SIGINT)


def report(process: subprocess.Popen, log: Path) -> dict[str, Any]:
    """Return arguments, environment and parameter files of the program that was launched."""
    assert process.wait(TIMEOUT) == 0, log.read_text()
    return json.loads((log.parent / 'report.json').read_text())


def parameters(report: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of all files; later files override earlier ones."""
    values: dict[str, Any] = {}
    for content in report['files']:
        for node in content.values():
            values.update(node['ros__parameters'])
    return values


@pytest.mark.parametrize(
    ('file', 'arguments', 'preset'),
    [('kitti', (), 'kitti'), ('hydranet', (), 'street'), ('hydranet', ('preset:=nyud',), 'nyud')],
)
def test_a_plain_launch_sets_only_the_preset_and_the_dds_profile(
    run_launch, file, arguments, preset
):
    found = report(*run_launch(file, REPORT, *arguments))
    assert parameters(found) == {'preset': preset}
    argv = found['argv']
    assert '__node:=hydranet' in argv and 'hydranet:=info' in argv
    assert 'image:=image' in argv
    assert not any(item.startswith('camera_info:=') for item in argv)
    profiles = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
    assert any(found['environment'].get(name, '').endswith('.xml') for name in profiles)


def test_arguments_reach_the_node_and_override_the_parameter_file(run_launch, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('/**:\n  ros__parameters:\n    provider: cuda\n    max_depth: 60.0\n')
    found = report(*run_launch(
        'nyud_kitti', REPORT, f'params_file:={file}', 'provider:=cpu', 'domain:=nyud',
        'namespace:=front', 'image:=/front/image_raw', 'camera_info:=/front/info',
        'autostart:=false', 'use_sim_time:=true', 'log_level:=debug', 'dds_profile:=off',
        'image_transport:=compressed',
    ))  # fmt: skip
    assert parameters(found) == {
        'preset': 'nyud_kitti', 'provider': 'cpu', 'domain': 'nyud', 'max_depth': 60.0,
        'autostart': False, 'use_sim_time': True, 'image_transport': 'compressed',
    }  # fmt: skip
    expected = {'image:=/front/image_raw', 'camera_info:=/front/info', '__ns:=/front',
                'front.hydranet:=debug'}  # fmt: skip
    assert expected <= set(found['argv'])
    assert 'FASTDDS_DEFAULT_PROFILES_FILE' not in found['environment']


def test_an_argument_that_is_not_given_does_not_override_the_parameter_file(run_launch, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('/**:\n  ros__parameters:\n    provider: cuda\n    autostart: false\n')
    found = report(*run_launch('kitti', REPORT, f'params_file:={file}'))
    assert parameters(found) == {'preset': 'kitti', 'provider': 'cuda', 'autostart': False}


def test_a_value_that_is_not_allowed_is_refused(run_launch):
    process, log = run_launch('kitti', REPORT, 'provider:=abacus')
    assert process.wait(TIMEOUT) != 0
    assert 'abacus' in log.read_text()


def test_rviz_that_is_not_installed_is_an_error_before_the_node_starts(run_launch, tmp_path):
    prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    if any((Path(item) / 'lib/rviz2/rviz2').exists() for item in prefixes):
        pytest.skip('rviz2 is installed')
    process, log = run_launch('kitti', REPORT, 'rviz:=true')
    assert process.wait(TIMEOUT) != 0
    assert 'rviz:=true needs the executable rviz2' in log.read_text()
    assert not (tmp_path / 'report.json').exists(), 'the node was started'


def test_a_launched_node_processes_images_and_ends_cleanly(ros, run_launch, tiny_model):
    from ros_tools import image_message
    from sensor_msgs.msg import Image

    masks = ros.collect(Image, '/front/hydranet/segmentation/mask')
    images = ros.client.create_publisher(Image, '/front/image_raw', 1)
    process, log = run_launch(
        'street', NODE, 'namespace:=front', 'image:=/front/image_raw', f'model:={tiny_model}'
    )
    wait_for(lambda: 'active: /front/image_raw, /front/camera_info' in log.read_text())
    wait_for(images.get_subscription_count)

    def processed() -> bool:
        images.publish(image_message(7))
        return bool(masks)

    wait_for(processed)
    assert masks[0].header.stamp.sec == 7
    interrupt(process)
    assert process.wait(TIMEOUT) == 0, log.read_text()
    assert 'Traceback' not in log.read_text()
    assert 'finished cleanly' in log.read_text()
