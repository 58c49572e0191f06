"""
The command ``hydranet``.

Each command imports what it needs when it runs, so that ``hydranet --help`` is quick and no
command needs the packages of another.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from hydranet_ros import __version__
from hydranet_ros.errors import HydranetError, missing_package
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS, LARGEST_MAX_PIXELS

app = typer.Typer(
    name='hydranet', no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    help='One camera image to a semantic mask, metric depth and a coloured cloud.',
)  # fmt: skip
weights_app = typer.Typer(no_args_is_help=True, help="The authors' weights.")
app.add_typer(weights_app, name='weights')
PASS_ON = {'allow_extra_args': True, 'ignore_unknown_options': True}

Model = Annotated[str, typer.Option(help='Model file; default: the one of the preset.')]
PresetName = Annotated[str, typer.Option(help='Preset of config/.')]
Provider = Annotated[str, typer.Option(help='auto, tensorrt, cuda or cpu.')]
MaxPixels = Annotated[
    int, typer.Option(min=1, max=LARGEST_MAX_PIXELS, help='Largest width times height.')
]
Intrinsics = Annotated[
    str, typer.Option(help='fx,fy,cx,cy in pixels of the source, for clouds and metric scale.')
]


def _version(wanted: bool) -> None:
    if wanted:
        print(f'hydranet_ros {__version__}')
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option('--version', callback=_version, is_eager=True, help='Print it.')
    ] = False,
) -> None:
    pass


@app.command()
def predict(
    inputs: Annotated[list[Path], typer.Argument(help='Pictures, folders, videos.')],
    output: Annotated[Path, typer.Option('-o', '--output', help='Folder for the results.')],
    preset: PresetName = 'street',
    model: Model = '',
    provider: Provider = 'auto',
    threads: Annotated[int, typer.Option(help='Threads on the CPU, 0 for all.')] = 0,
    intrinsics: Intrinsics = '',
    alpha: Annotated[float, typer.Option(min=0, max=1, help='Weight of the overlay.')] = 0.5,
    max_depth: Annotated[float, typer.Option(min=0, help='Metres; 0: no limit.')] = 0.0,
    stride: Annotated[int, typer.Option(min=1, help='Every so many pixels in a cloud.')] = 1,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
) -> None:
    """Write mask, depth, overlay, cloud and video of pictures, folders and videos."""
    from hydranet_ros.inference.engine import EngineOptions
    from hydranet_ros.perception.pipeline import PerceptionSettings
    from hydranet_ros.perception.predict import PredictOptions, predict_all

    options = PredictOptions(
        preset=preset, model=model, intrinsics=_four(intrinsics),
        engine=EngineOptions(provider=provider, threads=threads),
        settings=PerceptionSettings(overlay_alpha=alpha, max_depth=max_depth, cloud_stride=stride),
        max_pixels=max_pixels,
    )  # fmt: skip
    if predict_all(inputs, output, options):
        raise typer.Exit(1)


@app.command('bag')
def bag_command(
    source: Annotated[Path, typer.Argument(help='rosbag2 with images.')],
    output: Annotated[Path, typer.Option('-o', '--output', help='The new bag (mcap).')],
    preset: PresetName = 'street',
    model: Model = '',
    provider: Provider = 'auto',
    topic: Annotated[str, typer.Option(help='Image topic; default: the first.')] = '',
    max_depth: Annotated[float, typer.Option(min=0, help='Metres; 0: no limit.')] = 0.0,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
) -> None:
    """Run every image of a bag through the network into a new bag, without ROS."""
    from hydranet_ros.bags.process import process_bag
    from hydranet_ros.inference.engine import Engine, EngineOptions
    from hydranet_ros.model_files.resolve import choose_model
    from hydranet_ros.perception.pipeline import Perception, PerceptionSettings

    engine = Engine(choose_model(preset, model=model).path, EngineOptions(provider=provider))
    perception = Perception(engine, PerceptionSettings(max_depth=max_depth))
    counts = process_bag(source, output, perception, image_topic=topic, max_pixels=max_pixels)
    print(f'{counts.done} frames done, {counts.failed} given up; results in {output}')
    if counts.failed:
        raise typer.Exit(1)


@app.command(context_settings=PASS_ON)
def run(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help='Preset of config/.')] = 'street',
) -> None:
    """Start the node; what follows --ros-args passes through."""
    from hydranet_ros.__main__ import ros_arguments
    from hydranet_ros.ros.run import main as node_main

    raise typer.Exit(node_main(ros_arguments(preset, context.args)))


@app.command(context_settings=PASS_ON)
def play(
    context: typer.Context,
    source: Annotated[
        Path, typer.Argument(help='rosbag2 (mcap, sqlite3), folder, picture, video.')
    ],
    rate: Annotated[float, typer.Option(min=0, help='Times the speed; 0: at once.')] = 1.0,
    loop: Annotated[bool, typer.Option(help='Start again at the end.')] = False,
    clock: Annotated[float, typer.Option(min=0, help='Publish /clock at so many Hz.')] = 0.0,
    fps: Annotated[float, typer.Option(min=0, help='Pictures a second (default 10).')] = 0.0,
    topic: Annotated[str, typer.Option(help='Topic of pictures and videos.')] = '/camera/image',
    pattern: Annotated[str, typer.Option(help='Which pictures of a folder.')] = '*',
    frame_id: Annotated[str, typer.Option(help='Frame of pictures.')] = 'camera_optical',
    intrinsics: Intrinsics = '',
    wait: Annotated[float, typer.Option(min=0, help='Seconds to wait for a subscriber.')] = 0.0,
    subscribers: Annotated[int, typer.Option(min=1, help='How many to wait for.')] = 1,
    delay: Annotated[float, typer.Option(min=0, help='Seconds before the first message.')] = 0.5,
) -> None:
    """Publish a bag, pictures or a video on ROS topics with the original timing."""
    from hydranet_ros.ros.play import play_main

    play_main(
        source, rate=rate, loop=loop, clock=clock, fps=fps, topic=topic, pattern=pattern,
        frame_id=frame_id, intrinsics=_four(intrinsics), wait=wait, delay=delay,
        subscribers=subscribers, ros_args=context.args,
    )  # fmt: skip


@app.command()
def demo(
    output: Annotated[Path, typer.Option('-o', '--output', help='Folder.')] = Path('demo'),
    frames: Annotated[int, typer.Option(min=0, help='At most so many; 0: all.')] = 0,
    preset: PresetName = 'street',
    model: Model = '',
    bag: Annotated[Optional[Path], typer.Option(help='Another bag.')] = None,  # noqa: UP045
    rate: Annotated[float, typer.Option(min=0.01, help='Times the speed.')] = 1.0,
) -> None:
    """Play a street through the real node over DDS; write pictures, a video and a bag."""
    from hydranet_ros.ros.demo import run_demo

    run_demo(output, frames=frames, preset=preset, model=model, bag=bag, rate=rate)


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help='Official, DenseTorch, or our own.')],
    preset: Annotated[str, typer.Option(help='Whose classes and ranges the file carries.')],
    output: Annotated[Path, typer.Option('-o', '--output', help='The .onnx to write.')],
    domain: Annotated[str, typer.Option(help='Domain of a model that has several.')] = '',
    upsampling: Annotated[str, typer.Option(help='bilinear or bicubic.')] = 'bilinear',
    target: Annotated[str, typer.Option(help='cpu or gpu: where it is to be fast.')] = 'cpu',
    internal_scale: Annotated[float, typer.Option(help='1, 0.75 or 0.5: what it looks at.')] = 1.0,
    int8: Annotated[Optional[Path], typer.Option(help='Pictures for 8-bit.')] = None,  # noqa: UP045
) -> None:
    """Write a checkpoint as one self-describing model file, compared with PyTorch."""
    from hydranet_ros.network.export import export_checkpoint

    report = export_checkpoint(
        checkpoint, preset, output, domain=domain, upsampling=upsampling, target=target,
        internal_scale=internal_scale, int8=int8,
    )  # fmt: skip
    differences, loss = report.differences, report.quantization
    print(f'Wrote {report.path}. Difference from PyTorch: {differences.labels:.2%} of the labels, '
          f'{differences.depth:.1e} of the depth.')  # fmt: skip
    if loss:
        print(f'INT8 changes {loss.labels:.2%} of the labels and depth by {loss.depth:.2%} '
              '(median).')  # fmt: skip


@app.command('build-engine')
def build_engine(
    preset: Annotated[str, typer.Argument(help='Preset of config/.')],
    size: Annotated[list[str], typer.Option(help='WIDTHxHEIGHT of the images, repeatable.')],
    model: Model = '',
    domain: Annotated[str, typer.Option(help='Domain of a model that has several.')] = '',
    fp16: Annotated[bool, typer.Option(help='Half precision.')] = False,
) -> None:
    """Build TensorRT's engine ahead of the first frame."""
    from hydranet_ros.inference import engine
    from hydranet_ros.model_files.resolve import choose_model

    choice = choose_model(preset, domain=domain, model=model)
    options = engine.EngineOptions(provider='tensorrt', fp16=fp16)
    sizes = [_size(text) for text in size]
    for (height, width), took in zip(sizes, engine.build_engine(choice.path, options, sizes)):
        print(f'{choice.path.name} {width}x{height}: ready in {took:.0f} s')


@app.command()
def scenes(
    output: Annotated[Path, typer.Argument(help='Folder of the data set, or of the bag.')],
    count: Annotated[int, typer.Option(min=1, help='Frames.')] = 100,
    seed: Annotated[int, typer.Option(help='The same seed gives the same bytes.')] = 1,
    size: Annotated[str, typer.Option(help='WIDTHxHEIGHT; default: 480x288, rooms 640x480.')] = '',
    kind: Annotated[str, typer.Option(help='streets, old_town or rooms.')] = 'streets',
    bag: Annotated[bool, typer.Option(help='Write a drive or a walk as a rosbag2.')] = False,
    workers: Annotated[int, typer.Option(min=1, help='Processes.')] = 1,
) -> None:
    """Render procedural streets or rooms with exact labels and depth."""
    pixels = _size(size or ('640x480' if kind == 'rooms' else '480x288'))
    if bag:
        from hydranet_scenes.bag import write_drive

        print(write_drive(output, frames=count, seed=seed, size=pixels, kind=kind))
    else:
        from hydranet_scenes.dataset import render_dataset

        print(render_dataset(
            output, count=count, seed=seed, size=pixels, workers=workers, kind=kind
        ))  # fmt: skip


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help='Experiment (config/train/*.yaml).')],
    output: Annotated[Path, typer.Option('-o', '--output', help='Folder of the run.')],
    data: Annotated[list[str], typer.Option(help='NAME=FOLDER, repeatable.')] = [],  # noqa: B006
    resume: Annotated[bool, typer.Option(help='Go on with the run in the folder.')] = False,
    init: Annotated[Optional[Path], typer.Option(help='Checkpoint to start from.')] = None,  # noqa: UP045
    minutes: Annotated[float, typer.Option(help='Stop after so long; 0: at the end.')] = 0,
    accelerator: Annotated[str, typer.Option(help='auto, cpu, gpu, ...')] = 'auto',
    devices: Annotated[int, typer.Option(min=1, help='Of each machine.')] = 1,
    nodes: Annotated[int, typer.Option(min=1, help='Machines.')] = 1,
    precision: Annotated[str, typer.Option(help="Instead of the experiment's.")] = '',
) -> None:
    """Train a network; a run that was stopped goes on with --resume."""
    from datetime import timedelta

    from hydranet_ros.training.train import Hardware
    from hydranet_ros.training.train import train as run_training

    print(run_training(
        config, output, roots=_roots(data), resume=resume, init_from=init,
        max_time=timedelta(minutes=minutes) if minutes else None,
        hardware=Hardware(accelerator, devices, nodes, precision),
    ))  # fmt: skip


@app.command()
def average(
    checkpoints: Annotated[list[Path], typer.Argument(help='Two or more, of one network.')],
    output: Annotated[Path, typer.Option('-o', '--output', help='The checkpoint to write.')],
) -> None:
    """Write the mean of the weights of runs that began from one another."""
    from hydranet_ros.network.average import average_checkpoints

    print(average_checkpoints(checkpoints, output))


@app.command()
def distil(
    teacher: Annotated[Path, typer.Argument(help='Checkpoint, model of ours, or any ONNX.')],
    source: Annotated[str, typer.Argument(metavar='DATA', help='KIND:FOLDER[:SPLIT][?options].')],
    output: Annotated[Path, typer.Option('-o', '--output', help='Folder of the new data set.')],
    task: Annotated[str, typer.Option(help='labels, depth or both.')] = 'both',
    confidence: Annotated[float, typer.Option(help='Labels below it become 255.')] = 0.5,
    flip: Annotated[bool, typer.Option(help='Look at the mirror image too.')] = False,
    scales: Annotated[str, typer.Option(help='Look at these sizes, like 0.75,1,1.25.')] = '1',
    depth_merge: Annotated[str, typer.Option(help='Of several looks: median or mean.')] = 'median',
    classes: Annotated[str, typer.Option(help="Class map from the teacher's ids.")] = '',
    merge: Annotated[list[str], typer.Option(help='Option of the class map.')] = [],  # noqa: B006
    describe: Annotated[Optional[Path], typer.Option(help="YAML of others' ONNX.")] = None,  # noqa: UP045
    preset: Annotated[str, typer.Option(help='Whose classes a checkpoint has.')] = 'street',
    domain: Annotated[str, typer.Option(help='Domain of a model that has several.')] = '',
    depth_scale: Annotated[float, typer.Option(help='Steps of a metre, 16 bits.')] = 256.0,
    max_depth: Annotated[float, typer.Option(help='Metres; deeper is unknown. 0: all.')] = 0.0,
    provider: Provider = 'auto',
    data: Annotated[list[str], typer.Option(help='NAME=FOLDER, repeatable.')] = [],  # noqa: B006
) -> None:
    """Let a teacher annotate what a data set lacks; started again, it goes on."""
    from hydranet_ros.training import distil as work
    from hydranet_ros.training.teachers import open_teacher

    options = work.DistilOptions(
        task=task, confidence=confidence, classes=classes, merge=tuple(merge),
        augmentation=work.TestTimeAugmentation(flip, work.parse_scales(scales), depth_merge),
        depth_scale=depth_scale, max_depth=max_depth,
    )  # fmt: skip
    samples = work.open_data(source, _roots(data))
    chosen = open_teacher(
        teacher, preset=preset, domain=domain, description=describe, provider=provider
    )
    try:
        print(work.distil(chosen, samples, output, options, data=source))
    except KeyboardInterrupt:
        print('hydranet: stopped; the same command goes on where it was.', file=sys.stderr)
        raise typer.Exit(130) from None


@app.command('eval')
def eval_command(
    model: Annotated[str, typer.Argument(help='Exported .onnx, or a checkpoint.')],
    sources: Annotated[
        list[str], typer.Argument(metavar='DATA...', help='KIND:FOLDER[:SPLIT][?options]')
    ],
    crop: Annotated[str, typer.Option(help='none, garg, eigen, kb or nyu_eigen.')] = 'none',
    max_depth: Annotated[
        float, typer.Option(min=0, help="Metres; 0: the end of the model's range, 10 at least.")
    ] = 0.0,
    min_depth: Annotated[float, typer.Option(min=0, help='Metres.')] = 0.001,
    adverse: Annotated[
        int, typer.Option(min=0, max=5, help='Also under each corruption of this severity.')
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help='Of the corruptions.')] = 0,
    limit: Annotated[int, typer.Option(min=0, help='Images of each set, spread; 0: all.')] = 0,
    json_file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option('--json', help='Write all figures, by class and by image.'),
    ] = None,
    sheet: Annotated[Optional[Path], typer.Option(help='Picture of best and worst.')] = None,  # noqa: UP045
    preset: Annotated[str, typer.Option(help='Whose classes a checkpoint has.')] = '',
    domain: Annotated[str, typer.Option(help='Domain of a model that has several.')] = '',
    provider: Provider = 'auto',
    data: Annotated[list[str], typer.Option(help='NAME=FOLDER, repeatable.')] = [],  # noqa: B006
) -> None:
    """Measure a model: mIoU, depth, normals; clear, and in adverse weather."""
    from hydranet_ros.training.evaluation.command import run_eval
    from hydranet_ros.training.evaluation.run import EvalOptions

    options = EvalOptions(crop, min_depth, max_depth, adverse, seed, limit)
    model_options = {'preset': preset, 'domain': domain, 'provider': provider}
    stopped = run_eval(
        model, sources, options, model_options=model_options, roots=_roots(data),
        json_file=json_file, sheet=sheet,
    )  # fmt: skip
    if stopped:
        raise typer.Exit(130)


@weights_app.command('list')
def weights_list() -> None:
    """List the authors' checkpoints and what is here already."""
    from hydranet_ros.network.weights import describe

    print(describe())


@weights_app.command('pull')
def weights_pull(
    name: Annotated[str, typer.Argument(help='A name of: hydranet weights list')],
    base_url: Annotated[str, typer.Option(help='Another place with the same files.')] = '',
) -> None:
    """Download a checkpoint, check it, convert it, and put it where its preset looks."""
    from hydranet_ros.network.weights import BASE_URL, pull

    for path in pull(name, base_url=base_url or BASE_URL):
        print(path)


def _roots(items: list[str]) -> dict[str, Path]:
    """Return the folders of NAME=FOLDER by their names."""
    roots = {}
    for item in items:
        name, _, folder = item.partition('=')
        if not name.isupper() or not folder:
            raise typer.BadParameter(f'{item!r} is no NAME=FOLDER with NAME in capitals')
        roots[name] = Path(folder)
    return roots


def _size(text: str) -> tuple[int, int]:
    """Return (height, width) of WIDTHxHEIGHT."""
    width, _, height = text.lower().partition('x')
    if not (width.isdigit() and height.isdigit()):
        raise typer.BadParameter(f'{text!r} is no WIDTHxHEIGHT, for example 640x480')
    return int(height), int(width)


def _four(text: str) -> tuple[float, float, float, float] | None:
    """Return fx, fy, cx, cy, or ``None`` for an empty text."""
    if not text:
        return None
    try:
        fx, fy, cx, cy = (float(part) for part in text.split(','))
    except ValueError:
        raise typer.BadParameter(f'{text!r} is no fx,fy,cx,cy') from None
    return fx, fy, cx, cy


def main() -> None:
    """Run the command line; a deliberate error is one line and exit status 2."""
    try:
        app()
    except HydranetError as err:
        print(f'hydranet: {err}', file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as err:
        cure = missing_package(err)
        if not cure:
            raise
        print(f'hydranet: {cure}', file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
