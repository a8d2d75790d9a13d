"""What a name server says about its own answer by extended error codes (RFC 8914), and signatures that are wrong."""

from __future__ import annotations

from preflight.facts import Answer
from preflight.text.sentences import noted, phrase, say

# Codes by which a server says that signatures are wrong (RFC 8914 4.7 to 4.13; 4.6 is "indeterminate").
BOGUS = {
    6: noted("DNSSEC bogus"),
    7: noted("signature expired"),
    8: noted("signature not yet valid"),
    9: noted("DNSKEY missing"),
    10: noted("signatures missing"),
    11: noted("no zone key"),
    12: noted("NSEC records missing"),
}
# Answers that the server made itself, in place of those of the DNS.
FORGED = {4: noted("forged answer"), 15: noted("blocked"), 16: noted("censored"), 17: noted("filtered")}
# Why there is no answer.
_WHY = BOGUS | FORGED | {
    5: noted("DNSSEC indeterminate"),
    14: noted("not ready"),
    18: noted("prohibited"),
    20: noted("not authoritative"),
    22: noted("no name server of the zone can be reached"),
    23: noted("network error on the way to a name server of the zone"),
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
    reason = next((phrase(_WHY[code]) for code in answer.extended if code in _WHY), None)
    return say("Reason given by {server}: {reason}.", server=answer.server or "DNS", reason=reason) if reason else None
