"""Pre-training and fine-tuning: two settings of one loop."""
