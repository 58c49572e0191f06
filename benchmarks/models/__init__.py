"""Networks and model files that several suites compare."""
