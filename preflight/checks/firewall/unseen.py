"""What packets may meet on this host beside rules: said where it is there, as none of it was tried."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.facts import Twin
from preflight.text.sentences import noted, say

_SAID = {
    "xdp": noted("XDP programs handle packets first on these interfaces and were not tested: {interfaces}."),
    "tc": noted("tc filters handle packets on these interfaces and were not tested: {interfaces}."),
    "offload": noted("Rules offloaded to the hardware of these interfaces were not tested: {interfaces}."),
}
_IPVS = noted("IPVS is in use on this host and was not tested.")


def sentences(twin: Twin) -> Iterator[str]:
    """Yield what was not tried, in a sentence each."""
    for kind in _SAID:
        names = dict.fromkeys(one.interface for one in twin.unseen if one.kind == kind)
        if names:
            yield say(_SAID[kind], interfaces=", ".join(filter(None, names)))
    if any(one.kind == "ipvs" for one in twin.unseen):
        yield say(_IPVS)
