"""Measuring machinery that all suites share."""
