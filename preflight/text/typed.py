"""Make typed values of what a document holds: the one door to msgspec's converter and decoders.

msgspec learns a class when a value is first made of it, and notes on the class what it has learnt so far. A second
thread that comes meanwhile uses the half of it, and the interpreter crashes. So each type is learnt under a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")

_learning = threading.Lock()


@overload
def convert(value: Any, shape: type[T]) -> T: ...
@overload
def convert(value: Any, shape: object) -> Any: ...  # a union, which is no type
def convert(value: Any, shape: Any) -> Any:
    """Make a value of a type from built-in ones; raise `msgspec.ValidationError`."""
    _decoder(shape)
    return msgspec.convert(value, shape)


def decode(data: bytes | str, shape: type[T]) -> T:
    """Make a value of a type from JSON; raise `msgspec.MsgspecError`, `RecursionError` or `UnicodeDecodeError`."""
    made: T = _decoder(shape).decode(data)
    return made


def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    with _learning:
        return _learnt(shape)


@cache
def _learnt(shape: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)
