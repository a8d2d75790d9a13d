"""The page's own files beside the template: its style and its script, as they stand, and the hashes that allow them."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup


@cache
def source(name: str) -> str:
    """Return one of our own files beside the template."""
    from importlib.resources import files

    return files("preflight.render").joinpath("templates", name).read_text("utf-8")


def as_it_stands(source: str) -> Markup:
    from markupsafe import Markup

    return Markup(source)


def policy_hash(source: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"
