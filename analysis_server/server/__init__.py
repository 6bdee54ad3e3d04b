"""The analysis server: runs verbs as jobs in worker processes, and the client that talks to it.

docs/reference/protocol.md defines the messages and docs/development/architecture.md explains the processes. `server`
is the socket loop, `jobs` the queue, `workers` and `worker` the two ends of a worker process, `verb_table` what jobs
can run.
"""
