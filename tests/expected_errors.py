"""Compare the fields of errors instead of their wording."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.errors import FaderwiseError, InputError


@contextmanager
def raises_error(
    kind: type[FaderwiseError] = InputError,
    *,
    path: str | None = None,
    option: str | None = None,
    facts: tuple[str, ...] = (),
    remedy_facts: tuple[str, ...] = (),
) -> Iterator[pytest.ExceptionInfo[FaderwiseError]]:
    """Require that the block raises an error with these fields.

    Parameters
    ----------
    path : the file name of the error's path; None if the error must have no path.
    option : the error's option; None if it must have none.
    facts, remedy_facts : values that the problem and the remedy must contain, such as names and times; not their
        wording.
    """
    with pytest.raises(kind) as caught:
        yield caught
    error = caught.value
    assert (None if error.path is None else Path(error.path).name) == path
    assert error.option == option
    assert [fact for fact in facts if fact not in error.problem] == []
    assert [fact for fact in remedy_facts if fact not in (error.remedy or "")] == []
