"""Scores of pairs from a trained network."""
