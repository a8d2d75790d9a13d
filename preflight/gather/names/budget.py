"""How much one run asks of name servers at most: enough for every mail domain that is looked at, and no flood."""

from __future__ import annotations

from msgspec import Struct

from preflight.facts import Answer

DOMAINS = 16  # that all can be asked about; of more, and of as many addresses, as far as the budget goes
REPORT_HOSTS = 4  # of other organizations that take a domain's reports
TARGETS = 8  # names of one answer that are asked for in turn
ZONES = 2 * DOMAINS  # whose own servers are asked
ZONE_SERVERS = 8  # addresses of a zone's own servers that are asked: four servers with an address of each kind
OWN = 1000  # questions to zones' own servers, and to the resolver again where it does not say the same

# What one mail domain may need, names times types.
FOR_A_DOMAIN = {
    "mx": 1,
    "targets": 2 * TARGETS,  # A and AAAA
    "tlsa": TARGETS,
    "programs": 2 * 2,  # autodiscover and autoconfig, A and AAAA
    "spf": 1 + 10 * 3,  # the record, and 10 terms that ask (RFC 7208 4.6.4), of which an `mx` takes A and AAAA too
    "dkim": 1,  # a selector
    # Names up the tree (RFC 9989 4.10), those of two walks for report hosts of the same name, and others' consent.
    "dmarc": 3 * 8 + REPORT_HOSTS,
    "mta-sts": 1 + 2,  # the record, and the host of the policy
    "tls-rpt": 1,
    "caa": 2 + 4,  # autodiscover and autoconfig, and up the tree
    "srv": 13,  # the names of mailcow's documentation
    "zone": 2 + 2 * TARGETS,  # SOA and NS, and the addresses of its servers
}
# The host's own name: A, AAAA, CAA, TLSA; and of its addresses PTR with the names that those lead to, and their zones.
FOR_THE_HOST = 2 + 4 + 2 + FOR_A_DOMAIN["zone"] + DOMAINS * (1 + 2 * TARGETS + FOR_A_DOMAIN["zone"])


class Budget(Struct, frozen=True):
    """The most that is asked and kept. `weight`: characters of all records, and `EACH` for every one.

    facts.json is read up to 16 MiB (text/inputs.py), and a character takes six bytes in it if it is a control one.
    """

    questions: int = DOMAINS * sum(FOR_A_DOMAIN.values()) + FOR_THE_HOST
    weight: int = 2 << 20


EACH = 64  # what a record weighs beside its characters


def weigh(answer: Answer) -> int:
    """Return the weight of an answer's records."""
    return sum(len(str(record)) + EACH for record in answer.records)
