"""How an action ends before its time."""


class Trouble(Exception):  # noqa: N818 - not a fault of the program
    """What the user must be told: a sentence with the remedy. `keeps_job`: the job can be gone on with later."""

    def __init__(self, sentence: str, keeps_job: bool = False) -> None:
        super().__init__(sentence)
        self.keeps_job = keeps_job


class Stopped(Exception):  # noqa: N818 - the user's wish
    """The user wants no more of it."""
