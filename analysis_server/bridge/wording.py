"""The verbs' sentences in REAPER's terms: no options of the command line, no names of the copy that is worked on."""

from __future__ import annotations

import re

from analysis_server.bridge.job_file import JobFile

_FRONT = re.compile(r"(^|: )--(?:bus\b:? ?)?(?=\S)")
_BETWEEN_CLAUSES = re.compile(r"(; or |; |, or |\. |, use (?=--))")
_OPTION = re.compile(r"--[a-z]")


def in_reaper(sentence: str, job: JobFile) -> str:
    """Return a sentence of a verb as REAPER's user should read it: clauses that name an option are left out."""
    for path in filter(None, (job.project, job.project.replace("\\", "/"))):
        sentence = sentence.replace(path, job.title)
    first, *rest = _BETWEEN_CLAUSES.split(_FRONT.sub(r"\1", sentence))
    clauses = zip(rest[::2], rest[1::2], strict=True)
    return "".join([first, *(between + clause for between, clause in clauses if not _OPTION.search(clause))])
