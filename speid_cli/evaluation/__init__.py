"""How good a model is on pairs it has not seen, beside baselines and with what the split leaks."""
