"""Numbers and arrival times are read from the message info of every release."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hydranet_ros.ros.message_info import message_number, received_at

GID = (1, 15, 2)


def as_object(number: object, gid: object = None) -> SimpleNamespace:
    return SimpleNamespace(publication_sequence_number=number, publisher_gid=gid)


@pytest.mark.parametrize(
    'info',
    [
        {'publication_sequence_number': 7, 'publisher_gid': {'data': list(GID)}},
        {'publication_sequence_number': 7, 'publisher_gid': list(GID)},
        as_object(7, SimpleNamespace(data=list(GID))),
        as_object(7, GID),
    ],
    ids=['nested dict', 'dict', 'nested object', 'object'],
)
def test_publisher_and_number_are_read_from_every_form(info):
    assert message_number(info) == (GID, 7)


@pytest.mark.parametrize(
    'info', [{'publication_sequence_number': 7}, as_object(7), as_object(7, ())]
)
def test_an_unknown_publisher_is_empty(info):
    assert message_number(info) == ((), 7)


@pytest.mark.parametrize(
    ('number', 'expected'),
    [(None, None), (0, None), (-1, None), (2**63, None), ('7', None), (1, 1),
     (2**63 - 1, 2**63 - 1)],
)  # fmt: skip
def test_a_number_that_the_middleware_does_not_set_is_ignored(number, expected):
    found = message_number(as_object(number, GID))
    assert found == (None if expected is None else (GID, expected))


def test_without_any_info_there_is_no_number_and_no_time():
    assert message_number({}) is None and message_number(object()) is None
    assert received_at({}) == received_at(object()) == 0.0


@pytest.mark.parametrize('value', [None, 0])
def test_an_unset_arrival_time_is_zero(value):
    assert received_at({'received_timestamp': value}) == 0.0
    assert received_at(SimpleNamespace(received_timestamp=value)) == 0.0


def test_the_arrival_time_is_in_seconds():
    assert received_at({'received_timestamp': 2_500_000_000}) == 2.5
    assert received_at(SimpleNamespace(received_timestamp=2_500_000_000)) == 2.5
