"""Records that dnspython throws away with the whole message, read as they are: what is wrong with them is a finding.

It wants a TLSA digest to have the length of its kind, and a CAA tag to have letters and digits alone.
"""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def enable() -> None:
    """Have dnspython read such records from now on."""
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
    from dns.rdtypes.ANY.CAA import CAA
    from dns.rdtypes.ANY.TLSA import TLSA

    class Tlsa(TLSA):
        _cert_length_by_mtype: dict[int, int] = {}  # noqa: RUF012 - as the parent has it

    class Caa(CAA):
        def __init__(self, rdclass: Any, rdtype: Any, flags: int, tag: bytes, value: bytes) -> None:
            super().__init__(rdclass, rdtype, flags, b"x", value)  # type: ignore[no-untyped-call]  # as dnspython has it
            object.__setattr__(self, "tag", self._as_bytes(tag, True, 255))

    kept: tuple[tuple[dns.rdatatype.RdataType, Any], ...] = ((dns.rdatatype.TLSA, Tlsa), (dns.rdatatype.CAA, Caa))
    for kind, lenient in kept:
        # There is no public way to replace a type that it knows.
        for of in (dns.rdataclass.ANY, dns.rdataclass.IN):
            dns.rdata._rdata_classes[of, kind] = lenient
