"""Run a job of REAPER's bridge: `python -m analysis_server.reaper JOB_FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from analysis_server.reaper.heartbeat import AtWork, at_work, put
from analysis_server.reaper.job_file import Answer, Failure, JobFile, in_reaper, read_job
from core.errors import Cancelled, FaderwiseError, InputError, ServerError, to_user_error


def main(folder: Path) -> int:
    """Answer the job in a folder; return the exit code. What cannot be answered is the last line of standard error."""
    try:
        with at_work(folder) as work:
            answer = answered(folder, work)
    except KeyboardInterrupt:
        answer = _cancelled()
    try:
        put(folder / "result.json", answer)
    except OSError as error:
        if folder.exists():  # else nobody waits for it
            sys.stderr.write(f"its answer cannot be written: {error.strerror}; free some space\n")
        return 1
    return 1 if answer.error else 0


def answered(folder: Path, work: AtWork) -> Answer:
    """Return the answer to the job in a folder; what the user can help with is one, too."""
    job: JobFile | None = None
    try:
        job = read_job(folder)
        if job.phase == "plan":
            from analysis_server.reaper.inspect_project import plan  # noqa: PLC0415 - quick without the verbs

            return Answer(plan=plan(job))
        from analysis_server.reaper.run_job import do  # noqa: PLC0415

        return Answer(do=do(job, folder, work.tell))
    except (Cancelled, KeyboardInterrupt):
        return _cancelled()
    except (FaderwiseError, OSError, RuntimeError, ValueError) as error:
        told = to_user_error(error)
        if not isinstance(told, (FaderwiseError, OSError)):
            raise
        return Answer(error=Failure(message=_sentence(str(told), job), code=_code_of(told)))


def _sentence(text: str, job: JobFile | None) -> str:
    told = in_reaper(text, job) if job else text
    return f"{told[:1].upper()}{told[1:]}{'' if told.endswith('.') else '.'}"


def _code_of(error: BaseException) -> str:
    if isinstance(error, ServerError):
        return error.code
    return "input" if isinstance(error, InputError) else "internal"


def _cancelled() -> Answer:
    return Answer(error=Failure(message="Cancelled; nothing was changed.", code="cancelled"))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
