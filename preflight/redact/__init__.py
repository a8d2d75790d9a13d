"""Documents that can be posted: what is not known to be everybody's is replaced by placeholders (`<host-1>`).

Nothing is searched for in finished sentences. The facts are replaced first, each text by a pseudonym of the kind that
is written beside its field (`facts.kinds`), and the checks speak of those; a sentence is said with placeholders in its
places, and what it says by itself is ours. The verdicts are the real host's: where a check comes to another result on
the pseudonyms, or says something else, its status is told, and no word more. A secret that is in none of the replaced
facts can be in no sentence, whatever a check makes of them.
"""

from __future__ import annotations

import datetime

import msgspec

from preflight.assess import assess
from preflight.assess.waivers import Waiver
from preflight.checks import Check, catalogue
from preflight.facts import Host
from preflight.mailcow import plan
from preflight.mailcow.requirements import NAMES, Requirements, load
from preflight.net.hostnames import mail_domain
from preflight.redact.kinds import masked
from preflight.redact.masks import Masks
from preflight.redact.retold import WITHHELD, advised, proposals, retold, unique
from preflight.redact.tokens import PLACEHOLDER, Unveiler, everywhere, redacted, texts, veil
from preflight.report.compare import GROUPS, Change, Comparison, Side, compare
from preflight.report.model import Report, Result
from preflight.text.sentences import say, told, writing


class Judging(msgspec.Struct, frozen=True):
    """What a report was made by, beside the facts."""

    requirements: Requirements
    checks: tuple[Check, ...]
    waivers: tuple[Waiver, ...]


def _told(real: Report, host: Host, unveil: Unveiler, judging: Judging) -> Report:
    """Tell a report of a host's pseudonyms: the checks run on those, and each sentence is said with placeholders."""
    today = datetime.date.fromisoformat(host.started[:10])
    made = plan.make(host.mailcow_conf.value, host.asked)
    with writing(unveil):
        other = assess(host, made, judging.requirements, judging.checks, proposals=proposals(real.results))
        shown = retold(real.results, unique(other.results, unveil), judging.waivers, today)
        results = tuple(advised(real.results, shown))
    return msgspec.structs.replace(
        real,
        requirements=everywhere(other.requirements, unveil),
        host=everywhere(other.host, unveil),
        results=results,
    )


class Redaction:
    """Pseudonyms for one host, and all that can be told with them."""

    def __init__(self, host: Host) -> None:
        self._masks = Masks()
        # The mail domains come first, as names below them are shown as such.
        made = plan.names(host.mailcow_conf.value, host.asked)
        for domain in (*made.domains, *([mail_domain(made.fqdn)] if made.fqdn else [])):
            self._masks.dns.enter(domain)
        # A pseudonym has no public suffix, so that the domain cannot be told by the host's name.
        host = msgspec.structs.replace(host, asked=msgspec.structs.replace(host.asked, domains=made.domains))
        masked(host, self._masks)  # domains have to be known before the names below them, addresses before their order
        self._masks.registry.settle()
        self._host: Host = masked(host, self._masks)
        self._unveil = Unveiler(self._masks.registry.placeholders)

    def facts(self) -> Host:
        """Return the facts with placeholders, and beside them what takes their part when they are judged."""
        host: Host = everywhere(self._host, self._unveil)
        return msgspec.structs.replace(host, pseudonyms=dict(self._masks.registry.legend))

    def report(
        self, real: Report, requirements: Requirements, checks: tuple[Check, ...], waivers: tuple[Waiver, ...] = ()
    ) -> Report:
        """Return a report on the real host as it can be posted: its statuses, told of the pseudonyms."""
        if requirements.name not in NAMES or requirements != load(requirements.name):
            requirements = self._requirements(requirements)
        hidden = tuple(msgspec.structs.replace(one, reason=self._said(one.reason)) for one in waivers)
        return _told(real, self._host, self._unveil, Judging(requirements, checks, hidden))

    def _requirements(self, requirements: Requirements) -> Requirements:
        """Return requirements of one's own, which may say anything, with what is said in ours too."""
        ours = {text for name in NAMES for text in texts(load(name))}
        changed: Requirements = everywhere(
            msgspec.structs.replace(requirements, severities={}),
            lambda text: text if text in ours else self._masks.secret(text),
        )
        return msgspec.structs.replace(changed, severities=requirements.severities)

    def since(self, baseline: Report, real: Report, shown: Report) -> Comparison:
        """Return what changed since an earlier report as it can be posted; one that is redacted meets its like."""
        now = shown if redacted(baseline) else real
        found = compare(baseline, now)
        twins = {(one.check, one.subject): other for one, other in zip(now.results, shown.results, strict=True)}
        groups = {
            name: tuple(self._change(change, twins.get(change.key)) for change in getattr(found, name))
            for name in GROUPS
        }
        return msgspec.structs.replace(found, old=self._side(found.old), new=self._side(found.new), **groups)

    def _change(self, change: Change, now: Result | None) -> Change:
        """Tell a change as the newer report does; of what is gone, what may be said."""
        if now is not None:
            words = {"subject": now.subject, "title": now.title, "message": now.message}
            return msgspec.structs.replace(change, **words, remedy=now.remedy if change.remedy else None)
        # Titles of checks are ours; what else stands in an earlier report may be anything.
        ours = next((check for check in catalogue() if check.id == change.check), None)
        said = {name: self._said(getattr(change, name)) for name in ("check", "section", "title")}
        if ours is not None:
            said = {"check": ours.id, "section": ours.section, "title": told(ours.title)}
        subject = None if change.subject is None else self._said(change.subject)
        return msgspec.structs.replace(change, **said, subject=subject, message=say(WITHHELD), remedy=None)

    def _side(self, side: Side) -> Side:
        host = None if side.host is None else self._unveil(self._masks.name(side.host))
        version = self._unveil(self._masks.version(side.version))
        requirements = side.requirements if side.requirements in NAMES else self._said(side.requirements)
        # `started` was read as a time, and nothing else, by `read_report`.
        return msgspec.structs.replace(side, host=host, requirements=requirements, version=version)

    def _said(self, text: str) -> str:
        return text if PLACEHOLDER.fullmatch(text) else self._unveil(self._masks.secret(text))


class Recorded:
    """Facts that were redacted when they were gathered; those that were not are taken as they are."""

    def __init__(self, host: Host) -> None:
        legend = {key: value for key, value in host.pseudonyms.items() if PLACEHOLDER.fullmatch(key)}
        bare = msgspec.structs.replace(host, pseudonyms={})
        self.host: Host = everywhere(bare, lambda text: veil(text, legend)) if host.pseudonyms else bare
        self._unveil = Unveiler({value: key for key, value in legend.items()})

    def report(
        self, real: Report, requirements: Requirements, checks: tuple[Check, ...], waivers: tuple[Waiver, ...] = ()
    ) -> Report:
        """Return a report on these facts with their placeholders."""
        return _told(real, self.host, self._unveil, Judging(requirements, checks, waivers))

    def since(self, baseline: Report, _real: Report, shown: Report) -> Comparison:
        """Return what changed since an earlier report, which is redacted too."""
        return compare(baseline, shown)


__all__ = ["Recorded", "Redaction", "redacted"]
