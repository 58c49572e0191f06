"""The command ``hydranet eval``: real model files over data sets on disk."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from model_factory import FOCAL_LENGTH, expected_depth, expected_labels, make_model, model_info

from hydranet_ros.errors import DatasetError, MediaError, ModelError
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet
from hydranet_ros.model_files.preset import load_classes
from hydranet_ros.training.adverse import CORRUPTIONS
from hydranet_ros.training.data.catalog import KINDS
from hydranet_ros.training.evaluation import run as running
from hydranet_ros.training.evaluation.command import run_eval
from hydranet_ros.training.evaluation.predictors import open_model
from hydranet_ros.training.evaluation.published import published_rows
from hydranet_ros.training.evaluation.report import report, write_report
from hydranet_ros.training.evaluation.run import (
    CLEAR,
    MEAN,
    EvalOptions,
    corrupted_image,
    evaluate,
    mean_figures,
    spread,
)
from hydranet_ros.training.evaluation.sheet import choose, panels, sheet, write_sheet
from hydranet_ros.training.evaluation.tables import notes, shown, tables
from hydranet_ros.training.evaluation.tally import GROUPS
from hydranet_ros.training.metrics import DEPTH_METRICS
from hydranet_ros.training.sample import Sample

ROOT = Path(__file__).resolve().parent.parent
COUNT = 7


@pytest.fixture(scope='module')
def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(11)
    coarse = rng.integers(0, 256, (COUNT, 6, 8, 3)).astype(np.uint8)
    return [cv2.resize(item, (64, 48), interpolation=cv2.INTER_NEAREST) for item in coarse]


def write_set(root: Path, pictures, *, labels=None, depth=None, focal_length=0.0) -> str:
    """Write a plain folder, labels and depth made from the images; return it as a source."""
    for name in ('images', 'labels', 'depth'):
        (root / name).mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(pictures):
        cv2.imwrite(str(root / 'images' / f'{i}.png'), image[..., ::-1])
        if labels is not None:
            cv2.imwrite(str(root / 'labels' / f'{i}.png'), labels(i, image))
        if depth is not None:
            stored = np.rint(depth(i, image) * 1000).astype(np.uint16)
            cv2.imwrite(str(root / 'depth' / f'{i}.png'), stored)
    manifest = {'depth_scale': 1000, 'focal_length': focal_length}
    (root / 'manifest.json').write_text(json.dumps(manifest))
    return f'folder:{root}'


@pytest.fixture(scope='module')
def truth(tmp_path_factory, pictures) -> str:
    """Labels wrong in i of 48 rows of image i, depth a fifth nearer in all but the first."""

    def labels(i: int, image: np.ndarray) -> np.ndarray:
        found = expected_labels(image)
        found[:i] = (found[:i] + 1) % 3
        return found

    def depth(i: int, image: np.ndarray) -> np.ndarray:
        return expected_depth(image) / (1.25 if i else 1.0)

    return write_set(tmp_path_factory.mktemp('truth'), pictures, labels=labels, depth=depth)


@pytest.fixture(scope='module')
def measured(tiny_model, truth):
    return evaluate(str(tiny_model), [truth], EvalOptions(severity=3))


def test_an_exported_model_is_measured_as_computed_by_hand(measured) -> None:
    """Image i has i of 48 rows wrong, 21 rows in all of 7 x 48; depth is off by a quarter in 6."""
    figures = measured.results[0].figures()[CLEAR]
    assert figures['segmentation']['pixel_accuracy'] == pytest.approx(1 - 21 / (7 * 48))
    assert figures['depth_pooled']['abs_rel'] == pytest.approx(0.25 * 6 / 7, rel=1e-3)
    assert figures['depth_per_image']['abs_rel'] == pytest.approx(0.25 * 6 / 7, rel=1e-3)
    rows = measured.results[0].images
    assert [row[CLEAR]['pixel_accuracy'] for row in rows] == pytest.approx(
        [1 - i / 48 for i in range(7)]
    )


def test_every_corruption_is_measured_and_their_mean_given(measured) -> None:
    figures = measured.results[0].figures()
    assert list(figures) == [CLEAR, *CORRUPTIONS, MEAN]
    for group, name in (('segmentation', 'miou'), ('depth_pooled', 'rmse')):
        values = [figures[condition][group][name] for condition in CORRUPTIONS]
        assert figures[MEAN][group][name] == pytest.approx(sum(values) / len(values))
        assert len(set(values)) > 1


def test_the_mean_over_corruptions_leaves_out_what_a_row_lacks() -> None:
    rows = [{'segmentation': {'miou': 0.5}}, {'segmentation': {'miou': 0.7}}, {}]
    assert mean_figures(rows) == {'segmentation': {'miou': pytest.approx(0.6)}}


def test_an_image_meets_the_same_weather_in_every_run(tiny_model, truth, measured) -> None:
    """Neither the limit nor the other images change what image 3 looks like."""
    part = evaluate(str(tiny_model), [truth], EvalOptions(severity=3, limit=1)).results[0]
    assert [row['index'] for row in part.images] == [3]
    assert part.images[0] == measured.results[0].images[3]


def test_weather_depends_on_seed_name_and_image() -> None:
    image = np.full((40, 60, 3), 120, np.uint8)
    sample = Sample('a', image)

    def made(name: str, index: int, seed: int) -> bytes:
        options = EvalOptions(severity=3, seed=seed)
        return corrupted_image(sample, name, index, options).tobytes()

    assert made('snow', 4, 1) == made('snow', 4, 1)
    assert (
        len({made('snow', 4, 1), made('snow', 5, 1), made('snow', 4, 2), made('rain', 4, 1)}) == 4
    )
    assert corrupted_image(sample, CLEAR, 0, EvalOptions()) is image


def test_fog_is_told_the_depth_of_the_sample() -> None:
    image = np.full((40, 60, 3), 20, np.uint8)
    options = EvalOptions(severity=3)
    near, far = (
        corrupted_image(Sample('a', image, depth=np.full((40, 60), metres, np.float32)), 'fog', 0,
                        options).mean()
        for metres in (2.0, 60.0)
    )  # fmt: skip
    assert far > near + 20


def test_a_limit_is_spread_over_the_set() -> None:
    assert spread(101, 4) == (12, 37, 63, 88)
    assert spread(5, 0) == spread(5, 9) == (0, 1, 2, 3, 4)
    assert all(len(set(spread(100, n))) == n for n in range(1, 101))


def test_depth_is_scaled_by_the_focal_length_of_the_set(tmp_path, tiny_model, pictures) -> None:
    source = write_set(
        tmp_path, pictures[:2], depth=lambda i, image: 2 * expected_depth(image),
        focal_length=2 * FOCAL_LENGTH,
    )  # fmt: skip
    figures = evaluate(str(tiny_model), [source], EvalOptions()).results[0].figures()
    assert figures[CLEAR]['depth_pooled']['abs_rel'] == pytest.approx(0, abs=1e-3)
    assert 'segmentation' not in figures[CLEAR]


def test_limits_of_the_depth_are_those_asked_for(tiny_model, truth) -> None:
    options = EvalOptions(nearest=4.0, farthest=6.0)
    result = evaluate(str(tiny_model), [truth], options).results[0]
    counted = sum(((t > 4) & (t < 6)).sum() for t in (s.depth for s in result.samples))
    assert 0 < result.tallies[CLEAR].depth.pixels == counted
    assert evaluate(str(tiny_model), [truth], EvalOptions()).results[0].protocol.farthest == 80


@pytest.mark.parametrize('given', [
    {'crop': 'middle'}, {'nearest': 0.0}, {'nearest': 5.0, 'farthest': 2.0},
])  # fmt: skip
def test_options_outside_what_is_allowed_are_refused(given: dict) -> None:
    with pytest.raises(DatasetError, match='allowed'):
        EvalOptions(**given)


def test_nothing_to_measure_is_an_error(tmp_path, tiny_model, truth, pictures) -> None:
    bare = write_set(tmp_path / 'bare', pictures[:2])
    with pytest.raises(DatasetError, match=r'nothing to measure\. Of 2 images 0 with labels'):
        evaluate(str(tiny_model), [bare], EvalOptions())
    only_depth = make_model(tmp_path / 'depth.onnx', tasks=('depth',))
    labels = write_set(tmp_path / 'labels', pictures[:2], labels=lambda i, x: expected_labels(x))
    with pytest.raises(DatasetError, match='2 with labels, 0 with depth.*the model has depth'):
        evaluate(str(only_depth), [labels], EvalOptions())
    with pytest.raises(DatasetError, match='between 50 and 60 m'):
        evaluate(str(only_depth), [truth], EvalOptions(nearest=50, farthest=60))


def test_labels_of_other_classes_are_an_error_or_a_warning(tmp_path, tiny_model, pictures) -> None:
    source = write_set(tmp_path, pictures[:1], labels=lambda i, x: expected_labels(x) * 4)
    result = evaluate(str(tiny_model), [source], EvalOptions()).results[0]
    assert 'classes that the model does not know' in result.warnings[0]
    assert result.warnings[0] in list(notes(result))
    with pytest.raises(DatasetError, match=r'nyud40.*wall, floor.*the model sky, building, road'):
        evaluate(str(tiny_model), [f'{source}?classes=nyud40'], EvalOptions())


def test_ctrl_c_gives_what_was_done_so_far(tiny_model, truth, measured, monkeypatch) -> None:
    """The signal comes in the middle of the third image, which is still finished."""

    class Interrupted(running.Tally):
        def add(self, sample, found):
            if sample.name == '2':
                os.kill(os.getpid(), signal.SIGINT)
            return super().add(sample, found)

    monkeypatch.setattr(running, 'Tally', Interrupted)
    before = signal.getsignal(signal.SIGINT)
    evaluation = evaluate(str(tiny_model), [truth, truth], EvalOptions())
    assert signal.getsignal(signal.SIGINT) is before
    assert evaluation.stopped
    assert len(evaluation.results) == 1
    assert evaluation.results[0].images == [
        {key: value for key, value in row.items() if key not in CORRUPTIONS}
        for row in measured.results[0].images[:3]
    ]
    assert report(evaluation)['stopped_early'] is True
    assert report(evaluation)['data'][0]['measured'] == 3


def test_a_second_ctrl_c_ends_at_once(tiny_model, truth, monkeypatch) -> None:
    class Interrupted(running.Tally):
        def add(self, sample, found):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            return super().add(sample, found)

    monkeypatch.setattr(running, 'Tally', Interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluate(str(tiny_model), [truth], EvalOptions())


def test_the_report_holds_all_and_is_strict_json(tmp_path, measured, tiny_model) -> None:
    path = tmp_path / 'new' / 'report.json'
    write_report(path, measured)
    assert [item.name for item in path.parent.iterdir()] == ['report.json']
    found = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert {'command', 'created', 'versions', 'options', 'stopped_early'} <= set(found)
    assert {'hydranet_ros', 'python', 'torch', 'numpy'} <= set(found['versions'])
    (data,) = found['data']
    assert data['model']['sha256'] == hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    assert data['images'] == data['measured'] == len(data['per_image']) == COUNT
    assert set(data['figures'][CLEAR]['depth_pooled']) == set(DEPTH_METRICS)
    assert list(data['iou_by_class'][CLEAR]) == ['sky', 'building', 'road']
    confusion = np.array(data['confusion'][CLEAR])
    assert np.trace(confusion) / confusion.sum() == pytest.approx(
        data['figures'][CLEAR]['segmentation']['pixel_accuracy']
    )


def test_a_class_that_never_occurs_is_null_in_the_report(tmp_path, tiny_model) -> None:
    grey = [np.full((48, 64, 3), 60, np.uint8)]
    source = write_set(tmp_path, grey, labels=lambda i, image: expected_labels(image))
    data = report(evaluate(str(tiny_model), [source], EvalOptions()))['data'][0]
    assert data['iou_by_class'][CLEAR] == {'sky': None, 'building': 1.0, 'road': None}
    assert data['figures'][CLEAR]['segmentation']['miou'] == 1


def test_a_file_that_cannot_be_written_is_a_clear_error(tmp_path, measured) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(MediaError, match='cannot be written'):
        write_report(tmp_path / 'file' / 'report.json', measured)


def test_a_place_that_cannot_be_written_is_found_before_the_work(tmp_path, tiny_model) -> None:
    (tmp_path / 'file').write_text('')
    for path in (tmp_path / 'file' / 'report.json', tmp_path):
        with pytest.raises(MediaError, match='cannot be written|is a folder'):
            run_eval(str(tiny_model), ['nowhere:there'], EvalOptions(), opener={}, json_file=path)
    assert [item.name for item in tmp_path.iterdir()] == ['file']


def test_normals_are_measured_and_shown(tmp_path, pictures) -> None:
    """The model says (0, 0, -1); truth is that in one half, a floor's (0, -1, 0) in the other."""
    model = make_model(tmp_path / 'normals.onnx', tasks=('normals',))
    source = write_set(tmp_path / 'set', pictures[:1])
    (tmp_path / 'set' / 'normals').mkdir()
    coded = np.full((48, 64, 3), (128, 0, 128), np.uint8)
    coded[:, 32:] = (128, 128, 255)
    cv2.imwrite(str(tmp_path / 'set' / 'normals' / '0.png'), coded[..., ::-1])
    result = evaluate(str(model), [source], EvalOptions()).results[0]
    figures = result.figures()[CLEAR]['normals']
    assert figures['angle_mean'] == pytest.approx(45, abs=0.5)
    assert figures['within_11.25'] == figures['within_30'] == 0.5
    sample = result.samples[0]
    shown_normals = panels(result, sample, result.model.predict(sample.image))
    error = shown_normals['angle, 0 to 60 degrees'].astype(int)
    assert error[:, 32:].mean() > 100 > 10 > error[:, :32].mean()
    assert [choice.index for choice in choose(result)] == [0]


def test_the_sheet_shows_best_worst_and_weather(tmp_path, measured) -> None:
    result = measured.results[0]
    choices = choose(result, count=2)
    clear = [choice for choice in choices if choice.condition == CLEAR]
    assert len({choice.index for choice in clear}) == len(clear)
    by_miou = sorted(range(COUNT), key=lambda i: -result.images[i][CLEAR]['miou'])
    assert [choice.index for choice in clear[:4]] == [*by_miou[:2], *by_miou[:-3:-1]]
    assert [choice.condition for choice in choices if choice not in clear] == list(CORRUPTIONS)
    write_sheet(tmp_path / 'sheet.png', measured)
    picture = cv2.imread(str(tmp_path / 'sheet.png'))
    assert picture.shape == sheet(measured).shape
    assert picture.std() > 10


def test_the_panels_mark_what_is_wrong(measured) -> None:
    """Image 6 has 6 wrong rows of classes; its depth is a quarter off, image 0's is right."""
    result = measured.results[0]
    found = [
        panels(result, s, result.model.predict(s.image))
        for s in (result.samples[i] for i in (0, 6))
    ]
    wrong = found[1]['wrong classes (red)'].astype(int)
    red = (wrong[..., 0] > 120) & (wrong[..., 1] < 90)
    assert red[:6].all()
    assert not red[6:].any()
    error = [pictures['relative error, 0 to 50%'].mean() for pictures in found]
    assert error[0] < 5 < 60 < error[1]


def test_few_images_are_shown_once(tiny_model, truth) -> None:
    evaluation = evaluate(str(tiny_model), [truth], EvalOptions(limit=2))
    assert sorted(choice.index for choice in choose(evaluation.results[0])) == [1, 5]


def test_tables_have_a_row_a_condition(measured) -> None:
    found = list(tables(measured.results[0]))
    assert len(found) == 3
    assert {table.row_count for table in found} == {len(CORRUPTIONS) + 2}
    first = [column.header for column in found[0].columns]
    assert first == ['condition', 'mIoU %', 'pixels %', 'sky', 'building', 'road']


def test_figures_are_shown_with_a_sensible_number_of_places() -> None:
    assert shown('miou', 0.87024) == '87.0'
    assert shown('rmse', 3.45349) == '3.453'
    assert shown('angle_mean', 23.456) == '23.46'
    assert shown('miou', float('nan')) == shown('rmse', None) == '-'


def test_published_figures_name_their_source_and_stand_beside_sets_that_exist() -> None:
    rows = published_rows()
    assert {'nyud', 'coloured'} <= {kind for row in rows for kind in row.data}
    for row in rows:
        assert len(row.source) > 10
        assert row.figures
        assert set(row.figures) <= set(GROUPS)
        for values in row.figures.values():
            assert all(0 < value < 100 for value in values.values())
            assert values.get('miou', 0) < 1
        assert set(row.data) <= set(KINDS)
    assert published_rows('camvid') == ()


def network_file(path: Path, classes: int, tasks=('segmentation', 'depth')) -> Path:
    import torch

    from hydranet_ros.network.checkpoints import save_checkpoint

    torch.manual_seed(classes)
    config = HydraNetConfig(num_classes=classes, tasks=tasks)
    network = build_hydranet(config, init='kaiming')
    if 'segmentation' in tasks:
        head = network.decoder.heads['segmentation'].out
        torch.nn.init.normal_(head.weight, std=1.0)
        with torch.no_grad():
            head.bias[0] = 1e4
    save_checkpoint(network, path)
    return path


def test_a_model_of_46_classes_is_measured_on_the_slice_of_the_data(tmp_path) -> None:
    """Its first class always wins over all; among the last six, KITTI's, it has no say."""
    path = network_file(tmp_path / 'joint.ckpt', 46)
    image = np.random.default_rng(1).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    kitti, nyud = (
        open_model(str(path), classes=load_classes(name)) for name in ('kitti6', 'nyud40')
    )
    assert (kitti.facts['domain'], len(kitti.classes), kitti.focal_length) == (
        'kitti',
        6,
        721.5377,
    )
    assert (nyud.facts['domain'], len(nyud.classes), nyud.focal_length) == ('nyud', 40, 518.8579)
    assert set(np.unique(nyud.predict(image)['labels'])) == {0}
    assert len(np.unique(kitti.predict(image)['labels'])) > 1
    assert kitti.predict(image)['labels'].max() < 6
    assert (
        open_model(str(path), domain='nyud', classes=load_classes('kitti6')).facts['domain']
        == 'nyud'
    )


def test_a_checkpoint_without_a_known_number_of_classes_needs_a_preset(tmp_path) -> None:
    path = network_file(tmp_path / 'odd.ckpt', 5)
    with pytest.raises(ModelError, match='5 classes.*--preset'):
        open_model(str(path))
    with pytest.raises(ModelError, match="5 classes; preset 'kitti' has 6"):
        open_model(str(path), preset='kitti')


def test_an_exported_model_takes_no_preset(tiny_model) -> None:
    with pytest.raises(ModelError, match='carries its own classes'):
        open_model(str(tiny_model), preset='kitti')


@pytest.mark.slow
def test_a_checkpoint_and_its_export_measure_alike(tmp_path, pictures) -> None:
    """Torch and the node's engine on the same images: the same figures to 0.1 %."""
    from hydranet_ros.network.checkpoints import load_checkpoint
    from hydranet_ros.network.export import write_graph
    from hydranet_ros.network.export_module import DeployedNetwork

    checkpoint = network_file(tmp_path / 'model.ckpt', 6)
    exported = tmp_path / 'model.onnx'
    deployed = DeployedNetwork(load_checkpoint(checkpoint).network()).eval()
    facts = model_info(classes=load_classes('kitti6'), training_focal_length=721.5377)
    write_graph(deployed, exported, (48, 64), facts)
    source = write_set(
        tmp_path / 'set', pictures[:3], labels=lambda i, x: expected_labels(x),
        depth=lambda i, x: expected_depth(x),
    )  # fmt: skip
    found = [
        evaluate(str(path), [source], EvalOptions()).results[0].figures()[CLEAR]
        for path in (checkpoint, exported)
    ]
    for group in ('segmentation', 'depth_pooled', 'depth_per_image'):
        assert found[0][group] == pytest.approx(found[1][group], rel=1e-3)


def test_the_kitti_example_measured_another_way(data_dir: Path) -> None:
    """On the real photograph, with sets of pixels instead of a confusion matrix."""
    from hydranet_ros.inference.engine import Engine, EngineOptions

    model = ROOT / 'models' / 'street' / 'street.onnx'
    folder = data_dir / 'kitti'
    result = evaluate(
        str(model), [f'coloured:{folder}'], EvalOptions(), opener={'provider': 'cpu'}
    )
    image = cv2.imread(str(folder / '000099.png'))[..., ::-1]
    colours = cv2.imread(str(folder / 'segm_gt_000099.png'))[..., ::-1]
    engine = Engine(model, EngineOptions(provider='cpu'))
    labels = engine.infer(np.ascontiguousarray(image)).labels
    known = np.zeros(labels.shape, bool)
    for item in engine.info.classes:
        known |= (colours == item.color).all(-1)
    ious = []
    for item in engine.info.classes:
        true, said = (colours == item.color).all(-1), (labels == item.id) & known
        ious.append((true & said).sum() / (true | said).sum())
    figures = result.results[0].figures()[CLEAR]['segmentation']
    assert figures['miou'] == pytest.approx(np.mean(ious))


def test_the_command_prints_and_writes(tmp_path, tiny_model, truth) -> None:
    report_file, picture = tmp_path / 'r.json', tmp_path / 'sheet.png'
    done = subprocess.run(
        [sys.executable, '-m', 'hydranet_ros', 'eval', str(tiny_model), truth, '--limit', '2',
         '--json', str(report_file), '--sheet', str(picture), '--provider', 'cpu'],
        capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for text in ('mIoU %', 'RMSE m', 'SILog', '2 of 7 images', 'BTS', str(picture)):
        assert text in done.stdout
    assert 'eval' in json.loads(report_file.read_text())['command']
    assert picture.is_file()
