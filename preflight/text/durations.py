"""Times and how people read them: 28 ms, 31.5 s, 1 h 5 min."""

from __future__ import annotations

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def duration(seconds: float) -> str:
    """Write a time without its sign, in two units at most; below two minutes in seconds alone."""
    whole = abs(seconds)
    if whole < 0.9995:
        return f"{whole * 1000:.0f} ms"
    if whole < 120:
        return f"{whole:.1f} s"
    left, parts = round(whole), list[tuple[int, str]]()
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count)
