"""Each rewrite is exact, at any size, and is really in the graph that ONNX Runtime runs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
onnx = pytest.importorskip('onnx', reason='onnx is not installed (extra: train)')

import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from reference_network import random_reference

from hydranet_ros.inference.subgraph import prune
from hydranet_ros.network import export, graph_rewrites, rewrites
from hydranet_ros.network.checkpoints import load_checkpoint
from hydranet_ros.network.decoders import WIDTH, ChainedResidualPooling, Head
from hydranet_ros.network.encoders.mobilenet_v2 import InvertedResidual
from hydranet_ros.network.export_comparison import comparison_image
from hydranet_ros.network.export_module import ExportModule, RewrittenExportModule
from hydranet_ros.network.hydranet import MEAN, STD, HydraNetConfig, build_hydranet

TASKS = ('segmentation', 'depth', 'normals')
SIZES = [(333, 611), (64, 96), (97, 33)]
ALGEBRA = 1e-11  # in double precision, where rounding cannot hide a wrong identity
EXACT = 1e-5


def official(folder: Path, classes: int, tasks=('segm', 'depth')):
    """Return a network with drawn weights and statistics, of the sizes that real ones have."""
    path = folder / 'official.ckpt'
    torch.save({'state_dict': random_reference(classes, tasks).state_dict()}, path)
    return load_checkpoint(path).network()


def in_double(network):
    return network.double().eval()


def resnet(tasks=TASKS):
    """Return a ResNet of our own whose statistics are drawn too."""
    torch.manual_seed(5)
    network = build_hydranet(
        HydraNetConfig('resnet18', 6, tasks, align_corners=True), init='kaiming'
    )
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def picture(height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(comparison_image(height, width))[None]


def less_mean(image: torch.Tensor) -> torch.Tensor:
    mean = torch.tensor(MEAN, dtype=torch.double).view(1, 3, 1, 1)
    return image.permute(0, 3, 1, 2).double() - 255 * mean


def normalised(image: torch.Tensor) -> torch.Tensor:
    """Return what the network was trained on, (1, 3, H, W)."""
    return less_mean(image) / (255 * torch.tensor(STD, dtype=torch.double).view(1, 3, 1, 1))


def relative(want: torch.Tensor, got: torch.Tensor) -> float:
    """Return the largest difference over the largest value; a wrong border is a large one."""
    assert want.shape == got.shape
    return float((want - got).abs().max() / want.abs().max())


@pytest.mark.parametrize(('classes', 'size'), zip((6, 40, 40), SIZES))
def test_the_rewritten_network_says_the_same_at_any_size(tmp_path: Path, classes, size):
    network = in_double(official(tmp_path, classes, ('segm', 'depth', 'normal')))
    image = picture(*size)
    with torch.no_grad():
        want = network(normalised(image))
        got = rewrites.RewrittenNetwork(network).eval()(less_mean(image))
    assert list(want) == list(got) == list(TASKS)
    for task in TASKS:
        assert relative(want[task], got[task]) < ALGEBRA
        border = torch.ones(want[task].shape[2:], dtype=torch.bool)
        border[1:-1, 1:-1] = False
        assert relative(want[task][..., border], got[task][..., border]) < ALGEBRA


@pytest.mark.parametrize('size', SIZES[1:])
def test_a_resnet_and_aligned_corners_too(size):
    network, image = in_double(resnet()), picture(*size)
    with torch.no_grad():
        want = network(normalised(image))
        got = rewrites.RewrittenNetwork(network).eval()(less_mean(image))
    for task in TASKS:
        assert relative(want[task], got[task]) < ALGEBRA


def test_the_network_that_was_given_is_left_as_it_was(tmp_path: Path):
    network = official(tmp_path, 6)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    rewrites.RewrittenNetwork(network)
    after = network.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_domain_s_classes_are_cut_out_of_the_head(tmp_path: Path):
    network, image = in_double(official(tmp_path, 46)), picture(61, 83)
    with torch.no_grad():
        want = network(normalised(image))['segmentation'][:, 40:46]
        got = rewrites.RewrittenNetwork(network, (40, 46)).eval()(less_mean(image))
    assert relative(want, got['segmentation']) < ALGEBRA


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('groups', [2, 3])
def test_an_inverted_residual_in_groups_is_the_same(stride, groups):
    torch.manual_seed(1)
    outputs = 24 if stride == 1 else 32
    block = InvertedResidual(24, outputs, 6, stride).double().eval()
    for unit in block.output:
        torch.nn.init.normal_(unit[1].running_mean)
        torch.nn.init.uniform_(unit[1].running_var, 0.5, 2)
        torch.nn.init.normal_(unit[1].bias)
    x = torch.randn(1, 24, 21, 34).double()
    with torch.no_grad():
        assert relative(block(x), rewrites.GroupedResidual(block, groups).eval()(x)) < ALGEBRA


@pytest.mark.parametrize(('outputs', 'as_taps'), [(1, True), (3, True), (6, True), (40, False)])
def test_a_head_as_taps_is_the_same_up_to_the_border(outputs, as_taps):
    torch.manual_seed(outputs)
    head = Head(outputs).double().eval()
    torch.nn.init.normal_(head.pre.weight)
    torch.nn.init.normal_(head.out.bias)
    parts = [slice(start, start + 64) for start in range(0, WIDTH, 64)]
    rewritten = rewrites.RewrittenHead(head, parts).eval()
    assert rewritten.as_taps == rewrites.shifted_taps_are_cheaper(outputs) == as_taps
    x = 4 * torch.randn(1, WIDTH, 7, 9).double()
    with torch.no_grad():
        got = rewritten([x[:, part] / rewrites.RELU6_LIMIT for part in parts])
        want = head(x)
    for place in (slice(None), slice(0, 1), slice(-1, None)):
        assert relative(want[:, :, place], got[:, :, place]) < ALGEBRA
        assert relative(want[..., place], got[..., place]) < ALGEBRA


def test_a_part_of_a_depthwise_pooling_is_that_part_of_the_whole():
    torch.manual_seed(2)
    pool = ChainedResidualPooling(WIDTH, groups=WIDTH).eval()
    part, x = slice(64, 128), torch.randn(1, WIDTH, 12, 11)
    with torch.no_grad():
        got = rewrites._part_of_pooling(pool, part)(x[:, part])
        assert torch.equal(pool(x)[:, part], got)


def test_confidence_holds_where_exponentials_would_overflow():
    deployed = ExportModule(build_hydranet(HydraNetConfig(tasks=('segmentation',))))
    logits = torch.zeros(1, 6, 4, 5)
    logits[:, 3] = 500.0
    logits[:, 2] = 500.0
    labels, confidence = deployed.decode({'segmentation': logits - 200}, torch.Size((16, 20)))
    assert (labels == 2).all(), 'of equals the first'
    assert (confidence == 128).all()


# The graph ---------------------------------------------------------------------------------


def written(folder: Path, network, classes: int, target: str, **changes) -> Path:
    """Write a model file and return its path."""
    from model_factory import model_info

    path = folder / f'{target}.onnx'
    tasks = network.config.tasks
    deployed = ExportModule(network, **changes).eval()
    export.write_graph(deployed, path, (64, 96), model_info(tasks), target)
    onnx.checker.check_model(str(path), full_check=True)
    return path


def optimised(path: Path) -> Counter[str]:
    """Return how often each operator is in the graph that ONNX Runtime's CPU provider runs."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(path.with_suffix('.optimised.onnx'))
    onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    counts: Counter[str] = Counter()
    for node in onnx.load(options.optimized_model_filepath).graph.node:
        counts[node.op_type] += 1
        names = [item.s.decode() for item in node.attribute if item.name == 'activation']
        if node.op_type == 'Conv' and len(node.input) > 3:
            names.append('sum')
        counts['+'.join([node.op_type, *names])] += bool(names)
    return counts


@pytest.fixture(scope='module')
def both(tmp_path_factory):
    """The two forms of the same network with six classes, as files."""
    folder = tmp_path_factory.mktemp('rewrites')
    network = official(folder, 6)
    return {target: written(folder, network, 6, target) for target in ('cpu', 'gpu')}


def run(path: Path, image: np.ndarray, outputs=('labels', 'depth', 'confidence')):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return dict(zip(outputs, session.run(list(outputs), {'image': image[None]})))


@pytest.mark.parametrize('size', [*SIZES, (1, 1), (375, 1242)])
def test_both_forms_of_a_file_answer_alike(both, size):
    image = comparison_image(*size)
    plain, rewritten = (run(both[target], image) for target in ('gpu', 'cpu'))
    assert np.abs(plain['depth'] - rewritten['depth']).max() < EXACT * plain['depth'].max()
    assert (plain['labels'] != rewritten['labels']).mean() < 1e-4
    assert np.abs(plain['confidence'].astype(int) - rewritten['confidence']).max() <= 1


def test_the_graph_that_runs_stays_in_the_blocked_layout(both):
    """Feature maps enter it after each upsampling and leave it before one, and at the heads."""
    plain, rewritten = optimised(both['gpu']), optimised(both['cpu'])
    if not plain['ReorderInput']:
        pytest.skip('this processor has no blocked layout')
    upsamplings = 2 + WIDTH // rewrites.GROUP_WIDTH
    assert plain['ReorderOutput'] > 20
    assert rewritten['ReorderInput'] == upsamplings
    assert rewritten['ReorderOutput'] == upsamplings + 2
    assert rewritten['Conv+HardSigmoid+sum'] == 1 + upsamplings
    assert rewritten['HardSigmoid'] == 0, 'each is fused into the sum before it'
    assert rewritten['Conv+sum'] > plain['Conv+sum']
    assert rewritten['Identity'] == 0


def test_the_written_graph_holds_each_rewrite(both):
    graph = onnx.load(str(both['cpu'])).graph
    kinds = Counter(node.op_type for node in graph.node)
    assert kinds['HardSigmoid'] == 3 + WIDTH // rewrites.GROUP_WIDTH
    assert kinds['Mul'] < 3 and kinds['BatchNormalization'] == 0 and kinds['Identity'] == 0
    producers = {name: node for node in graph.node for name in node.output}
    resized = [node for node in graph.node if node.op_type == 'Resize']
    from_last = [producers[node.input[0]].op_type == 'Reshape' for node in resized]
    assert (sum(from_last), len(resized)) == (len(resized) - 1, 4 + WIDTH // rewrites.GROUP_WIDTH), (
        'all but the one of depth, which has a single channel'
    )
    largest = max(graph.initializer, key=lambda item: np.prod(item.dims))
    assert list(largest.dims) != [6, WIDTH, 3, 3], 'the head is in taps'


def test_a_rewritten_graph_can_still_be_pruned(both):
    data = both['cpu'].read_bytes()
    for name in ('labels', 'depth', 'confidence'):
        pruned = onnx.load_from_string(prune(data, [name]))
        onnx.checker.check_model(pruned, full_check=True)
        path = both['cpu'].with_name(f'{name}.onnx')
        path.write_bytes(pruned.SerializeToString())
        image = comparison_image(61, 83)
        whole = run(both['cpu'], image)[name]
        np.testing.assert_array_equal(run(path, image, (name,))[name], whole)


def test_forty_classes_three_tasks_and_a_resnet_export_alike(tmp_path: Path):
    image = comparison_image(61, 83)
    for name, network, classes in (
        ('official', official(tmp_path, 40, ('segm', 'depth', 'normal')), 40),
        ('resnet', resnet(), 6),
    ):
        folder = tmp_path / name
        folder.mkdir()
        outputs = ('labels', 'depth', 'normals')
        plain, rewritten = (
            run(written(folder, network, classes, target), image, outputs)
            for target in ('gpu', 'cpu')
        )
        assert (plain['labels'] != rewritten['labels']).mean() < 1e-3
        assert np.abs(plain['depth'] - rewritten['depth']).max() < 3 * EXACT * plain['depth'].max()
        # A short vector, brought to length 1, brings its rounding along.
        assert np.abs(plain['normals'] - rewritten['normals']).max() < 1e-3


def test_bicubic_upsampling_is_left_as_it_is(tmp_path: Path):
    network, image = official(tmp_path, 6), comparison_image(61, 83)
    plain, rewritten = (
        run(written(tmp_path, network, 6, target, upsampling='bicubic'), image)
        for target in ('gpu', 'cpu')
    )
    assert (plain['labels'] != rewritten['labels']).mean() < 1e-3
    assert np.abs(plain['depth'] - rewritten['depth']).max() < EXACT * plain['depth'].max()


def test_a_clamp_to_other_limits_is_left_as_it_is():
    def graph(low: float, high: float):
        value = helper.make_tensor_value_info
        limits = [numpy_helper.from_array(np.float32(limit), name)
                  for name, limit in (('low', low), ('high', high))]  # fmt: skip
        return helper.make_graph(
            [helper.make_node('Clip', ['x', 'low', 'high'], ['y'])], 'g',
            [value('x', TensorProto.FLOAT, [1])], [value('y', TensorProto.FLOAT, [1])], limits,
        )  # fmt: skip

    for limits, kind in (((0, 1), 'HardSigmoid'), ((0, 6), 'Clip'), ((-1, 1), 'Clip')):
        changed = graph(*limits)
        graph_rewrites.replace_clip_by_hard_sigmoid(changed)
        assert [node.op_type for node in changed.node] == [kind]


def test_the_deployment_that_is_traced_is_the_one_that_is_compared(tmp_path: Path):
    deployed = ExportModule(official(tmp_path, 6)).eval()
    image = picture(61, 83)
    with torch.no_grad():
        want, got = deployed(image), RewrittenExportModule(deployed).eval()(image)
    assert (want[0] != got[0]).float().mean() < 1e-3
    assert relative(want[2], got[2]) < EXACT
