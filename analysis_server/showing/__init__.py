"""What verbs found, made ready for a page."""
