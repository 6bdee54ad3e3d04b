"""One module a command: options, request and printed result."""
