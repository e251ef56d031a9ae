"""Work that runs beside the thread that prepares it: results in order, memory bounded, errors and Ctrl-C at once.

Scoring reads and tokenises in Python, which one thread can do at a time, and computes in code that other threads can
run meanwhile. The thread that prepares lends a hand whenever more is waiting than the others can take, so that no core
is idle on either side, whatever the ratio of the two costs.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Generic, Self, TypeVar

MOST_THREADS = 8
"""Beside the thread that prepares, which keeps no more of them busy."""
_SWITCH_SECONDS = 0.0005  # how long a thread back from the network waits for the one that runs Python; 0.005 by default

Item = TypeVar("Item")
Result = TypeVar("Result")

StopCheck = Callable[[int], None]
"""Called by the work between its parts, with a count that is ignored; raises where the work is to be given up."""


def threads_beside() -> int:
    """Return how many threads can work beside the calling one: as many as it has further cores, up to 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores - 1, MOST_THREADS)


class _GivenUpError(Exception):
    """The work is wanted no more."""


class _Task(Generic[Item, Result]):
    """One item under way; ``done`` once it has its result or its error."""

    def __init__(self, item: Item, size: int) -> None:
        self.item = item
        self.size = size
        self.done = False
        self.error: BaseException | None = None
        self._result: list[Result] = []

    def run(
        self, work: Callable[[Item, StopCheck], Result], check: StopCheck, kept_errors: type[BaseException]
    ) -> None:
        """Do the work; an error of the kind that is kept is raised where the result is asked for, others at once."""
        try:
            self._result.append(work(self.item, check))
        except kept_errors as error:
            self.error = error

    def result(self) -> Result:
        if self.error is not None:
            raise self.error
        return self._result[0]


class _Crew(Generic[Item, Result]):
    """The threads, and the tasks that wait for one; a context manager that leaves no thread behind."""

    def __init__(self, work: Callable[[Item, StopCheck], Result], threads: int) -> None:
        self._work = work
        self._changed = threading.Condition()
        self._waiting: deque[_Task[Item, Result]] = deque()
        self._stopping = False
        self._wanted_threads = threads
        self._threads: list[threading.Thread] = []
        self._switch_seconds = sys.getswitchinterval()

    def __enter__(self) -> Self:
        for _ in range(self._wanted_threads):
            thread = threading.Thread(target=self._take_tasks, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system allows no more; fewer do the same work
                break
            self._threads.append(thread)
        if self._threads:
            sys.setswitchinterval(_SWITCH_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._stopping = True
            self._waiting.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        if self._threads:
            sys.setswitchinterval(self._switch_seconds)

    def submit(self, task: _Task[Item, Result]) -> None:
        """Hand a task over; run the one that has waited longest where there are more than the threads can take."""
        with self._changed:
            self._waiting.append(task)
            self._changed.notify_all()
            crowded = len(self._waiting) > len(self._threads)
        if crowded:
            self._run_next()

    def finish(self, task: _Task[Item, Result]) -> None:
        """Return when the task is done; run what waits meanwhile."""
        while not task.done:
            if not self._run_next():
                with self._changed:
                    self._changed.wait_for(lambda: task.done)

    def _run_next(self) -> bool:
        with self._changed:
            if not self._waiting:
                return False
            task = self._waiting.popleft()
        self._run(task, Exception)  # Ctrl-C comes to the calling thread and is not to wait for its turn
        return True

    def _run(self, task: _Task[Item, Result], kept_errors: type[BaseException]) -> None:
        task.run(self._work, self._check, kept_errors)
        with self._changed:
            task.done = True
            self._changed.notify_all()

    def _take_tasks(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                task = self._waiting.popleft()
            self._run(task, BaseException)
            del task  # or it would be kept until the next one comes

    def _check(self, count: int) -> None:
        if self._stopping:
            raise _GivenUpError


def overlapped(
    items: Iterable[Item],
    work: Callable[[Item, StopCheck], Result],
    *,
    threads: int,
    size_of: Callable[[Item], int],
    most: int,
) -> Generator[tuple[Item, Result], None, None]:
    """Yield each item with its result, in order. Close the generator to give up what is under way.

    Items are drawn in the calling thread. An error of the work is raised in the place of its result; items after it
    are dropped.

    Args:
        items: what to work on.
        work: called from several threads at a time; gets an item and a check to call now and then, which ends the
            work by an exception once it is wanted no more.
        threads: beside the calling one; with 0 the calling one works item by item.
        size_of: the memory that an item takes, in units of the caller's.
        most: no further item is drawn while those under way, finished ones that wait for their turn included, are
            larger than this together.
    """
    under_way: deque[_Task[Item, Result]] = deque()
    size = 0
    with _Crew(work, threads) as crew:
        for item in items:
            task: _Task[Item, Result] = _Task(item, size_of(item))
            under_way.append(task)
            size += task.size
            crew.submit(task)
            del item, task  # large; to be gone while the next one is drawn
            while under_way and (under_way[0].done or size > most):
                crew.finish(under_way[0])
                size -= under_way[0].size
                yield _outcome(under_way.popleft())
        while under_way:
            crew.finish(under_way[0])
            yield _outcome(under_way.popleft())


def _outcome(task: _Task[Item, Result]) -> tuple[Item, Result]:
    return task.item, task.result()
