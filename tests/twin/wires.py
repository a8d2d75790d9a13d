"""Sockets of netlink behind which there is no kernel."""

from __future__ import annotations

from typing import Self


class NoWire:
    """A wire that is none: it opens and closes."""

    def __init__(self, _: int) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
