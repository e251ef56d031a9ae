"""Promise: what runs beside the reading thread comes back in order, whole, within bounds; errors and Ctrl-C end it."""

import sys
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.overlap import StopCheck, overlapped, threads_beside


@pytest.fixture(autouse=True)
def _no_thread_and_no_setting_is_left() -> Iterator[None]:
    before = threading.active_count(), sys.getswitchinterval()
    yield
    assert (threading.active_count(), sys.getswitchinterval()) == before


@given(
    durations=st.lists(st.integers(0, 2), max_size=12),
    threads=st.integers(0, 3),
    most=st.integers(0, 8),
)
def test_every_item_comes_back_once_and_in_order(durations: list[int], threads: int, most: int) -> None:
    def work(item: tuple[int, int], check: StopCheck) -> int:
        time.sleep(item[1] / 1000)
        return item[0] * item[0]

    items = list(enumerate(durations))
    outcomes = overlapped(iter(items), work, threads=threads, size_of=lambda _: 1, most=most)
    assert list(outcomes) == [(item, item[0] ** 2) for item in items]


@given(sizes=st.lists(st.integers(1, 9), max_size=20), threads=st.integers(0, 3), most=st.integers(0, 20))
def test_what_is_under_way_is_bounded(sizes: list[int], threads: int, most: int) -> None:
    under_way = 0

    def drawn() -> Iterator[int]:
        nonlocal under_way
        for size in sizes:
            assert under_way <= most
            under_way += size
            yield size

    for size, _ in overlapped(drawn(), lambda item, check: None, threads=threads, size_of=int, most=most):
        under_way -= size
    assert under_way == 0


def test_the_first_item_that_takes_long_holds_the_rest_within_bounds() -> None:
    started, release = threading.Event(), threading.Event()
    drawn: list[int] = []
    drawn_before_release: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            drawn.append(number)
            yield number
            assert started.wait(10)  # in the other thread, for this one is here

    def work(number: int, check: StopCheck) -> int:
        if number == 0:
            started.set()
            assert release.wait(10)
        return number

    def let_go() -> None:
        drawn_before_release.append(len(drawn))
        release.set()

    timer = threading.Timer(0.2, let_go)
    timer.start()
    outcomes = overlapped(items(), work, threads=1, size_of=lambda _: 1, most=7)
    assert [number for number, _ in outcomes] == [*range(100)]
    assert drawn_before_release == [8]
    timer.join()


def test_the_calling_thread_lends_a_hand() -> None:
    caller, helped = threading.get_ident(), threading.Event()

    def work(number: int, check: StopCheck) -> int:
        if threading.get_ident() == caller:
            helped.set()
        else:
            assert helped.wait(10)  # the other thread is busy until the calling one has worked too
        return number

    assert len(list(overlapped(range(5), work, threads=1, size_of=lambda _: 1, most=100))) == 5
    assert helped.is_set()


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_an_error_comes_in_the_place_of_its_result(threads: int) -> None:
    def work(number: int, check: StopCheck) -> int:
        if number == 5:
            raise ValueError("five")
        return number

    results: list[int] = []
    with closing(overlapped(range(9), work, threads=threads, size_of=lambda _: 1, most=100)) as outcomes:
        with pytest.raises(ValueError, match="five"):
            for _, result in outcomes:
                results.append(result)
    assert results == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_an_error_of_the_items_is_raised_at_once(threads: int) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("unreadable")

    def work(number: int, check: StopCheck) -> None:
        while threads:  # until it is given up
            check(1)
            time.sleep(0.001)

    with pytest.raises(OSError, match="unreadable"):
        list(overlapped(items(), work, threads=threads, size_of=lambda _: 1, most=100))


def test_what_is_wanted_no_more_is_given_up() -> None:
    started, ended = threading.Event(), threading.Event()

    def work(number: int, check: StopCheck) -> None:
        if number == 0:
            return
        started.set()
        try:
            while True:
                check(1)
                time.sleep(0.001)
        finally:
            ended.set()

    outcomes = overlapped(range(2), work, threads=2, size_of=lambda _: 1, most=0)
    next(outcomes)
    outcomes.close()
    assert ended.is_set() or not started.is_set()


@pytest.mark.parametrize("threads", [0, 1])
def test_an_interrupt_in_the_calling_thread_does_not_wait_for_its_turn(threads: int) -> None:
    caller = threading.get_ident()

    def work(number: int, check: StopCheck) -> None:
        if threading.get_ident() == caller:
            raise KeyboardInterrupt
        while True:
            check(1)
            time.sleep(0.001)

    with pytest.raises(KeyboardInterrupt):
        list(overlapped(range(9), work, threads=threads, size_of=lambda _: 1, most=100))


def test_items_are_let_go() -> None:
    class Item:
        pass

    alive: list[weakref.ref[Item]] = []

    def items() -> Iterator[Item]:
        for _ in range(20):
            item = Item()
            alive.append(weakref.ref(item))
            yield item
            del item

    most = 0
    for outcome in overlapped(items(), lambda item, check: None, threads=1, size_of=lambda _: 1, most=2):
        del outcome
        most = max(most, sum(reference() is not None for reference in alive))
    assert most <= 4


def test_no_items_no_results() -> None:
    nothing: Sequence[int] = []
    assert list(overlapped(nothing, lambda item, check: item, threads=2, size_of=int, most=1)) == []


def test_where_the_system_allows_no_thread_the_calling_one_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    outcomes = overlapped(range(9), lambda item, check: item * 2, threads=3, size_of=int, most=5)
    assert [result for _, result in outcomes] == [*range(0, 18, 2)]


def test_there_is_a_thread_for_each_further_core(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, threads in [(1, 0), (2, 1), (4, 3), (64, 8)]:
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)), raising=False)
        assert threads_beside() == threads
