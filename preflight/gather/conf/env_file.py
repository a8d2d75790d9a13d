"""What Docker Compose finds as `.env` beside mailcow.conf: in mailcow's clone it is a link to that file."""

from __future__ import annotations

from preflight.facts import EnvFile
from preflight.gather.access.roots import Roots, Unreadable
from preflight.mailcow.plan import DEFAULT_CONF

FILE_BYTES = 1 << 20  # that are compared
CLONE = ("docker-compose.yml", "generate_config.sh")  # in the top directory of mailcow's repository


def env_file(roots: Roots, conf: str) -> EnvFile | None:
    """Look at `.env` in mailcow's directory; None: this is no such directory, or it cannot be looked at.

    A file of another name than mailcow.conf, or one that somebody keeps elsewhere, has no `.env` of mailcow's.
    """
    folder, _, name = conf.rpartition("/")
    if roots.root is None or name != "mailcow.conf":
        return None
    try:
        clone = all(roots.exists(f"{folder}/{file}") for file in CLONE)
        if not clone and conf != DEFAULT_CONF:
            return None
        return _seen(roots, f"{folder}/.env", conf, clone)
    except Unreadable:
        return None


def _seen(roots: Roots, path: str, conf: str, clone: bool) -> EnvFile:
    target = roots.link(path)
    if target is not None:
        return EnvFile(path, "link", target, roots.locate(path) == roots.locate(conf), clone)
    if not roots.exists(path):
        return EnvFile(path, "absent", clone=clone)
    try:
        return EnvFile(path, "file", same=roots.read(path, FILE_BYTES) == roots.read(conf, FILE_BYTES), clone=clone)
    except Unreadable as error:
        # Of a file of its own it is enough to know that it is one; what is no file cannot be read as settings.
        regular = error.path == conf or error.cause == "denied"
        return EnvFile(path, "file" if regular else "other", same=False, clone=clone)
