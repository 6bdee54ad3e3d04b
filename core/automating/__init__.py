"""From gain curves to points and to a rendered mix, and what a mix measures."""
