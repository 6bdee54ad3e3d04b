"""The analysis server: runs verbs as jobs in worker processes, and the client that talks to it.

docs/reference/protocol.md defines the messages, and docs/development/architecture.md explains the processes and lists
the modules.
"""
