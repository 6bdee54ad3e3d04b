"""Gains from a mixdown: how it hangs together with its stems, and least squares."""
