"""Values of options: read, or refused with one clear line."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

import click

from preflight.assess.waivers import Waiver
from preflight.net import hostnames
from preflight.net.addresses import parse_address, unbracketed


class Name(click.ParamType[str]):
    """A host or domain name as text: whether it is a good one is for the checks to say."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name without white space around it."""
        text = str(value).strip()
        if not text or len(text) > 253 or re.search(r"[\s\x00-\x1f\x7f/:@,]", text):
            if address := re.match(r"https?://([^/:@\s\x00-\x1f\x7f]+)", text):
                self.fail(f"{text[:60]!r} is a URL. Give only the name: {address[1][:253]}", param, ctx)
            self.fail(f"{text[:60]!r} is not a name.", param, ctx)
        return text


class Domain(Name):
    """A mail domain: a name that the DNS can have."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name without white space around it."""
        text = super().convert(value, param, ctx)
        if wrong := hostnames.domain_fault(text):
            self.fail(wrong, param, ctx)
        return text


class Address(click.ParamType[str]):
    """An IPv4 or IPv6 address."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address in its usual form."""
        address = parse_address(unbracketed(str(value).strip()))
        if address is None:
            self.fail(f"{str(value)[:60]!r} is not an IP address.", param, ctx)
        return str(address)


class WaiverType(click.ParamType[Waiver]):
    """`ID[:SUBJECT][=REASON][@YYYY-MM-DD]`; in the environment one a line, as reasons hold spaces.

    The first colon ends the id, which has none; the first equals sign then ends the subject; what looks like a date
    after the last at sign is one, or is refused: written otherwise it would be a reason, and hold for ever.
    """

    name = "id[:subject][=reason][@date]"

    def split_envvar_value(self, rv: str) -> list[str]:
        """Return the lines that say something."""
        return [text for text in rv.splitlines() if text.strip()]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Waiver:
        """Return what is waived."""
        if isinstance(value, Waiver):
            return value
        text, until = str(value).strip(), None
        if match := re.search(r"@\s*([0-9]{1,4}([-./])[0-9]{1,2}\2[0-9]{1,4}|[0-9]{8})$", text):
            text = text[: match.start()]
            try:
                if len(match[1]) != 10:
                    raise ValueError
                until = datetime.date.fromisoformat(match[1])
            except ValueError:
                self.fail(f"{match[1]} is not a date such as 2027-01-31.", param, ctx)
        known, _, reason = text.partition("=")
        identity, _, subject = known.partition(":")
        return Waiver(identity.strip(), subject.strip() or None, reason.strip(), until)


class Checked(click.ParamType[str]):
    """A text that a function accepts, or refuses with `ValueError`."""

    def __init__(self, name: str, accept: Callable[[str], Any]) -> None:
        self.name = name
        self._accept = accept

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as it was given."""
        try:
            self._accept(str(value))
        except ValueError as error:
            self.fail(f"{error}", param, ctx)
        return str(value)


class Seconds(click.FloatRange):
    """A time within a range; `nan` is within none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = float("nan")
        if seconds != seconds:
            self.fail(f"{str(value)[:60]!r} is not a number of seconds.", param, ctx)
        least, most = self.min or 0, self.max or 0
        if not least <= seconds <= most:
            self.fail(f"{seconds:g} is not in the range {least:g} to {most:g} seconds.", param, ctx)
        return seconds
