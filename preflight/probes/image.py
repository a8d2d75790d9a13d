"""Our own image on an engine: the one whose programs and packages the containers of probes use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.gather.engine.client import EngineError

if TYPE_CHECKING:
    from preflight.probes.box import Box

TITLE = "mailcow-preflight"  # the image's name, and its label org.opencontainers.image.title
PYTHON = "/usr/bin/python3"  # is always there in it


def own_image(box: Box, container: str | None) -> str | None:
    """Return the image of the container we run in (its id), else one of that name or title; None: there is none."""
    if container:
        try:
            return str(box.inspect(container)["Image"])
        except (EngineError, KeyError):
            pass  # another engine than the one we are asked about
    try:
        named = box.call(lambda: box.client.inspect_image(TITLE))  # type: ignore[no-untyped-call]  # the stubs' gap
        return str(named["Id"])
    except EngineError as error:
        if error.status != 404:
            raise
    titled = {"label": f"org.opencontainers.image.title={TITLE}"}
    found = box.call(lambda: box.client.images(filters=titled))
    return str(found[0]["Id"]) if found else None
