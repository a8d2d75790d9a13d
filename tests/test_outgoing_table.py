"""The connections of mailcow's documents, and those that a user names."""

from __future__ import annotations

import pytest

from preflight.mailcow import outgoing
from preflight.net.proxies import proxies
from tests import build

TABLE = outgoing.documented()


def test_the_table_is_whole() -> None:
    """What the page lists, and where images come from since then."""
    subjects = {row.subject for row in TABLE.connections}
    assert len(subjects) == len(TABLE.connections)
    assert subjects >= {
        "rsync.sanesecurity.net:873/tcp", "spamassassin.heinlein-support.de:443/tcp", "github.com:80/tcp",
        "github.com:443/tcp", "hub.docker.com:443/tcp", "asn-check.mailcow.email:443/tcp", "ip4.mailcow.email:80/tcp",
        "ip6.mailcow.email:80/tcp", "fuzzy.mailcow.email:80/tcp", "bazaar.abuse.ch:443/tcp", "urlhaus.abuse.ch:443/tcp",
        "fuzzy.mailcow.email:11445/udp", "fuzzy1.rspamd.com:11335/udp", "fuzzy2.rspamd.com:11335/udp",
        "ghcr.io:443/tcp", "registry-1.docker.io:443/tcp", "auth.docker.io:443/tcp",
    }  # fmt: skip
    assert {(row.port, row.protocol) for row in TABLE.connections} >= {(53, "udp"), (53, "tcp"), (465, "tcp")}
    assert all(row.source == "P" or row.source.startswith("https://") for row in TABLE.connections)


@pytest.mark.parametrize(
    ("variable", "gone"),
    [
        ("SKIP_CLAMD", {"rsync.sanesecurity.net:873/tcp"}),
        ("SKIP_LETS_ENCRYPT", {"acme-v02.api.letsencrypt.org:443/tcp"}),
    ],
)
def test_what_is_switched_off_is_not_needed(variable: str, gone: set[str]) -> None:
    every = {goal.subject for goal in outgoing.wanted(build.look(conf={}).plan)}
    left = {goal.subject for goal in outgoing.wanted(build.look(conf={variable: "y"}).plan)}
    assert every - left == gone


@pytest.mark.parametrize(
    ("text", "host", "port", "protocol"),
    [
        ("ghcr.io:443/tcp", "ghcr.io", 443, "tcp"),
        ("Bücher.Example:80/tcp", "xn--bcher-kva.example", 80, "tcp"),
        ("198.51.100.53:53/udp", "198.51.100.53", 53, "udp"),
        ("[2001:DB8::53]:53/udp", "2001:db8::53", 53, "udp"),
    ],
)
def test_named(text: str, host: str, port: int, protocol: str) -> None:
    goal = outgoing.goal(text)
    assert (goal.host, goal.port, goal.protocol, goal.use) == (host, port, protocol, "asked")


@pytest.mark.parametrize(
    "text",
    [
        "", "ghcr.io", "ghcr.io:443", "ghcr.io:443/sctp", "ghcr.io:0/tcp", "ghcr.io:65536/tcp", "[ghcr.io]:443/tcp",
        "2001:db8::1:53/udp", ":443/tcp", "a..b:443/tcp", "a b:443/tcp", "[2001:db8::x]:53/udp", "a\nb:1/tcp",
        "https://ghcr.io:443/tcp",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a connection|outside 1 to 65535"):
        outgoing.goal(text)


def test_what_the_documents_name_is_known_by_what_is_spoken_there() -> None:
    known, other, dns = outgoing.named(("github.com:443/tcp", "a.example:443/tcp", "192.0.2.53:53/udp"))
    assert (known.speech, known.use) == ("tls", "updates")
    assert (other.speech, other.use, dns.speech) == ("", "asked", "dns")
    assert len(outgoing.named(("a.example:1/tcp", "A.example:1/tcp"))) == 1


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"https_proxy": "http://u:p@proxy.example:3128/"}, {"HTTPS_PROXY": "http://proxy.example:3128"}),
        ({"HTTP_PROXY": '"proxy.example:3128"'}, {"HTTP_PROXY": "http://proxy.example:3128"}),
        ({"HTTPS_PROXY": "socks5://[2001:db8::1]:1080"}, {"HTTPS_PROXY": "socks5://[2001:db8::1]:1080"}),
        ({"HTTP_PROXY": "", "https_proxy": "not a proxy", "NO_PROXY": "x"}, {}),
        ({"HTTP_PROXY": "x" * 400}, {}),
    ],
)
def test_proxies_without_their_users(given: dict[str, str], found: dict[str, str]) -> None:
    assert proxies(given) == found


# --- mail servers --------------------------------------------------------------------------------------------


def test_several_operators_are_tried() -> None:
    goals = outgoing.mail_servers(())
    assert len({goal.domains for goal in goals}) == len(goals) >= 3
    assert {(goal.port, goal.protocol, goal.speech) for goal in goals} == {(25, "tcp", "smtp")}
    assert all(goal.domains for goal in goals)


@pytest.mark.parametrize(
    ("text", "host", "port", "domains"),
    [
        ("mx1.example.org", "mx1.example.org", 25, ("example.org",)),
        ("mx1.example.org:2525", "mx1.example.org", 2525, ("example.org",)),
        ("mx.local", "mx.local", 25, ("mx.local",)),
        ("192.0.2.25", "192.0.2.25", 25, ()),
        ("2001:db8::25", "2001:db8::25", 25, ()),
        ("[2001:db8::25]", "2001:db8::25", 25, ()),
        ("[2001:db8::25]:26", "2001:db8::25", 26, ()),
    ],
)
def test_a_mail_server_that_is_named(text: str, host: str, port: int, domains: tuple[str, ...]) -> None:
    """Its greeting is to name its own domain; an address has none."""
    (goal,) = outgoing.mail_servers((text,))
    assert (goal.host, goal.port, goal.domains) == (host, port, domains)


@pytest.mark.parametrize("text", ["", ":25", "mx.example.org:", "mx.example.org:25/tcp", "a b", "[mx]:25", "mx:99999"])
def test_what_is_no_mail_server(text: str) -> None:
    with pytest.raises(ValueError, match="is not a mail server"):
        outgoing.mail_server(text)


def test_an_operators_server_is_known_by_its_domains() -> None:
    (goal,) = outgoing.mail_servers(("gmail-smtp-in.l.google.com",))
    assert goal in outgoing.mail_servers(())
