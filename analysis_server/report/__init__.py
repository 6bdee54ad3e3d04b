"""HTML reports: their content, charts and sounds, and the figures of an evaluation."""
