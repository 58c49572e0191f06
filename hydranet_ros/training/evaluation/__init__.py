"""
``hydranet eval``: a model measured on data sets, clear and under each adverse corruption.

::

    run.py          data sets x conditions x images, one progress bar, stopped by Ctrl-C
    predictors.py   a checkpoint or an exported model -> what it says of an image
    tally.py        one image after the other -> the figures of a set
    crops.py        the part of an image whose depth counts
    published.py    the paper's rows (config/evaluation/published.yaml)
    tables.py       the figures as tables
    report.py       the figures as JSON
    sheet.py        the best and worst images as a picture

The sums themselves are in :mod:`hydranet_ros.training.metrics`; the training loop measures with
:mod:`hydranet_ros.training.validation`.
"""
