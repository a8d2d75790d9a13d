"""Whether DNS block lists have this host's addresses."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from preflight.checks import Look, check
from preflight.checks.findings import skipped, unknown
from preflight.checks.network import no_way_out
from preflight.checks.sources import issue
from preflight.facts.blocklists import BlockListed, BlockLists, ListState
from preflight.mailcow.blocklists import documented
from preflight.report.evidence.network import BlockListEvidence
from preflight.report.model import Finding, Remedy, Severity, Status, When
from preflight.text.sentences import noted, paragraph, say

KEY = "SPAMHAUS_DQS_KEY"
_STATES: dict[ListState, str] = {
    "refused": noted("{zone} refuses queries from this host's name servers with an error code."),
    "failed": noted("{zone} did not answer."),
    "all": noted(
        "{zone} lists addresses that no list may contain. It is dead, or a name server returns an address for every "
        "name."
    ),
    "none": noted("{zone} does not list its own test address. It is dead, or a name server hides its answers."),
}


@check(
    severity=Severity.RECOMMENDED,
    # Behind NAT the sightings tell which address the lists are asked about.
    reads=("blocklists", "sightings", "mirrors", "mailcow_conf", "outgoing", "ways", "routes", "rules"),
    remedy="Find out why the address is listed, fix the cause, and ask the list to remove the address.",
    sources=(issue(5293), issue(5295), issue(1894)),
    subject="list",
)
def blocklists(look: Look) -> Iterator[Finding]:
    """This host's addresses are not on any block list

    Many mail servers refuse mail from addresses that are on a block list. A new address may carry the reputation of its
    previous owner. Lists of dynamic addresses contain whole networks, and their entries are removed on request. Lists
    that refuse public resolvers also refuse mailcow's resolver if it forwards its queries to one. Spamhaus does not
    answer queries from the networks of some providers. mailcow then needs a key to query Spamhaus in another way.
    """
    found = look.host.blocklists.get()
    if not found.lists:
        yield skipped(say("There was no block list to query."))
        return
    cause = no_way_out.told(look)
    if cause is not None and all(one.state != "alive" for one in found.lists):
        yield from _all_skipped(found, cause.reason)
    elif len(found.lists) > 1 and all(one.state == "failed" for one in found.lists):
        reason = say("No block list answered over {servers}.", servers=", ".join(found.servers))
        yield unknown(reason, say("Make sure that the name servers of this host resolve names on the Internet."))
        yield from _all_skipped(found, reason)
    else:
        yield from (replace(_answering(look, one.zone, _judged(one)), subject=one.zone) for one in found.lists)


def _all_skipped(found: BlockLists, reason: str) -> Iterator[Finding]:
    yield from (replace(skipped(reason, evidence=_evidence(one)), subject=one.zone) for one in found.lists)


def _evidence(listed: BlockListed) -> BlockListEvidence:
    entries = {one.address: one.codes for one in listed.listings if one.said == "listed"}
    return BlockListEvidence(state=listed.state, listed=entries)


def _judged(listed: BlockListed) -> Finding:
    zone, evidence = listed.zone, _evidence(listed)
    if listed.state != "alive":
        help_ = say("Look up the address on the list's own page.")
        if listed.state == "refused":
            help_ = say("Query the list through this host's own resolver, as mailcow does, not through a public one.")
        return unknown(say(_STATES[listed.state], zone=zone), help_, evidence=evidence)
    if evidence.listed:
        return _on_it(zone, evidence)
    unsure = [one.address for one in listed.listings if one.said != "clear"]
    if unsure or not listed.listings:
        reason = say("{zone} gave no answer for {addresses}.", zone=zone, addresses=", ".join(unsure))
        if not listed.listings:
            reason = say("{zone} does not cover IPv6 addresses.", zone=zone)
            return replace(skipped(reason), evidence=evidence)
        return unknown(reason, say("Run the check again."), evidence=evidence)
    addresses = ", ".join(one.address for one in listed.listings)
    message = say("{zone} does not list {addresses}.", zone=zone, addresses=addresses)
    return Finding(status=Status.PASS, message=message, evidence=evidence)


def _answering(look: Look, zone: str, finding: Finding) -> Finding:
    """Add that the list does not answer this network, where that is so and mailcow has no key for another way."""
    told, service, conf = look.host.mirrors.value, documented().mirrors, look.host.mailcow_conf.value
    if told is None or told.outcome != "closed" or zone != service.zone or (conf is not None and conf.spamhaus_key):
        return finding
    closed = say("{zone} does not answer queries from the network of this host's provider.", zone=zone)
    lost = say("mailcow then queries none of Spamhaus's lists, and more spam gets in.")
    get = say("Get a free key at {page}, and set it as {variable} in mailcow.conf.", page=service.page, variable=KEY)
    if finding.status is Status.WARN and finding.remedy is not None:
        remedy = replace(finding.remedy, text=paragraph(finding.remedy.text, get))
        return replace(finding, message=paragraph(finding.message, closed, lost), remedy=remedy)
    when: When = "now" if look.plan.conf_present else "cloned"
    remedy = Remedy(get, place="mailcow.conf", when=when)
    message = paragraph(closed, lost)
    return Finding(status=Status.WARN, message=message, evidence=finding.evidence, remedy=remedy)


def _on_it(zone: str, evidence: BlockListEvidence) -> Finding:
    page = next((entry.page for entry in documented().lists if entry.zone == zone), None)
    where = say("Look up the reason at {page}.", page=page) if page else None
    text = say("Fix the cause, and then ask the list to remove the address.")
    message = say("{zone} lists {addresses}.", zone=zone, addresses=", ".join(evidence.listed))
    codes = ", ".join(str(code) for codes in evidence.listed.values() for code in codes)
    return Finding(
        status=Status.WARN,
        message=paragraph(message, say("Its answers end in {codes}.", codes=codes)),
        evidence=evidence,
        remedy=Remedy(paragraph(where, text)),
    )
