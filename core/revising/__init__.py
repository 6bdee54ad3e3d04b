"""What came of a run: audited, edited, merged with what the user drew, compared."""
