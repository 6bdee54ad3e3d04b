"""The verbs' sentences in REAPER's terms: no options of the command line, no names of the copy that is worked on."""

from __future__ import annotations

import re

from analysis_server.bridge.job_file import JobFile

_CHOSEN = re.compile(r"--bus (\S[^=]*)=([^:]*): ")
_OPTION_CLAUSE = re.compile(r"(?:[;,](?: or| and)?|\.) (?:(?![;:] )[^;])*?--[a-z][^;]*")


def in_reaper(sentence: str, job: JobFile) -> str:
    """Return a sentence of a verb as REAPER's user should read it."""
    for path in (job.project, job.project.replace("\\", "/")):
        sentence = sentence.replace(path, job.title)
    sentence = _CHOSEN.sub(r"\1 = \2: ", sentence.replace("--bus: ", ""))
    return _OPTION_CLAUSE.sub("", sentence)
