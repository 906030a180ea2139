"""Asking io for a job on behalf of a client. io's rules hold: one change-over at a time, and the PLC comes first."""

import asyncio
import itertools
import random

from ..bus.messages import JobAnswer, JobAsk
from .opcua_line import WHO

ASKED = 16
"""Requests that may be open at a time."""


class TooManyError(Exception):
    """So many clients ask at once that one more is refused."""


class JobDesk:
    """Open requests by token. One event loop."""

    def __init__(self, jobs: dict[int, str]) -> None:
        """jobs: name of the recipe by job number."""
        self._jobs = jobs
        # Another start of this process must not be taken for the one before, whose answers io remembers.
        self._tokens = itertools.cycle(range(1, 65536))
        for _ in range(random.randrange(65535)):
            next(self._tokens)
        self._open: dict[int, tuple[JobAsk, asyncio.Future[JobAnswer]]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names that a job can be asked for by, in the order of the numbers."""
        return tuple(dict.fromkeys(name for _, name in sorted(self._jobs.items())))

    def number_of(self, asked: str) -> int | None:
        """The job of that recipe's name, or of that number in digits; None: there is none."""
        for number, name in sorted(self._jobs.items()):
            if asked == name:
                return number
        return int(asked) if asked.isdecimal() and int(asked) in self._jobs else None

    def name_of(self, number: int) -> str:
        """The recipe's name of a job."""
        return self._jobs.get(number, str(number))

    def ask(self, number: int) -> tuple[JobAsk, "asyncio.Future[JobAnswer]"]:
        """Make a request; the caller sends it. TooManyError."""
        if len(self._open) >= ASKED:
            raise TooManyError(f"{ASKED} requests are open")
        ask = JobAsk(number, next(self._tokens), WHO)
        answer: asyncio.Future[JobAnswer] = asyncio.get_running_loop().create_future()
        self._open[ask.token] = ask, answer
        return ask, answer

    def again(self) -> list[JobAsk]:
        """What has no answer yet: to be said again, for io may not have heard it. io answers each token once."""
        return [ask for ask, _ in self._open.values()]

    def take(self, answer: JobAnswer) -> bool:
        """Take what io says. True: it answers one of ours."""
        if answer.who != WHO or answer.token not in self._open:
            return False
        _, future = self._open.pop(answer.token)
        if not future.done():
            future.set_result(answer)
        return True

    def drop(self) -> None:
        """Another io runs now: nobody will answer what was asked of the one before."""
        for ask, future in self._open.values():
            if not future.done():
                future.set_result(JobAnswer(ask.number, ask.token, False, "io was started again", WHO))
        self._open.clear()
