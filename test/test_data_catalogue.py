"""Sources as users write them, options, wrappers, class maps, and the check before training."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from operator import getitem
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from hydranet_ros.errors import DatasetError, TrainingError
from hydranet_ros.model_files.preset import load_classes
from hydranet_ros.resources import config_file
from hydranet_ros.training.data import files
from hydranet_ros.training.data.catalog import KINDS, check_dataset, open_dataset
from hydranet_ros.training.data.class_map import class_map_names, identity_map, load_class_map
from hydranet_ros.training.data.source import DataSource, parse_source
from hydranet_ros.training.sample import Sample


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images; labels 0, 1, 2, 3."""
    for name in ('images', 'labels'):
        (tmp_path / name).mkdir()
    for index in range(4):
        image = np.full((4, 6, 3), index, np.uint8)
        cv2.imwrite(str(tmp_path / f'images/{index}.png'), image)
        cv2.imwrite(str(tmp_path / f'labels/{index}.png'), image[..., 0])
    return tmp_path


@pytest.mark.parametrize(
    ('text', 'source'),
    [
        ('camvid:data/camvid', DataSource('camvid', 'data/camvid')),
        ('camvid:/d/camvid:val', DataSource('camvid', '/d/camvid', split='val')),
        ('nyud:a:b:val', DataSource('nyud', 'a:b', split='val')),
        ('scenes:S/x?limit=8&cache=true', DataSource('scenes', 'S/x', limit=8, cache=True)),
        (
            'cityscapes:C:val?merge=terrain,trucks&classes=cityscapes_kitti6',
            DataSource('cityscapes', 'C', 'val', 'cityscapes_kitti6', ('terrain', 'trucks')),
        ),
        (
            'folder:x?depth_scale=1000&focal_length=525.5&split=train',
            DataSource('folder', 'x', depth_scale=1000, focal_length=525.5),
        ),
        ('kitti_depth:K?images=RAW/a%26b', DataSource('kitti_depth', 'K', images='RAW/a&b')),
    ],
)  # fmt: skip
def test_a_source_is_what_its_text_says(text: str, source: DataSource) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('camvid', 'expected KIND:FOLDER'),
        (':folder', 'expected KIND:FOLDER'),
        ('camvid:', 'expected KIND:FOLDER'),
        ('camvid::val', 'root is empty'),
        ('camvid:x:', 'split is empty'),
        ('camvid:x?spilt=val', "got option 'spilt=val'; allowed: split, classes"),
        ('camvid:x?limit', "got option 'limit'"),
        ('camvid:x?limit=many', "'many' is not a valid limit"),
        ('camvid:x?limit=-1', 'limit is -1; allowed: 0 or more'),
        ('folder:x?depth_scale=nan', 'depth_scale is nan'),
        ('camvid:x?cache=perhaps', "'perhaps' is not a valid cache"),
        ('camvid:x:val?split=train', 'the option split appears twice'),
    ],
)
def test_a_malformed_source_is_refused(text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        parse_source(text)


def test_a_name_in_capitals_stands_for_a_given_folder(folder: Path) -> None:
    roots = {'DATA': folder.parent}
    assert len(open_dataset(DataSource('folder', f'DATA/{folder.name}'), roots)) == 4
    with pytest.raises(TrainingError, match='needs the folder DATA.*--data DATA=FOLDER'):
        open_dataset(DataSource('folder', 'DATA/x'))
    with pytest.raises(TrainingError, match='needs the folder RAW'):
        open_dataset(DataSource('kitti_depth', 'DATA', images='RAW'), roots)


def test_an_unknown_kind_lists_the_known_ones() -> None:
    with pytest.raises(DatasetError, match='allowed: camvid, scenes, coloured, folder, nyud'):
        open_dataset(DataSource('imagenet', 'x'))


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_an_option_that_means_nothing_to_a_kind_is_refused(kind: str, tmp_path: Path) -> None:
    """Else a split or a scale that nobody reads would train on what it should not."""
    wrong = {
        'split': 'val', 'classes': 'nyud40', 'merge': ('wall',), 'depth_scale': 5.0,
        'images': 'x', 'variant': 'x',
    }  # fmt: skip
    for name in sorted(set(wrong) - KINDS[kind].options):
        with pytest.raises(DatasetError, match=f'{kind} has no {name}'):
            open_dataset(DataSource(kind, str(tmp_path), **{name: wrong[name]}))  # type: ignore[arg-type]


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_every_kind_names_the_folder_that_holds_nothing(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=str(tmp_path)):
        open_dataset(DataSource(kind, str(tmp_path)))
    with pytest.raises(DatasetError, match=str(tmp_path / 'nowhere')):
        open_dataset(DataSource(kind, str(tmp_path / 'nowhere')))


def test_opening_decodes_nothing(folder: Path) -> None:
    for path in folder.rglob('*.png'):
        path.write_bytes(b'damaged')
    samples = open_dataset(DataSource('folder', str(folder)))
    assert len(samples) == 4
    with pytest.raises(DatasetError, match=r'2\.png cannot be decoded'):
        samples[2]


def test_samples_are_a_sequence(folder: Path) -> None:
    samples = open_dataset(DataSource('folder', str(folder)))
    assert [sample.name for sample in samples] == ['0', '1', '2', '3']
    assert samples[-1].name == '3'
    assert [sample.name for sample in samples[1:3]] == ['1', '2']
    assert [sample.name for sample in samples[::-2][:1]] == ['3']
    assert samples.image_path(1) == folder / 'images/1.png'
    with pytest.raises(IndexError):
        samples[4]


def test_a_limit_takes_the_first(folder: Path) -> None:
    samples = open_dataset(DataSource('folder', str(folder), limit=3, focal_length=9))
    assert [(sample.name, sample.focal_length) for sample in samples] == [
        ('0', 9), ('1', 9), ('2', 9),
    ]  # fmt: skip
    assert samples.image_path(2) == folder / 'images/2.png'
    assert len(open_dataset(DataSource('folder', str(folder), limit=30))) == 4


def test_a_cache_reads_each_sample_once(folder: Path) -> None:
    samples = open_dataset(DataSource('folder', str(folder), cache=True))
    first = samples[0]
    check_dataset(samples, 4)
    for path in folder.rglob('*.png'):
        path.unlink()
    assert samples[0] is first
    assert (samples[3].image == 3).all(), 'the check read it'
    with pytest.raises(DatasetError, match='is missing'):
        pickle.loads(pickle.dumps(samples))[0]


@pytest.mark.parametrize('options', [{}, {'cache': True, 'limit': 3, 'focal_length': 5.0}])
def test_samples_are_read_by_other_processes(folder: Path, options: dict) -> None:
    source = DataSource('folder', str(folder), classes='kitti6', **options)
    samples = open_dataset(source)
    with ProcessPoolExecutor(1, get_context('spawn')) as pool:
        sample = pool.submit(getitem, samples, 2).result()
    assert np.unique(sample.labels).tolist() == [2]


def test_the_check_tells_what_there_is(folder: Path) -> None:
    (folder / 'labels/3.png').unlink()
    seen: list[tuple[int, int]] = []
    samples = open_dataset(DataSource('folder', str(folder)))
    contents = check_dataset(samples, 6, lambda done, total: seen.append((done, total)))
    assert (contents.images, contents.labels, contents.depth) == (4, 3, 0)
    assert contents.class_pixels.tolist() == [24, 24, 24, 0, 0, 0]
    assert contents.depth_range == (0, 0)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_check_names_several_files_at_once(folder: Path) -> None:
    for index in range(4):
        (folder / f'labels/{index}.png').unlink()
        cv2.imwrite(str(folder / f'labels/{index}.png'), np.zeros((4, 5), np.uint8))
    for index in range(4, 8):
        cv2.imwrite(str(folder / f'images/{index}.png'), np.zeros((4, 6, 3), np.uint8))
        cv2.imwrite(str(folder / f'labels/{index}.png'), np.full((4, 6), 77, np.uint8))
    with pytest.raises(DatasetError) as caught:
        check_dataset(open_dataset(DataSource('folder', str(folder))), 6)
    text = str(caught.value)
    assert text.startswith('8 of 8 samples are not usable:')
    assert all(str(folder / f'labels/{index}.png') in text for index in range(5))
    assert 'class ids [77]; allowed: 0..5' in text
    assert text.endswith('... and 3 more')


def test_an_id_beyond_the_network_s_classes_is_named(folder: Path) -> None:
    samples = open_dataset(DataSource('folder', str(folder)))
    with pytest.raises(DatasetError, match=r'labels/3\.png holds the class ids \[3\].*0\.\.2'):
        check_dataset(samples, 3)
    assert check_dataset(samples, 0).labels == 4, 'without segmentation labels do not matter'


def test_labels_that_are_all_unlabelled_are_refused(folder: Path) -> None:
    for index in range(4):
        cv2.imwrite(str(folder / f'labels/{index}.png'), np.full((4, 6), 255, np.uint8))
    with pytest.raises(DatasetError, match='No pixel of any label image is labelled'):
        check_dataset(open_dataset(DataSource('folder', str(folder))), 6)


def test_the_check_takes_any_samples() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    with pytest.raises(DatasetError, match='is an empty list'):
        check_dataset([], 6)
    assert check_dataset([Sample('a', image)], 6).images == 1
    with pytest.raises(DatasetError, match=r'a \(depth\).*\(4, 6\).*\(4, 5\)'):
        check_dataset([Sample('a', image, depth=np.ones((4, 5), np.float32))], 6)
    for value in (-1, np.nan, np.inf):
        with pytest.raises(DatasetError, match='a: depth must be 0'):
            check_dataset([Sample('a', image, depth=np.full((4, 6), value, np.float32))], 6)


@pytest.mark.parametrize('ending', ['.png', '.jpg'])
@pytest.mark.parametrize('size', [(1, 1), (375, 1242), (17, 260)])
def test_sizes_are_read_from_the_head_of_a_file(
    tmp_path: Path, ending: str, size: tuple[int, int]
) -> None:
    path = tmp_path / f'a{ending}'
    cv2.imwrite(str(path), np.zeros((*size, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert files.image_size(path) == size


def maps() -> Iterator[str]:
    yield from class_map_names()


@pytest.mark.parametrize('name', maps())
def test_each_map_that_ships_reaches_each_class_of_its_table(name: str) -> None:
    table = load_class_map(name)
    reached = set(table.table[table.table >= 0].tolist()) - {255}
    assert reached == set(range(len(table.classes)))


@pytest.mark.parametrize('name', ['kitti6', 'nyud40'])
def test_the_maps_of_our_own_ids_are_the_tables(name: str) -> None:
    np.testing.assert_array_equal(load_class_map(name).table, identity_map(name).table)


def test_label_ids_and_train_ids_agree_by_name() -> None:
    """training.md: train ids 0..18 are these labelIds."""
    label_ids = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    of_labels = load_class_map('cityscapes19').table
    assert of_labels[label_ids].tolist() == list(range(19))
    for merge in ((), ('terrain', 'trucks', 'wall')):
        six = load_class_map('cityscapes_kitti6', merge).table[label_ids]
        assert load_class_map('cityscapes19_kitti6', merge).table[:19].tolist() == six.tolist()
    names = [item.name for item in load_classes('cityscapes19')]
    ids = yaml.safe_load(config_file('class_maps/cityscapes19.yaml').read_text())['ids']
    assert [ids[number] for number in label_ids] == names


GOOD = {'description': 'x', 'classes': 'kitti6', 'ids': {0: 'a', 1: 'b'}, 'map': {'a': 'sky'}}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'classes': 'kitti7'}, "Class table 'kitti7' does not exist"),
        ({'ids': {-1: 'a'}}, 'ids holds -1; allowed: whole numbers'),
        ({'ids': {'0': 'a'}}, r"ids\.0: got '0'; expected a whole number"),
        ({'ids': [1]}, r'ids: got \[1\]; expected a mapping'),
        ({'map': {'c': 'sky'}}, r"map: \['c'\] are not names of ids; allowed: \['a', 'b'\]"),
        ({'map': {'a': 'sea'}}, r"\['sea'\] are not classes of kitti6; allowed: \['building'"),
        ({'options': {'o': {'c': 'sky'}}}, r"options\.o: \['c'\] are not names"),
        ({'options': {'o': {'b': 'sea'}}}, r"\['sea'\] are not classes of kitti6"),
        ({'maps': {}}, "unknown key 'maps'"),
        ({'ids': None}, "missing key 'ids'"),
    ],
)
def test_a_malformed_class_map_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    path = tmp_path / 'mine.yaml'
    path.write_text(yaml.safe_dump({**GOOD, **change}))
    with pytest.raises(DatasetError, match=message) as caught:
        load_class_map(str(path))
    assert str(path) in str(caught.value)


def test_a_map_of_one_s_own_is_given_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / 'mine.yaml'
    path.write_text(yaml.safe_dump({**GOOD, 'options': {'both': {'b': 'sky'}}}))
    ids = np.array([[0, 1]], np.uint8)
    assert load_class_map(str(path)).apply(ids, 'x').tolist() == [[0, 255]]
    assert load_class_map(str(path), ['both']).apply(ids, 'x').tolist() == [[0, 0]]
    with pytest.raises(DatasetError, match="Class map 'his' does not exist.*camvid_kitti6"):
        load_class_map('his')
    path.write_text('[1')
    with pytest.raises(DatasetError, match=r'mine\.yaml cannot be read as YAML'):
        load_class_map(str(path))
    path.write_text('- 1')
    with pytest.raises(DatasetError, match=r'mine\.yaml: got \[1\]; expected a mapping'):
        load_class_map(str(path))


def test_every_kind_and_map_has_its_place_in_the_documentation() -> None:
    text = (Path(__file__).resolve().parent.parent / 'docs/data.md').read_text(encoding='utf-8')
    assert [kind for kind in KINDS if f'### `{kind}`\n' not in text] == []
    assert [name for name in class_map_names() if f'`{name}`' not in text] == []
