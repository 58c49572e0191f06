"""One set-up for pip and for colcon (ament_python)."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'hydranet_ros'
ROOT = Path(__file__).resolve().parent


def version() -> str:
    """Return ``__version__`` without importing the package."""
    for line in (ROOT / PACKAGE / '__init__.py').read_text(encoding='utf-8').splitlines():
        if line.startswith('__version__'):
            return line.split("'")[1]
    raise RuntimeError(f'{PACKAGE}/__init__.py states no __version__')


def share(folder: str) -> list:
    """List the files below ``folder`` as data files of the package's share folder."""
    groups = {}
    for path in sorted((ROOT / folder).rglob('*')):
        if path.is_file() and '__pycache__' not in path.parts:
            relative = path.relative_to(ROOT)
            groups.setdefault(relative.parent.as_posix(), []).append(relative.as_posix())
    return [(f'share/{PACKAGE}/{parent}', files) for parent, files in sorted(groups.items())]


ONNX_RUNTIME = 'onnxruntime>=1.18,<2'
# Compiled models are cached with export_model, which returns another type in 2025.0.
OPENVINO = 'openvino>=2025.1,<2027'
CUDA_12 = 'python_version < "3.11"'
CUDA_13 = 'python_version >= "3.11"'

EXTRAS = {
    'ros': [
        'ros-rclpy[fastrtps]>=7.1.6,<10',
        'ros-sensor-msgs>=5.3,<6',
        'ros-std-msgs>=5.3,<6',
        'ros-diagnostic-msgs>=5.3,<6',
        'ros-lifecycle-msgs>=2.0,<3',
        'ros-nav-msgs>=5.3,<6',
        'ros-rosgraph-msgs>=2.0,<3',
    ],
    'cpu': [ONNX_RUNTIME],
    # OpenVINO's own runtime: onnxruntime-openvino would overwrite the module onnxruntime.
    'openvino': [OPENVINO, ONNX_RUNTIME],
    # ONNX Runtime and CuPy must use the same major version of CUDA. Python 3.10 has ONNX Runtime
    # up to 1.23 only, which uses CUDA 12. From 1.27 on ONNX Runtime uses CUDA 13; the extras of
    # 1.27 itself name packages that NVIDIA renamed. The range of CuPy includes 13.6, the last one
    # for NumPy 1, which the ROS packages of apt need; CuPy 14 needs NumPy 2. See constraints-ros.
    'gpu': [
        f'onnxruntime-gpu[cuda,cudnn]>=1.23.2,<1.24; {CUDA_12}',
        f'cupy-cuda12x>=13.6,<15; {CUDA_12}',
        f'nvidia-cuda-nvrtc-cu12>=12.6,<13; {CUDA_12}',
        f'onnxruntime-gpu[cuda,cudnn]>=1.28,<2; {CUDA_13}',
        f'cupy-cuda13x>=13.6,<15; {CUDA_13}',
        f'nvidia-cuda-nvrtc>=13,<14; {CUDA_13}',
    ],
    # ONNX Runtime loads libnvinfer.so.10. These packages fetch their libraries from NVIDIA's own
    # index while pip installs them, so they are not a part of "gpu".
    'tensorrt': [
        f'tensorrt-cu12>=10.9,<11; {CUDA_12}',
        f'tensorrt-cu13>=10.15,<11; {CUDA_13}',
    ],
    'train': [
        'torch>=2.6,<3',
        'lightning>=2.4,<3',
        'torchmetrics>=1.4,<2',
        'tensorboard>=2.17,<3',
        'scipy>=1.11,<2',
        'h5py>=3.10,<4',
        'onnx>=1.16,<2',
    ],
    'scenes': ['mujoco>=3.2,<5'],
    'bench': ['matplotlib>=3.7,<4', OPENVINO, 'threadpoolctl>=3.1,<4'],
    'mutation': ['cosmic-ray>=8.4,<9'],
    'test': [
        'pytest>=8,<10',
        'pytest-timeout>=2.3,<3',
        'pytest-xdist>=3.6,<4',
        'pytest-cov>=5,<8',
        'hypothesis>=6.100,<7',
        'onnx>=1.16,<2',
    ],
    'lint': ['ruff==0.17.5', 'mypy==2.4.1', 'types-PyYAML'],
    'docs': [
        'mkdocs>=1.6,<2',
        'mkdocs-material>=9.5,<10',
        'mkdocstrings[python]>=1.0,<2',
    ],
    'colcon': ['colcon-common-extensions>=0.3,<1'],
}

setup(
    name=PACKAGE,
    version=version(),
    description='Joint semantic segmentation and metric depth from one camera, as a ROS 2 node',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The hydranet_ros developers',
    maintainer='The hydranet_ros developers',
    maintainer_email='hydranet-ros@users.noreply.github.com',
    license='Apache-2.0',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={PACKAGE: ['py.typed'], f'{PACKAGE}.perception': ['*.cu']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        *share('launch'),
        *share('config'),
        *share('models'),
    ],
    zip_safe=False,
    python_requires='>=3.10',
    install_requires=[
        'numpy>=1.24,<3',
        'opencv-python-headless>=4.6,<6',
        'PyYAML>=6,<7',
        'platformdirs>=2.5,<5',
        'typer>=0.12,<1',
        'rich>=13,<16',
        'httpx>=0.25,<1',
        'rosbags>=0.10,<0.12',
        'av>=12,<19',
        'cattrs>=23.2,<27',
    ],
    extras_require=EXTRAS,
    entry_points={
        'console_scripts': [
            'hydranet = hydranet_ros.__main__:main',
            'hydranet_node = hydranet_ros.__main__:node_main',
        ],
    },
)
