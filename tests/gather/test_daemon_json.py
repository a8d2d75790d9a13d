"""daemon.json as it is written: keys, lines, kinds; no value but numbers of log options that are no secret."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given

from preflight.facts import Directive
from preflight.gather.engine.daemon_json import DIRECTIVES, directives, flaw
from tests.gather.dockerd import JSON

FILE = """{
  "log-opts": {"max-file": 3, "splunk-token":
      "secret"},
  "dns": ["1.1.1.1", "one"],
  "mtu": -5, "a": [[1.5]], "b": {}, "mtu": true,
  "big": 99999999999999999999, "exp": 1e999, "n": null
}"""


def test_each_value_has_its_keys_its_line_and_its_kind() -> None:
    assert [(d.path, d.line, d.form, d.flaw) for d in directives(FILE)] == [
        (("log-opts",), 2, "object", ""), (("log-opts", "max-file"), 2, "integer", ""),
        (("log-opts", "splunk-token"), 3, "string", ""), (("dns",), 4, "list", ""), (("dns", "0"), 4, "string", ""),
        (("dns", "1"), 4, "string", "address"), (("mtu",), 5, "integer", "negative"), (("a",), 5, "list", ""),
        (("a", "0"), 5, "list", ""), (("a", "0", "0"), 5, "fraction", ""), (("b",), 5, "object", ""),
        (("mtu",), 5, "boolean", ""), (("big",), 6, "fraction", ""), (("exp",), 6, "huge", ""), (("n",), 6, "null", ""),
    ]  # fmt: skip


def test_no_value_is_kept_but_numbers_of_open_log_options() -> None:
    assert b"secret" not in msgspec.json.encode(directives(FILE))
    assert [d.number for d in directives('{"log-opts": {"max-file": 3, "token": 4}, "mtu": 5}')] == [
        None, 3, None, None,
    ]  # fmt: skip


@given(JSON)
def test_any_json_is_walked_through(document: object) -> None:
    found = directives(json.dumps(document, indent=1))
    assert msgspec.json.decode(msgspec.json.encode(found), type=tuple[Directive, ...]) == found
    assert len(found) <= DIRECTIVES


def test_there_is_an_end() -> None:
    assert len(directives(json.dumps({"dns": ["1.1.1.1"] * 5000}))) == DIRECTIVES
    assert len(directives("[" * 5000 + "]" * 5000)) < 10


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("log-level", "Debug", ""), ("log-level", "verbose", "word"), ("log-level", "", ""),
        ("firewall-backend", "nft", "word"), ("ip", "0.0.0.0", ""), ("ip", "eth0", "address"),
        ("bip", "10.0.0.1/24", ""),
        ("bip", "10.0.0.1", "network"), ("fixed-cidr-v6", "10.0.0.0/8", "network"), ("fixed-cidr-v6", "fd00::/64", ""),
        ("userland-proxy-path", "docker-proxy", "relative"), ("default-shm-size", "64M", ""),
        ("default-shm-size", "64 lots", "size"), ("bip6", "x", ""), ("data-root", "anything", ""),
    ],
)  # fmt: skip
def test_flaws_of_texts(key: str, value: str, kind: str) -> None:
    assert flaw((key,), json.dumps(value)) == kind


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("labels", "a=b", ""), ("labels", "a", "label"), ("labels", "com.docker.x=1", "label"),
        ("hosts", "fd://", ""), ("hosts", "127.0.0.1:2375", ""), ("hosts", "http://x", "host"),
        ("dns-search", "example.org", ""), ("dns-search", "a b", "domain"), ("dns-search", ".", ""),
        ("registry-mirrors", "https://m.example.org", ""), ("registry-mirrors", "https://m.example.org/", ""),
        ("registry-mirrors", "m.example.org", "mirror"), ("registry-mirrors", "https://u:p@m.example.org", "mirror"),
        ("registry-mirrors", "https://m.example.org/x", "mirror-path"),
        ("exec-opts", "native.cgroupdriver=systemd", ""),
        ("exec-opts", "x=y", "option"),
    ],
)  # fmt: skip
def test_flaws_in_lists(key: str, value: str, kind: str) -> None:
    assert flaw((key, "0"), json.dumps(value)) == kind


def test_flaws_of_pools() -> None:
    assert flaw(("default-address-pools", "0", "base"), '"10.0.0.0"') == "network"
    assert flaw(("default-address-pools", "0", "base"), '"10.0.0.0/8"') == ""
