"""Write the outcome of a run."""
