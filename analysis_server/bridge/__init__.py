"""The application's side of REAPER's actions: a process that works on one job folder and then leaves.

`python -m analysis_server.bridge JOB_FOLDER`: `job_file` is what the bridge asks and what it is answered, `planning`
finds the buses and what stands on them, `doing` has the server do the verb on the project's copy, `instructions` says
what in the open project must change to become what the verb wrote. docs/bridge.md describes the folder.
"""
