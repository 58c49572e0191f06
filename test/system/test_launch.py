"""
The launch files: started by ROS 2's own launch system where that is installed.

``launch`` and ``launch_ros`` come with a ROS 2 installation, not as wheels; what can be said of
the files without them is said first.
"""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, wait_for

from hydranet_ros.errors import MissingDependencyError
from hydranet_ros.model_files.preset import preset_names
from hydranet_ros.ros.launch_checks import require_executable

LAUNCH_FILES = sorted((ROOT / 'launch').glob('*.launch.py'))
GENERAL = ROOT / 'launch' / 'hydranet.launch.py'
ARGUMENTS = {
    'image', 'camera_info', 'namespace', 'model', 'provider', 'params_file', 'use_sim_time',
    'rviz', 'bag', 'log_level', 'autostart', 'dds_profile',
}  # fmt: skip
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
WRITE_DOWN = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path
import yaml
said = dict(argv=sys.argv[1:], environment=dict(os.environ))
said['files'] = [yaml.safe_load(Path(b).read_text())
                 for a, b in zip(sys.argv, sys.argv[1:]) if a == '--params-file']
Path(os.environ['WRITE_TO']).write_text(json.dumps(said))
"""


def test_every_preset_has_a_launch_file_and_nothing_else_has():
    names = {f'{name}.launch.py' for name in preset_names()}
    assert {path.name for path in LAUNCH_FILES} == names | {GENERAL.name}


@pytest.mark.parametrize('path', LAUNCH_FILES, ids=lambda path: path.name)
def test_a_launch_file_only_names_its_preset(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert [call.func.id for call in calls] == ['preset_launch_description']
    expected = [] if path == GENERAL else [path.name.split('.')[0]]
    assert [argument.value for argument in calls[0].args] == expected


def test_rviz_shows_overlay_depth_and_cloud_from_topics_the_node_has():
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    from hydranet_ros.perception.outputs import TOPICS

    config = yaml.safe_load((ROOT / 'config' / 'hydranet.rviz').read_text())
    displays = config['Visualization Manager']['Displays']
    shown = {item['Topic']['Value'] for item in displays if 'Topic' in item}
    assert shown <= {f'/hydranet/{topic.name}' for topic in TOPICS}
    assert {'/hydranet/segmentation/overlay', '/hydranet/points', '/hydranet/depth/color'} <= shown


@pytest.fixture
def prefix(tmp_path, monkeypatch) -> Path:
    """Return an empty ament prefix, the only one."""
    pytest.importorskip('ament_index_python', reason='ament_index_python is not installed')
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    return tmp_path


def install(prefix: Path, package: str) -> Path:
    """Install a package with an executable of its name."""
    index = prefix / 'share/ament_index/resource_index/packages'
    binary = prefix / 'lib' / package / package
    index.mkdir(parents=True)
    binary.parent.mkdir(parents=True)
    (index / package).touch()
    binary.touch(0o755)
    return binary


def test_an_installed_executable_is_found(prefix):
    install(prefix, 'rviz2')
    require_executable('rviz2', 'rviz2', 'rviz:=true')


@pytest.mark.parametrize('case', ['no package', 'no executable', 'no environment'])
def test_a_missing_executable_is_one_line_that_names_package_and_argument(
    prefix, case, monkeypatch
):
    if case == 'no executable':
        install(prefix, 'rviz2').unlink()
    if case == 'no environment':
        monkeypatch.delenv('AMENT_PREFIX_PATH')
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    with pytest.raises(MissingDependencyError) as caught:
        require_executable('rviz2', 'rviz2', 'rviz:=true')
    assert 'ros-jazzy-rviz2' in str(caught.value) and 'rviz:=true' in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.fixture
def launch_ros():
    """Skip where there is no launch system; ``launch`` alone may be our folder of that name."""
    return pytest.importorskip('launch_ros.actions', reason='launch_ros comes with ROS 2 only')


@pytest.mark.parametrize('path', LAUNCH_FILES, ids=lambda path: path.name)
def test_every_argument_has_a_description_and_a_default(launch_ros, path):
    from launch.launch_description_sources import (
        get_launch_description_from_python_launch_file as load,
    )

    arguments = {argument.name: argument for argument in load(str(path)).get_launch_arguments()}
    assert set(arguments) >= ARGUMENTS
    for argument in arguments.values():
        assert len(argument.description) > 15, argument.name
        assert argument.default_value is not None


@pytest.fixture
def run_launch(launch_ros, tmp_path, domain_id):
    """Return a function that launches a preset with a given executable as the node."""
    binary = tmp_path / 'prefix' / 'lib' / 'hydranet_ros' / 'hydranet_node'
    index = tmp_path / 'prefix/share/ament_index/resource_index/packages'
    index.mkdir(parents=True)
    (index / 'hydranet_ros').touch()
    (tmp_path / 'prefix/share/hydranet_ros').mkdir()
    binary.parent.mkdir(parents=True)
    running: list[subprocess.Popen] = []
    prefixes = [str(tmp_path / 'prefix'), *filter(None, [os.environ.get('AMENT_PREFIX_PATH')])]

    def run(preset: str, program: str, *arguments: str, **environment: str):
        binary.write_text(program)
        binary.chmod(0o755)
        log = tmp_path / 'launch.log'
        environment = {
            **os.environ, 'AMENT_PREFIX_PATH': os.pathsep.join(prefixes), 'PYTHONUNBUFFERED': '1',
            'ROS_LOG_DIR': str(tmp_path / 'ros_log'), 'ROS_DOMAIN_ID': str(domain_id),
            'WRITE_TO': str(tmp_path / 'said.json'), **environment,
        }  # fmt: skip
        with log.open('w') as handle:
            process = subprocess.Popen(
                [sys.executable, '-c', RUN, str(ROOT / f'launch/{preset}.launch.py'), *arguments],
                stdout=handle, stderr=subprocess.STDOUT, env=environment, cwd=tmp_path,
            )  # fmt: skip
        running.append(process)
        return process, log

    yield run
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def written_down(process, log: Path) -> dict:
    import json

    assert process.wait(60) == 0, log.read_text()
    return json.loads((log.parent / 'said.json').read_text())


def merged(said: dict) -> dict:
    values: dict = {}
    for content in said['files']:
        for node in content.values():
            values.update(node['ros__parameters'])
    return values


def test_a_plain_launch_sets_the_preset_only_and_chooses_the_dds_profile(run_launch):
    said = written_down(*run_launch('kitti', WRITE_DOWN))
    assert merged(said) == {'preset': 'kitti'}
    arguments = said['argv']
    assert '__node:=hydranet' in arguments and 'hydranet:=info' in arguments
    assert 'image:=image' in arguments
    assert not any(item.startswith('camera_info:=') for item in arguments)
    profiles = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
    assert any(said['environment'].get(name, '').endswith('.xml') for name in profiles)


def test_arguments_reach_the_node_and_win_over_the_file_of_parameters(run_launch, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('/**:\n  ros__parameters:\n    provider: cuda\n    max_depth: 60.0\n')
    said = written_down(*run_launch(
        'nyud_kitti', WRITE_DOWN, f'params_file:={file}', 'provider:=cpu', 'domain:=nyud',
        'namespace:=front', 'image:=/front/image_raw', 'camera_info:=/front/info',
        'autostart:=false', 'use_sim_time:=true', 'log_level:=debug', 'dds_profile:=off',
    ))  # fmt: skip
    assert merged(said) == {
        'preset': 'nyud_kitti', 'provider': 'cpu', 'domain': 'nyud', 'max_depth': 60.0,
        'autostart': False, 'use_sim_time': True,
    }  # fmt: skip
    expected = {'image:=/front/image_raw', 'camera_info:=/front/info', '__ns:=/front',
                'front.hydranet:=debug'}  # fmt: skip
    assert expected <= set(said['argv'])
    assert 'FASTDDS_DEFAULT_PROFILES_FILE' not in said['environment']


def test_an_argument_that_is_not_given_does_not_undo_the_file_of_parameters(run_launch, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('/**:\n  ros__parameters:\n    provider: cuda\n    autostart: false\n')
    said = written_down(*run_launch('kitti', WRITE_DOWN, f'params_file:={file}'))
    assert merged(said) == {'preset': 'kitti', 'provider': 'cuda', 'autostart': False}


def test_a_value_that_is_not_allowed_is_refused(run_launch):
    process, log = run_launch('kitti', WRITE_DOWN, 'provider:=abacus')
    assert process.wait(60) != 0
    assert 'abacus' in log.read_text()


def test_rviz_that_is_not_installed_is_an_error_before_the_node_starts(run_launch, tmp_path):
    prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    if any((Path(item) / 'lib/rviz2/rviz2').exists() for item in prefixes):
        pytest.skip('rviz2 is installed')
    process, log = run_launch('kitti', WRITE_DOWN, 'rviz:=true')
    assert process.wait(60) != 0
    assert 'rviz:=true needs the executable rviz2' in log.read_text()
    assert not (tmp_path / 'said.json').exists(), 'the node was started'


def test_launch_starts_the_node_it_answers_and_ends_cleanly(ros, run_launch, tiny_model):
    from ros_tools import image_message
    from sensor_msgs.msg import Image

    masks = ros.collect(Image, '/front/hydranet/segmentation/mask')
    images = ros.client.create_publisher(Image, '/front/image_raw', 1)
    process, log = run_launch(
        'street', NODE, 'namespace:=front', 'image:=/front/image_raw', f'model:={tiny_model}'
    )
    wait_for(lambda: 'active: /front/image_raw, /front/camera_info' in log.read_text(), 60)
    wait_for(lambda: images.get_subscription_count() == 1)

    def answered() -> bool:
        images.publish(image_message(7))
        return bool(masks)

    wait_for(answered, 20)
    assert masks[0].header.stamp.sec == 7
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0, log.read_text()
    assert 'Traceback' not in log.read_text()
    assert 'finished cleanly' in log.read_text()
