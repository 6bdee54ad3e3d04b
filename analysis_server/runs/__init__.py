"""What a run leaves behind, in a folder or in a project."""
