"""Models: learned, asked, explained and compared."""
