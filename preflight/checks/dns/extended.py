"""What a name server says about its own answer by extended error codes (RFC 8914), and signatures that are wrong."""

from __future__ import annotations

from preflight.facts import Answer
from preflight.text.sentences import noted, say

# Codes by which a server says that signatures are wrong (RFC 8914 4.6 to 4.13; 4.6 is "indeterminate").
BOGUS = {
    6: noted("The signatures of the zone are not valid."),
    7: noted("The signatures of the zone have expired."),
    8: noted("The signatures of the zone are not valid yet."),
    9: noted("The zone has no DNSKEY record for the DS record of the zone above it."),
    10: noted("Signatures are missing in the zone."),
    11: noted("The zone has no key that may sign it."),
    12: noted("The zone does not prove what it does not have: NSEC records are missing."),
}
# Answers that the server made itself, in place of those of the DNS.
FORGED = {
    4: noted("The name server made this answer itself."),
    15: noted("The name server blocks this name."),
    16: noted("The name server has to block this name."),
    17: noted("The name server filters this name, as its user asked for."),
}
# Why there is no answer.
_WHY = BOGUS | FORGED | {
    14: noted("The name server is not ready yet."),
    18: noted("The name server does not answer this host."),
    20: noted("The name server does not serve this name."),
    22: noted("The name server could not reach any name server of the zone."),
    23: noted("The name server could not reach a name server of the zone: network error."),
}  # fmt: skip


def is_bogus(answer: Answer | None) -> bool:
    """Say whether a name server keeps an answer back because its DNSSEC signatures are wrong."""
    if answer is None or answer.rcode != "SERVFAIL":
        return False
    return bool(answer.unchecked) or any(code in BOGUS for code in answer.extended)


def is_forged(answer: Answer) -> bool:
    """Say whether a name server says that an answer is not that of the DNS."""
    return any(code in FORGED for code in answer.extended)


def why(answer: Answer) -> str | None:
    """Say in a sentence what the server says of its answer; None where it says nothing that is known."""
    return next((say(_WHY[code]) for code in answer.extended if code in _WHY), None)
