"""Benchmarks of the Python side."""
