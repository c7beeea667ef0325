"""Trains the evidence reader: `python -m evals.training`."""
