"""Probabilities from a trained network, and how good they are."""
