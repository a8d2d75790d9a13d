"""Values of options, as the command line takes or refuses them: what is read, and one line that names the mistake."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import click
import pytest

from preflight.assess.waivers import Waiver
from preflight.cli import commands
from tests.line import Line
from tests.probes.engine import FakeEngine


def parsed(*words: str) -> dict[str, Any]:
    """Return the values of the options of `check`."""
    with commands.check.make_context("check", list(words)) as context:
        return context.params


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for option in commands.check.params:
        for name in [option.envvar] if isinstance(option.envvar, str) else option.envvar or ():
            monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("option", "given", "name", "value"),
    [
        ("--hostname", " mail.example.org ", "hostname", "mail.example.org"),
        ("--hostname", "mail.example.org.", "hostname", "mail.example.org."),
        ("--hostname", "Straße.example", "hostname", "Straße.example"),
        ("--hostname", "x" * 253, "hostname", "x" * 253),
        ("--domain", "example.org", "domains", ("example.org",)),
        ("--domain", "\tbücher.example\n", "domains", ("bücher.example",)),
        ("--public-ip", "203.0.113.7", "public_ips", ("203.0.113.7",)),
        ("--public-ip", " [2001:DB8:0::1] ", "public_ips", ("2001:db8::1",)),
        ("--dkim-selector", " s2026 ", "dkim_selector", "s2026"),
        ("--timeout", "0.1", "timeout", 0.1),
        ("--timeout", "3600", "timeout", 3600.0),
        ("--hold", "1", "hold", 1.0),
        ("--hold", "3600", "hold", 3600.0),
        ("--wait", "0", "wait", 0.0),
        ("--wait", "86400", "wait", 86400.0),
        ("--resolver", "192.0.2.53", "resolvers", ("192.0.2.53",)),
        ("--resolver", "[2001:db8::53]:5353", "resolvers", ("[2001:db8::53]:5353",)),
        ("--ntp-server", "ntp.example.org:1123", "ntp_servers", ("ntp.example.org:1123",)),
        ("--ntp-server", "2001:db8::123", "ntp_servers", ("2001:db8::123",)),
        ("--outbound", "ghcr.io:443/tcp", "outbound", ("ghcr.io:443/tcp",)),
        ("--ping-target", "198.51.100.53", "ping_targets", ("198.51.100.53",)),
        ("--smtp-target", "mx.example.org:2525", "smtp_targets", ("mx.example.org:2525",)),
        ("--blocklist", "list.example", "blocklists", ("list.example",)),
        ("--address-service", "http://ip.example/", "address_services", ("http://ip.example/",)),
        ("--docker-host", "tcp://192.0.2.1:2375", "docker_host", "tcp://192.0.2.1:2375"),
        ("--docker-host", "unix:///run/docker.sock", "docker_host", "unix:///run/docker.sock"),
        ("--ignore", "ports.free:[::1]:25/tcp=known@2027-01-31", "ignores",
         (Waiver("ports.free", "[::1]:25/tcp", "known", datetime.date(2027, 1, 31)),)),
        ("--ignore", " resources.swap = zram ", "ignores", (Waiver("resources.swap", None, "zram"),)),
        ("--ignore", "resources.swap:=", "ignores", (Waiver("resources.swap"),)),
    ],
)  # fmt: skip
def test_what_is_read(option: str, given: str, name: str, value: object) -> None:
    assert parsed(option, given)[name] == value


@pytest.mark.parametrize(
    ("option", "given", "said"),
    [
        ("--hostname", "   ", "'' is not a name."),
        ("--hostname", "x" * 254, f"{'x' * 60!r} is not a name."),
        ("--hostname", "a b", "'a b' is not a name."),
        ("--hostname", "a/b", "'a/b' is not a name."),
        ("--hostname", "a:25", "'a:25' is not a name."),
        ("--hostname", "a@b", "'a@b' is not a name."),
        ("--hostname", "a,b", "'a,b' is not a name."),
        ("--hostname", "a\x7fb", "'a\\x7fb' is not a name."),
        ("--hostname", "a\x1bb", "'a\\x1bb' is not a name."),
        ("--domain", "exa mple.org", "'exa mple.org' is not a name."),
        ("--domain", "a..b", ""),
        ("--domain", "-a.example", ""),
        ("--domain", "x" * 64 + ".example", ""),
        ("--public-ip", "203.0.113", "'203.0.113' is not an IP address."),
        ("--public-ip", "203.0.113.7/24", "'203.0.113.7/24' is not an IP address."),
        ("--public-ip", "y" * 99, f"{'y' * 60!r} is not an IP address."),
        ("--timeout", "0.09", "0.09 is not in the range 0.1 to 3600 seconds."),
        ("--timeout", "soon", "'soon' is not a number of seconds."),
        ("--hostname", "https://mail.example.org/x", "is a URL. Give only the name: mail.example.org"),
        ("--timeout", "3600.1", "3600.1 is not in the range"),
        ("--timeout", "inf", "inf is not in the range"),
        ("--hold", "0", "0 is not in the range"),
        ("--hold", "3600.5", "3600.5 is not in the range"),
        ("--hold", "nan", "'nan' is not a number of seconds."),
        ("--timeout", "-nan", "'-nan' is not a number of seconds."),
        ("--resolver", "192.0.2.53:0", ""),
        ("--ping-target", "ping.example.org", "'ping.example.org' is not an address to ping: write"),
        ("--smtp-target", "mx.example.org:0", "'mx.example.org:0' is not a mail server: write"),
        ("--blocklist", "list", "'list' is not the zone of a block list: write"),
        ("--address-service", "ip.example", "'ip.example' is not the URL of a service: write"),
        ("--outbound", "ghcr.io:443", "'ghcr.io:443' is not a connection: write"),
        ("--ignore", "resources.swap=x@2027-02-30", "2027-02-30 is not a date such as 2027-01-31."),
    ],
)
def test_what_is_refused(option: str, given: str, said: str, preflight: Line) -> None:
    with pytest.raises(click.BadParameter) as caught:
        parsed(option, given)
    assert said in caught.value.message
    run = preflight(option, given)
    assert (run.code, run.out) == (2, "")
    (line,) = run.err.splitlines()
    assert option in line
    assert line.isprintable()


def test_a_flag_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("HOSTNAME", "other.example"), ("IGNORE", "a.b=c\n\nd.e"), ("PROBE", "0"), ("STRICT", "yes")):
        monkeypatch.setenv(f"PREFLIGHT_{name}", value)
    told = parsed()
    assert (told["hostname"], told["probe"], told["strict"]) == ("other.example", False, True)
    assert told["ignores"] == (Waiver("a.b", None, "c"), Waiver("d.e"))
    told = parsed("--hostname", "mail.example.org", "--probe", "--ignore", "x.y")
    assert (told["hostname"], told["probe"], told["ignores"]) == ("mail.example.org", True, (Waiver("x.y"),))


# --- the command that tidies up --------------------------------------------------------------------------------


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    fake = FakeEngine(tmp_path)
    yield fake
    fake.close()


DEAD = {"mailcow-preflight.run": "x", "mailcow-preflight.boot": "11111111-2222-3333-4444-555555555555"}


def test_what_was_removed_is_printed_a_line_each(engine: FakeEngine, preflight: Line) -> None:
    engine.put("containers", "mailcow-preflight-x-test", DEAD)
    engine.put("networks", "odd\x1b[31m\nname", DEAD)
    engine.put("containers", "somebodys", {})
    run = preflight("cleanup", "--docker-host", engine.url)
    assert (run.code, run.err) == (0, "")
    assert run.out == "removed container mailcow-preflight-x-test\nremoved network odd?[31m?name\n"
    assert preflight("cleanup", "--docker-host", engine.url) == (0, "nothing to remove\n", "")
    assert engine.left == {"somebodys"}


@pytest.mark.parametrize("fault", [(500, "broken\nstore \x1b[2J"), (403, "denied by a plugin")])
def test_an_engine_that_does_not_do_it_is_no_verdict_on_the_host(
    fault: tuple[int, str], engine: FakeEngine, preflight: Line
) -> None:
    engine.faults["GET /containers"] = fault
    run = preflight("cleanup", "--docker-host", engine.url)
    assert (run.code, run.out) == (3, "")
    (line,) = run.err.splitlines()
    assert line.startswith(f"preflight: Cannot remove objects on the Docker engine at {engine.url}: ")
    assert line.isprintable()


def test_an_engine_that_is_not_there_is_told_in_a_line(preflight: Line) -> None:
    run = preflight("cleanup", "--docker-host", "unix:///nowhere/docker.sock")
    assert (run.code, run.out, len(run.err.splitlines())) == (3, "", 1)


# --- what a word on the command line may have meant ------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("explain", "ports.fre"), "There is no check 'ports.fre': did you mean ports.free?"),
        (("explain", "x" * 200), f"There is no check {'x' * 80!r}: `preflight checks` lists them."),
        (("--only", "ports.*", "--ignore", "dns.mx"), "--ignore 'dns.mx' matches none of the selected checks"),
        (("--only", "ports.*", "--skip", "ports.fre"), "--skip 'ports.fre' matches no check: did you mean ports.free?"),
        (("--requirements", "2016-01"), "--requirements "),
        (("--root", "/etc/hostname"), "--root '/etc/hostname' is not a directory."),
        (("--root", ""), "--root '' is not a directory."),
        (("--waivers", ""), "'' is not the name of a file"),
        (("--baseline", "/nowhere.json"), "/nowhere.json: No such file or directory"),
        (("compare", "/nowhere.json", "/nowhere.json"), "/nowhere.json: No such file or directory"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(words: tuple[str, ...], said: str, preflight: Line) -> None:
    run = preflight(*words)
    assert (run.code, run.out) == (2, "")
    assert said in run.err
    assert len(run.err.splitlines()) == 1
