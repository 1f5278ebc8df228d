"""The parts of the benchmark `python -m tests.benchmarks.dispatch`."""
