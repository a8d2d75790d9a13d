"""Errands: whoever sent for something can stop waiting; the call itself is never interrupted."""

from __future__ import annotations

import threading
import time

import pytest

from preflight.gather.access.errand import Errand, Stopped


def soon() -> float:
    return time.monotonic() + 5.0


def test_what_the_call_returns_comes_back_as_often_as_it_is_asked_for() -> None:
    errand = Errand(lambda: [threading.current_thread().daemon])
    assert errand.get(soon()) == [True]
    assert errand.get(soon(), threading.Event()) is errand.get(0.0)


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3), TimeoutError("its own")])
def test_what_the_call_raises_is_raised_where_it_is_waited_for(error: BaseException) -> None:
    def call() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        Errand(call).get(soon())
    assert caught.value is error


def test_a_call_that_hangs_costs_no_more_than_the_deadline() -> None:
    release, began = threading.Event(), time.monotonic()
    errand = Errand(lambda: release.wait(10))
    with pytest.raises(TimeoutError):
        errand.get(began + 0.1)
    with pytest.raises(TimeoutError):
        errand.get(began - 100.0)
    assert not errand.wait(0.05)
    assert 0.1 <= time.monotonic() - began < 8.0
    release.set()
    assert errand.wait(5.0)
    assert errand.get(0.0) is True


def test_waiting_ends_at_once_when_the_run_is_being_ended() -> None:
    release, stop = threading.Event(), threading.Event()
    errand = Errand(lambda: release.wait(10))
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        errand.get(soon(), stop)
    assert time.monotonic() - began < 8.0
    release.set()
    assert errand.get(soon()) is True


def test_an_answer_that_is_there_is_given_even_then() -> None:
    stop = threading.Event()
    stop.set()
    errand = Errand(lambda: "there")
    assert errand.wait(5.0)
    assert errand.get(soon(), stop) == "there"
