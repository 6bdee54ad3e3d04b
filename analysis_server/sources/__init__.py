"""Songs from folders and projects."""
