"""The tables beside the requirements: what mailcow's documents and others name, each with its source and date."""

from __future__ import annotations

import os
import tomllib
from typing import TypeVar

from preflight.text.typed import convert

FOLDER = os.path.dirname(__file__)
T = TypeVar("T")


def table(name: str, shape: type[T]) -> T:
    """Return a table of the package."""
    with open(os.path.join(FOLDER, name), "rb") as file:
        return convert(tomllib.load(file), shape)
