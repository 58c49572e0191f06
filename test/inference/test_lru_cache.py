"""A small LRU cache."""

from __future__ import annotations

from hydranet_ros.inference.lru_cache import LruCache


def test_a_value_is_made_once_and_returned_again():
    made = []
    cache: LruCache[str] = LruCache(2)
    for _ in range(3):
        assert cache.get('a', lambda: made.append(1) or 'value') == 'value'
    assert made == [1]


def test_the_least_recently_used_value_is_dropped():
    cache: LruCache[int] = LruCache(2)
    for key in 'ab':
        cache.get(key, lambda: 0)
    cache.get('a', lambda: 1)
    cache.get('c', lambda: 0)
    assert cache.get('a', lambda: 9) == 0
    assert cache.get('b', lambda: 9) == 9


def test_as_many_values_as_the_limit_are_kept():
    cache: LruCache[int] = LruCache(3)
    for key in (1, 2, 3):
        cache.get(key, lambda: 0)
    assert [cache.get(key, lambda: 9) for key in (1, 2, 3)] == [0, 0, 0]


def test_clearing_drops_every_value():
    cache: LruCache[int] = LruCache(2)
    cache.get('a', lambda: 1)
    cache.clear()
    assert cache.get('a', lambda: 2) == 2
