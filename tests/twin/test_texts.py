"""Rules as the host's own programs print them."""

from __future__ import annotations

import pytest

from preflight.twin import texts

LISTING = """\
table ip filter { # handle 1
	chain INPUT { # handle 1
		type filter hook input priority filter; policy accept;
		tcp dport 25 counter packets 7 bytes 420 drop comment "a # handle 9" # handle 12
		ip saddr @blocked drop # handle 13
		tcp dport vmap { 25 : drop, 80 : accept } # handle 14
		jump { # handle 16
			tcp dport 25 drop # handle 15
		}
	}
}
"""
SAVED = """\
-P INPUT ACCEPT -c 0 0
-A INPUT -s 192.0.2.0/24 -c 3 180 -j DROP
-A INPUT -p tcp -m comment --comment "a -c 1 2 -j b" -c 12 720 -j LOG --log-prefix "x -c 9"
-A INPUT-x -j DROP
-A INPUT -p tcp -c 5 300
"""


@pytest.mark.parametrize(
    ("handle", "rule", "counter", "number"),
    [
        (12, 'tcp dport 25 counter drop comment "a # handle 9"', 7, 1),
        (13, "ip saddr @blocked drop", None, 2),
        (14, "tcp dport vmap { 25 : drop, 80 : accept }", None, 3),
        (99, "", None, 0),
        (None, "", None, 0),
    ],
)
def test_native(handle: int | None, rule: str, counter: int | None, number: int) -> None:
    found, place = texts.native(LISTING, handle)
    assert (found.rule, found.counter, place) == (rule, counter, number)


@pytest.mark.parametrize(
    ("number", "rule", "counter"),
    [
        (1, "-A INPUT -s 192.0.2.0/24 -j DROP", 3),
        (2, '-A INPUT -p tcp -m comment --comment "a -c 1 2 -j b" -j LOG --log-prefix "x -c 9"', 12),
        (3, "-A INPUT -p tcp", 5),
        (4, "", None),
        (0, "", None),
    ],
)
def test_saved(number: int, rule: str, counter: int | None) -> None:
    assert texts.saved(SAVED, "INPUT", number) == texts.Text(rule, counter)
