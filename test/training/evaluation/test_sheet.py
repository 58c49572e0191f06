"""The contact sheet of an evaluation."""

from __future__ import annotations

from pathlib import Path

import cv2

from hydranet_ros.training.adverse import CORRUPTIONS
from hydranet_ros.training.evaluation.run import CLEAR, EvalOptions, evaluate
from hydranet_ros.training.evaluation.sheet import choose, sheet, write_sheet


def test_the_best_and_worst_images_come_first_then_the_corruptions(measured) -> None:
    result = measured.results[0]
    choices = choose(result, count=2)
    clear = [choice for choice in choices if choice.condition == CLEAR]
    assert len({choice.index for choice in clear}) == len(clear)
    by_miou = sorted(range(7), key=lambda i: -result.images[i][CLEAR]['miou'])
    assert [choice.index for choice in clear[:4]] == [*by_miou[:2], *by_miou[:-3:-1]]
    assert [choice.condition for choice in choices if choice not in clear] == list(CORRUPTIONS)


def test_a_title_names_rank_image_and_metric(measured) -> None:
    result = measured.results[0]
    titles = [choice.title for choice in choose(result, count=1)]
    assert titles[0] == 'best 1: 0, mIoU 100.0 %'
    assert titles[1].startswith('worst 1: 6, mIoU ')
    assert [title.split(':')[0] for title in titles[-len(CORRUPTIONS) :]] == list(CORRUPTIONS)


def test_the_median_image_is_shown_under_each_corruption(measured) -> None:
    result = measured.results[0]
    by_miou = sorted(range(7), key=lambda i: -result.images[i][CLEAR]['miou'])
    corrupted = [choice.index for choice in choose(result) if choice.condition != CLEAR]
    assert corrupted == [by_miou[3]] * len(CORRUPTIONS)


def test_few_images_are_shown_once(tiny_model: Path, truth: str) -> None:
    evaluation = evaluate(str(tiny_model), [truth], EvalOptions(limit=2))
    assert sorted(choice.index for choice in choose(evaluation.results[0])) == [1, 5]


def test_the_sheet_is_written_as_it_is_drawn(tmp_path: Path, measured) -> None:
    write_sheet(tmp_path / 'sheet.png', measured)
    written = cv2.imread(str(tmp_path / 'sheet.png'))
    drawn = sheet(measured)
    assert (written[..., ::-1] == drawn).all()
    assert drawn.std() > 10
