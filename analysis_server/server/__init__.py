"""The analysis server: jobs over a socket, done by worker processes.

docs/reference/protocol.md is what it speaks; docs/development/server.md tells how it works. A module a concern:
`messages` (what is said), `keys`, `connection`, `authenticator` (who may), `router` (the socket loop), `desk` (short
work beside the loop), `jobs` (queue and states), `pool`, `worker`, `work` (worker processes), `inputs`, `cache`,
`known_files` (what was done before), `uploads`, `logs`.
"""
