"""How an amount of memory or disk is told."""

from __future__ import annotations


def gib(size: float) -> str:
    """Return bytes in GiB: with one digit behind the point, of less than one GiB two."""
    return f"{size / (1 << 30):.{1 if size >= 1 << 30 or not size else 2}f} GiB"
