"""Models: fit, predict, explain and evaluate."""
