"""
``hydranet eval``: measure a model on data sets, on clear and on corrupted images.

::

    run.py          measure every image of every data set under every condition
    predictors.py   predict an image with a checkpoint or an exported model
    tally.py        accumulate the metrics of a data set
    crops.py        the part of an image whose depth counts
    published.py    published metrics (config/evaluation/published.yaml)
    tables.py       metrics as tables
    report.py       metrics as JSON
    sheet.py        the best and worst images as a contact sheet

:mod:`hydranet_ros.training.metrics` computes the metrics,
:mod:`hydranet_ros.training.metric_table` registers their names, units and directions. The
training loop uses :mod:`hydranet_ros.training.validation`.
"""
