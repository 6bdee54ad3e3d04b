"""What songs teach: folders, projects, hand-made edits and training matrices; learned here, or on a dask cluster."""
