"""Benchmark suites, one folder each; ``suite.run`` is the entry of each."""
