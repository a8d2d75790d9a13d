"""What an image is for, by its name. Redaction leaves as much of a name as tells that: advice stays the same."""

from __future__ import annotations

from preflight.checks.holders.known_programs import IMAGES, WayKind

_KINDS: dict[str, WayKind] = {name: kind for kind, names in IMAGES.items() for name in names.split()}
# Images of whole mail servers, by what is in the last two parts of their names.
_MAIL = (
    "docker-mailserver", "poste.io", "mailu", "iredmail", "stalwart", "mail-server", "modoboa", "maddy", "zimbra",
    "mailserver", "mailcow/",
)  # fmt: skip


def way_in(image: str) -> WayKind | None:
    """Say which kind of a way in an image is for; None: none that is known."""
    return _KINDS.get(_last(image))


def serves_mail(image: str) -> bool:
    """Say whether an image is known as that of a mail server."""
    return _mail(image) is not None


def telling(image: str) -> str:
    """Return the part of a name that tells what the image is for, '' where none does; '…/' is a beginning."""
    return _last(image) if way_in(image) else _mail(image) or ""


def _last(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _mail(image: str) -> str | None:
    name = "/".join(image.partition("@")[0].split("/")[-2:])
    return next((part for part in _MAIL if part in name), None)
