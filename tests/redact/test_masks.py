"""What stays and what is replaced, kind by kind."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.net import hostnames
from preflight.net.hostnames import ascii_name
from preflight.redact.masks import Masks
from preflight.redact.tokens import Unveiler, veil

STAY = [
    ("word", "x86_64"), ("word", "restarting"), ("word", "fs.inotify.max_user_instances"),
    ("program", "exim4"), ("program", "docker-proxy"), ("program", "python3.11"), ("program", "systemd-resolve"),
    ("unit", "exim4.service"), ("unit", "postfix@-.service"), ("unit", "nginx"), ("package", "exim4-daemon-light"),
    ("user", "Debian-exim"), ("user", "root"), ("interface", "eth0"), ("interface", "enp3s0f1"), ("interface", "lo"),
    ("chain", "inet firewalld"), ("chain", "ufw-user-forward"), ("chain", "filter_FWD_public_allow"), ("chain", ""),
    ("chain", "DOCKER-ISOLATION-STAGE-1"), ("chain", "f2b-sshd"), ("chain", "CROWDSEC_CHAIN"), ("chain", "MAILCOW"),
    ("interface", "br-mailcow"), ("container", "mailcowdockerized-postfix-mailcow-1"), ("container", "bridge"),
    ("container", "mailcowdockerized_vmail-vol-1"), ("image", "nginx"), ("image", "nginx:1.27-alpine"),
    ("image", "ghcr.io/mailcow/postfix:1.80"), ("path", "/var/lib/docker"), ("path", "/usr/sbin/exim4"),
    ("path", "/opt/mailcow-dockerized/mailcow.conf"), ("path", "/boot/config-6.1.0-28-amd64"), ("path", "/"),
    ("version", "6.1.0-28-amd64"), ("version", "20.10.24+dfsg1"), ("version", "4.15.0-60-generic"),
    ("version", "5.15.167.4-microsoft-standard-WSL2"), ("version", "v2.32.1"), ("version", "5.14.0-427.el9.x86_64"),
    ("url", "unix:///run/docker.sock"), ("text", "overlay2"), ("word", "ACME_DNS_CHALLENGE"),
    ("text", "Debian GNU/Linux 12 (bookworm)"), ("text", "AMD EPYC 7543 32-Core Processor"),
    ("text", "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz"), ("text", "12th Gen Intel(R) Core(TM) i7-12700K"),
    ("text", "Intel Xeon Processor (Skylake, IBRS)"), ("text", "AMD EPYC-Rome Processor"),
    ("text", "Ubuntu 24.04.1 LTS"),
    ("text", "QEMU Virtual CPU version 2.5+"), ("text", "AlmaLinux 9.5 (Teal Serval)"), ("text", "Alpine Linux v3.20"),
    ("text", "Debian GNU/Linux forky/sid"), ("text", "Docker Engine - Community"), ("text", "ip6 nat"),
    ("argument", "bridge=com.docker.network.driver.mtu=1450"), ("argument", "name=seccomp,profile=builtin"),
    ("record", "v=spf1 mx a -all"),
    ("issuer", "letsencrypt.org"), ("issuer", " LetsEncrypt.org ; validationmethods=http-01,dns-01"), ("issuer", ";"),
    ("issuer", ""), ("word", "issuewild"), ("digest", "0000"),
    ("address", "127.0.0.1"), ("address", ""), ("name", ""), ("record", "0 ."),
]  # fmt: skip
GO = [
    ("word", "geheim"), ("program", "geheimd"), ("program", "acme"), ("unit", "geheim.service"), ("user", "alice"),
    ("unit", "user@1000.service"), ("package", "geheim-agent"), ("interface", "enx0242ac110002"),
    ("chain", "geheim"), ("chain", "f2b-geheim"), ("chain", "f2b-203.0.113.7"), ("chain", "203-0-113-7"),
    ("chain", "Ω"),
    ("image", "geheim/nginx"), ("interface", "wg-geheim"), ("container", "geheim"), ("image", "nginx:geheim"),
    ("image", "x.geheim.net/nginx:1.27"),
    ("image", "nginx@sha256:00ff"), ("path", "/home/mail/x"), ("path", "/srv/geheim"), ("version", "6.1.0-geheim"),
    ("version", "203.0.113.7"), ("version", "geheim"), ("version", "static-203-0-113-17"),
    ("url", "tcp://geheim:2375"),
    ("text", "geheim"), ("text", "user alice"), ("text", "operation not permitted"), ("text", "Permission denied"),
    ("text", "Debian GNU/Linux 13 (geheim)"), ("text", "Ubuntu geheim"), ("text", "Ubuntu 24.04\n"),
    ("text", "Intel Core Processor (geheim)"), ("text", "AMD EPYC geheim"),
    ("text", "Ubuntu 24.04 LTS, user alice"), ("text", "02:00:00:00:00:01"), ("text", "203.0.113.7.8"),
    ("word", "ACME_GEHEIM"), ("text", "see\nhost"), ("text", "permission denied" * 300),
    ("text", "550e8400-e29b-41d4-a716-446655440000"), ("text", "0301234567890"), ("text", "@geheim"), ("text", "Ω"),
    ("name", "mail"), ("name", "mx1"), ("record", "v=geheim"),
    ("issuer", "geheim.example"), ("issuer", "letsencrypt.org; accounturi=https://acme.test/acct/1234567"),
    ("issuer", "letsencrypt.org; geheim=1"), ("issuer", "letsencrypt.org; validationmethods=geheim"),
    ("issuer", "letsencrypt.org; geheim"), ("issuer", "mailto:alice@geheim.example"), ("digest", "abcd"),
    ("address", "geheim"), ("address", "203.0.113.7"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), STAY)
def test_what_is_everybodys_stays(kind: str, value: str) -> None:
    assert getattr(Masks(), kind)(value) == value


@pytest.mark.parametrize(("kind", "value"), GO)
def test_what_is_somebodys_goes(kind: str, value: str) -> None:
    made = getattr(Masks(), kind)(value)
    assert made != value
    for part in ("geheim", "alice", "203", "550e", "1234567", "0242", "acme", "mx1", "Ω", "00ff", "1000", ":00:"):
        assert part not in made


PIECES = [
    ("address", "203.0.113.7", "<ipv4-1>"), ("address", "203.0.113.0/24", "<ipv4-1>/24"),
    ("address", "203.0.113.7/24", "<ipv4-1>/24"), ("address", "2001:db8::7", "<ipv6-1>"),
    ("argument", "geheim=com.docker.network.driver.mtu=1450", "<text-1>=com.docker.network.driver.mtu=1450"),
    ("address", "fe80::1%eth0", "<ipv6-1>%eth0"), ("address", "fe80::1%geheim", "<ipv6-1>%<interface-1>"),
    ("address", "::ffff:203.0.113.7", "<ipv6-1>"), ("octets", "10.1.2", "<ipv4-1>"),
    ("name", "mail.geheim.example", "mail.<domain-1>"), ("name", "x.geheim.example.", "<host-1>.<domain-1>."),
    ("name", "geheim.example", "<domain-1>"), ("name", "geheim.local", "<domain-1>.local"), ("name", "mx1", "<host-1>"),
    ("name", "a.b.c.geheim.example", "<host-1>.<domain-1>"), ("name", "203.0.113.7", "<ipv4-1>"),
    ("name", "7.113.0.203.in-addr.arpa", "<ipv4-1-reversed>.in-addr.arpa"),
    ("name", "post.münchen.example", "<host-1>.<domain-1>"), ("name", "mü.geheim.example", "<host-1>.<domain-1>"),
    ("names", "_dmarc.geheim.example. TXT", "_dmarc.<domain-1>. TXT"),
    ("record", "10 mx.geheim.example.", "10 mx.<domain-1>."),
    ("record", "v=spf1 ip4:203.0.113.7/32 ip6:2001:db8::7 include:_spf.geheim.example -all",
     "v=spf1 ip4:<ipv4-1>/32 ip6:<ipv6-1> include:_spf.<domain-1> -all"),
    ("url", "tcp://alice:pw@docker.geheim.example:2375/x", "tcp://<user-1>@<host-1>.<domain-1>:2375/<path-1>"),
    ("url", "tcp://[2001:db8::7]:2375", "tcp://[<ipv6-1>]:2375"),
    ("argument", "--data-root=/srv/geheim/docker", "--data-root=/srv/<path-1>/docker"),
    ("argument", "name=seccomp,profile=/etc/geheim.json", "name=seccomp,profile=/etc/<path-1>"),
    ("argument", "203.0.113.7:25,[2001:db8::7]:443", "<ipv4-1>:25,[<ipv6-1>]:443"),
    ("record", "v=STSv1; id=geheim", "v=<text-1> id=<text-2>"),
    ("text", "cannot bind 203.0.113.7:25 of geheim.example: permission denied", "<text-1>"),
    ("text", "container geheim eins zwei failed", "<text-1>"),
    ("container", "geheim_app_1", "<container-1>_<container-2>_1"),
    ("interface", "veth12ab", "veth<interface-1>"), ("image", "geheim/app:1", "<image-1>"),
    ("version", "6.1.0-geheim", "6.1.0-<text-1>"), ("unit", "geheim.socket", "<unit-1>.socket"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "placeholder"), PIECES)
def test_placeholders_say_what_they_stand_for(kind: str, value: str, placeholder: str) -> None:
    masks = Masks()
    made = getattr(masks, kind)(value)
    unveil = Unveiler(masks.registry.placeholders)
    shown = unveil(made)
    assert shown == placeholder
    assert unveil(veil(shown, masks.registry.legend)) == placeholder, "the way back leads to the same"


def test_names_below_a_domain_are_shown_as_such() -> None:
    masks = Masks()
    masks.dns.enter("geheim.example")
    names = ("geheim.example", "mail.geheim.example", "a.b.geheim.example", "OTHER.geheim.example", "xgeheim.example")
    shown = [Unveiler(masks.registry.placeholders)(masks.name(name)) for name in names]
    assert shown == [
        "<domain-1>",
        "mail.<domain-1>",
        "<host-1>.<host-2>.<domain-1>",
        "<host-3>.<domain-1>",
        "<domain-2>",
    ]


LABEL = st.text("abcxyz019-", min_size=1, max_size=12).map(lambda text: text.strip("-") or "x")
HOSTNAME = st.lists(LABEL, min_size=1, max_size=5).map(".".join)
ANY = HOSTNAME | st.text(max_size=30) | st.lists(st.text(max_size=70), max_size=4).map(".".join)


@given(HOSTNAME, HOSTNAME)
def test_two_names_are_never_taken_for_one(one: str, other: str) -> None:
    masks = Masks()
    first, second = masks.name(one), masks.name(other)
    assert (first == second) == (one == other)
    assert masks.name(one) == first


@given(HOSTNAME)
def test_a_stand_in_is_as_good_a_name_as_the_real_one(name: str) -> None:
    made = Masks().name(name)
    one, other = (hostnames.fault(text, ascii_name(text)) for text in (name, made))
    assert (one is None) == (other is None)
    if one is None:
        assert (hostnames.doubt(name) is None) == (hostnames.doubt(made) is None)


@given(st.sampled_from([kind for kind, _ in STAY]), ANY)
def test_no_value_breaks_anything_and_none_shows_what_is_not_known(kind: str, value: str) -> None:
    masks = Masks()
    made = getattr(masks, kind)(f"{value}geheimx")
    assert "geheimx" not in made.lower()
    assert "zq" not in Unveiler(masks.registry.placeholders)(made).lower()


@given(st.text(alphabet="zq1ahost<>-.:/", max_size=40))
def test_a_value_that_looks_like_a_stand_in_or_a_placeholder_is_replaced_like_any_other(value: str) -> None:
    masks = Masks()
    shown = Unveiler(masks.registry.placeholders)(masks.text(f"zqhost7qz <host-8> {value}"))
    assert "host-7" not in shown
    assert "host-8" not in shown
    assert re.search("zq[a-z]+[0-9]+qz", shown) is None


def test_what_a_check_has_cut_short_leaves_nothing_behind() -> None:
    masks = Masks()
    unveil = Unveiler(masks.registry.placeholders)
    whole = f"bad: {masks.secret('one')}{masks.secret('two')}"
    for length in range(len(whole) + 1):
        shown = unveil(f"{whole[:length]}…")
        assert "zq" not in shown, whole[:length]


def test_the_owner_of_a_chain_is_told_by_what_is_left_of_its_name() -> None:
    made = Masks().chain("f2b-geheim")
    assert made.startswith("f2b-")
    assert "geheim" not in made


def test_the_network_of_three_octets_is_named_by_their_placeholder() -> None:
    """A check writes it so; its stand-in must not pass for a real address."""
    masks = Masks()
    made = masks.octets("10.8.7")
    assert Unveiler(masks.registry.placeholders)(f"{made}.0/24, {made}.0") == "<ipv4-1>.0/24, <ipv4-1>.0"
