"""What a trained model has learnt, and what a variant changes."""
