"""Pseudonyms for names in the DNS: with as many labels, below the same domain, and as good or as bad."""

from __future__ import annotations

import re

from preflight.net.hostnames import ENDINGS, ascii_name
from preflight.redact import vocabulary
from preflight.redact.registry import Registry
from preflight.redact.tokens import BROKEN, FILLER, inside, wide

LABELS = 127  # of a name in the DNS
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


class DomainNames:
    """Domains that are known, and the names below them."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._domains: dict[tuple[str, ...], str] = {}

    def enter(self, name: str) -> None:
        """Enter a domain, so that names below it are shown as such."""
        labels = tuple(ascii_name(name).split("."))
        if not all(labels) or len(labels) > LABELS or self._below(labels) is not None:
            return
        whole = ".".join(labels)
        if whole in ENDINGS:  # home.arpa is everybody's
            self._domains[labels] = whole
            return
        number = self._registry.number("domain", whole)
        # What nobody can look up keeps its ending, and so does what is no domain.
        ending = next((end for end in ENDINGS if whole.endswith(f".{end}")), "")
        kept = ending.split(".") if ending else ["0"] if labels[-1].isdecimal() else []
        filled = [inside("domain", number), *[FILLER] * (len(labels) - 1 - len(kept)), *kept]
        self._domains[labels] = ".".join(filled[: len(labels)])
        self._registry.legend[f"<domain-{number}>"] = ".".join(filled[: len(labels) - len(kept)])

    def _below(self, labels: tuple[str, ...]) -> int | None:
        """Return where the longest known domain begins among labels."""
        return next((start for start in range(len(labels)) if labels[start:] in self._domains), None)

    def knows(self, name: str) -> bool:
        """Say whether a name is a known domain's, or below one."""
        return self._below(tuple(ascii_name(name).split("."))) is not None

    def pseudonym(self, bare: str) -> str:
        """Return the pseudonym of a name without a dot at its end: its own labels, and the domain as a whole."""
        if bare.lower() in vocabulary.listed("hosts"):
            return bare
        labels = tuple(ascii_name(bare).split("."))
        written = bare.split(".")
        if len(labels) == 1:
            return self._label(labels[0], written[0], alone=True)
        if self._below(labels) is None:
            self.enter(".".join(labels[1:] if len(labels) > 2 else labels))
        start = self._below(labels)
        if start is None:  # it has empty labels
            start = len(labels)
        given = written if len(written) == len(labels) else list(labels)
        own = [self._label(label, given[place]) for place, label in enumerate(labels[:start])]
        domain = [self._domains[labels[start:]]] if start < len(labels) else []
        made = ".".join([*own, *domain])
        return made.upper() if any(c.isupper() for c in bare if c.isascii()) else made

    def _label(self, label: str, written: str, *, alone: bool = False) -> str:
        """Replace a label so that it stays as good, or as bad, as it is."""
        if not label or (label in vocabulary.listed("labels") and not alone):
            return label
        if label == "localhost":
            return label
        number = self._registry.number("host", label)
        made = inside("host", number)
        if not written.isascii() or label.startswith("xn--"):
            ascii_form = wide(made).encode("idna").decode("ascii")
            self._registry.legend[f"<host-{number}>"] = ascii_form
            return ascii_form if written.isascii() else wide(made)
        if _LABEL.fullmatch(label) is None or len(label) > 63:
            broken = made + ("_" if "_" in label else BROKEN)
            self._registry.legend[f"<host-{number}>"] = made + BROKEN
            return broken
        return made
