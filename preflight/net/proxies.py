"""Proxies as programs are told of them: HTTP_PROXY and HTTPS_PROXY, in capitals or not. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES = ("HTTP_PROXY", "HTTPS_PROXY")
_LONGEST = 300


def proxies(values: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies among settings by their names in capitals, each as `scheme://host:port`: no user, no path."""
    found = {name: proxy(values.get(name.lower()) or values.get(name) or "") for name in NAMES}
    return {name: value for name, value in found.items() if value}


def proxy(value: str) -> str:
    """Return what is left of a proxy's address without its user and path; '' where it is none."""
    text = value.strip().strip("\"'")
    match = re.fullmatch(r"(?:([a-z0-9]{1,10})://)?(?:[^/\s]*@)?([^/@\s?#]+)(?:/.*)?", text, re.ASCII | re.IGNORECASE)
    if match is None or len(text) > _LONGEST:
        return ""
    return f"{(match[1] or 'http').lower()}://{match[2]}"
