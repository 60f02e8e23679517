"""Coordinates, sequence and the text formats that carry them. Nothing here imports torch."""
