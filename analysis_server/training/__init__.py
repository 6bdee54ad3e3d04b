"""Training data from folders, projects, edits and matrices."""
