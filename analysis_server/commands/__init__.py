"""The commands, by topic: options, request and printed result."""
