"""docker.daemon-config by its facts: which version of the engine refuses which value, and how that is corrected."""

from __future__ import annotations

from typing import Any

import pytest

from preflight.facts import Command, DaemonConfig, Directive, EngineStart, Fact, GivenFlag
from preflight.report.model import Result, Status
from tests.build import look, run
from tests.checks.engines import engine
from tests.checks.wellhost import CIDR, COMMANDS, well

PATH = "/etc/docker/daemon.json"
FAIL, PASS = Status.FAIL, Status.PASS
TAKEN: dict[str, Any] = {"ipv6": True, "fixed-cidr-v6": CIDR}


def judged(
    *directives: Directive, version: str = "28.5.2", flags: tuple[str, ...] = (), held: dict[str, Any] | None = None
) -> Result:
    """Judge the host on which all is well, but for these values in its daemon.json."""
    given = tuple(GivenFlag(name, "/lib/systemd/system/docker.service") for name in flags)
    start = EngineStart(
        version=version, directives=directives, flags=given, command="/lib/systemd/system/docker.service"
    )
    config = DaemonConfig(PATH, True, TAKEN | (held or {}))
    programs = {name: Command(f"/usr/bin/{name}", False) for name in COMMANDS}
    host = well(engine=engine(version=version), engine_start=start, daemon_config=config, commands=programs)
    (result,) = run("docker.daemon-config", look(host))
    return result


def value(name: str, form: Any, flaw: str = "", *more: str, number: int | None = None) -> Directive:
    return Directive((name, *more), 3, form, flaw, number)


# --- flaws that not every version refuses --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("directive", "takes", "refuses"),
    [
        (value("mtu", "integer", "negative"), "20.10.24", "23.0.0"),
        (value("log-format", "string", "word"), "24.0.9", "25.0.0"),
        (value("log-level", "string", "warning"), "24.0.9", "25.0.0"),
        (value("userland-proxy-path", "string", "relative"), "24.0.9", "25.0.0"),
        (value("fixed-cidr-v6", "string", "network"), "25.0.5", "26.0.0"),
        (value("exec-opts", "string", "option", "0"), "27.5.1", "28.0.0"),
        (value("network-diagnostic-port", "integer", "negative"), "27.5.1", "28.0.0"),
        (value("network-diagnostic-port", "integer", "port"), "27.5.1", "28.0.0"),
        (value("registry-mirrors", "string", "mirror-path", "0"), "24.0.9", "23.0.6"),
        (value("dns", "string", "zone", "0"), "29.0.0", "28.5.2"),
    ],
    ids=lambda value: ".".join(value.path) if isinstance(value, Directive) else value,
)
def test_a_flaw_counts_for_the_versions_that_refuse_it(directive: Directive, takes: str, refuses: str) -> None:
    said = f"Line 3 of {PATH}: "
    assert said not in judged(directive, version=takes).message
    result = judged(directive, version=refuses)
    assert (result.status, said in result.message) == (FAIL, True)
    assert said not in judged(directive, version="").message  # of no version that is known


@pytest.mark.parametrize(
    ("directive", "word"),
    [
        (value("dns", "string", "address", "0"), "a value of dns is not an IP address."),
        (value("bip", "string", "network"), "a value of bip is not a network with a prefix length."),
        (
            value("max-concurrent-downloads", "integer", "negative"),
            "the value of max-concurrent-downloads is negative.",
        ),
        (value("dns-search", "string", "domain", "0"), "a value of dns-search is not a domain name."),
        (value("labels", "string", "label", "0"), "a value of labels does not have the form key=value"),
        (value("hosts", "string", "host", "0"), "a value of hosts is not an address to listen on."),
        (value("registry-mirrors", "string", "mirror", "0"), "is not a plain http:// or https:// address."),
        (value("default-shm-size", "string", "size"), "the value of default-shm-size is not a size such as 64M."),
        (value("log-level", "string", "word"), "does not know the value of log-level"),
        (value("labels", "string", "twice", "0"), "labels gives one key two values."),
    ],
    ids=lambda value: value.flaw if isinstance(value, Directive) else "",
)
def test_each_flaw_is_told_with_its_line(directive: Directive, word: str) -> None:
    result = judged(directive)
    assert (result.status, word in result.message) == (FAIL, True), result.message
    assert f"Line 3 of {PATH}: " in result.message


def test_a_flaw_of_a_kind_that_is_not_known_says_nothing() -> None:
    assert judged(value("dns", "string", "of-the-future", "0")).status is PASS


def test_a_value_of_the_wrong_type_is_told_once() -> None:
    result = judged(value("dns", "string", "address"))
    assert result.message.count("Line 3") == 1
    assert "Found: a string in quotation marks. Needed: a list in square brackets." in result.message


# --- types ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "form", "found", "needed"),
    [
        ("debug", "string", "a string in quotation marks", "true or false"),
        ("debug", "integer", "a number", "true or false"),
        ("mtu", "string", "a string in quotation marks", "a number"),
        ("mtu", "fraction", "a number that is not whole, or too large", "a number"),
        ("mtu", "huge", "a number that is too large", "a number"),
        ("data-root", "integer", "a number", "a string in quotation marks"),
        ("data-root", "boolean", "true or false", "a string in quotation marks"),
        ("dns", "object", "an object in curly brackets", "a list in square brackets"),
        ("log-opts", "list", "a list in square brackets", "an object in curly brackets"),
        ("features", "string", "a string in quotation marks", "an object in curly brackets"),
    ],
)
def test_a_wrong_type_names_both(name: str, form: str, found: str, needed: str) -> None:
    result = judged(value(name, form))
    assert result.status is FAIL
    assert f"Line 3 of {PATH}: the value of {name} has the wrong type" in result.message
    assert f"Found: {found}. Needed: {needed}." in result.message


@pytest.mark.parametrize(
    ("directive", "text", "change"),
    [
        (value("log-opts", "integer", "", "max-file", number=3), 'Write it in quotation marks: "max-file": "3".',
         '.["log-opts"]["max-file"] |= tostring'),
        (value("log-opts", "boolean", "", "compress"), "Write the value of log-opts → compress in quotation marks.",
         '.["log-opts"]["compress"] |= tostring'),
        (value("debug", "string"), "", '.["debug"] |= (. == "true")'),
        (value("mtu", "string"), "", '.["mtu"] |= tonumber'),
        (value("dns", "string"), "", '.["dns"] |= [.]'),
    ],
    ids=lambda value: ".".join(value.path) if isinstance(value, Directive) else "",
)  # fmt: skip
def test_a_wrong_type_is_turned_into_the_right_one(directive: Directive, text: str, change: str) -> None:
    remedy = judged(directive).remedy
    assert remedy
    assert text in remedy.text
    assert any(change in command for command in remedy.commands), remedy.commands


def test_what_cannot_be_turned_is_left_to_the_reader() -> None:
    remedy = judged(value("debug", "object")).remedy
    assert remedy
    assert "Correct the settings and restart the engine" in remedy.text
    assert not any("jq" in command for command in remedy.commands)


# --- given twice ---------------------------------------------------------------------------------------------


def test_a_setting_in_two_places_stays_in_one() -> None:
    result = judged(value("data-root", "string"), flags=("data-root",))
    assert result.status is FAIL
    assert result.remedy
    assert f"Keep each setting in one place: remove data-root from {PATH}." in result.remedy.text
    assert any('del(.["data-root"])' in command for command in result.remedy.commands)


def test_hosts_in_two_places_may_stay_in_the_file() -> None:
    result = judged(value("hosts", "list"), flags=("hosts",))
    assert result.status is FAIL
    assert result.remedy
    assert f"Remove hosts from {PATH}" in result.remedy.text
    assert "systemctl edit docker" in result.remedy.text
    assert "in /lib/systemd/system/docker.service without -H" in result.remedy.text


@pytest.mark.parametrize("key", ["iptables", "ip6tables", "ip-masq", "ip-forward"])
def test_what_mailcow_needs_is_switched_on_again(key: str) -> None:
    result = judged(value(key, "boolean"), held={key: False})
    assert result.status is not PASS
    assert result.remedy
    assert key in result.remedy.text
    assert any(f'"{key}"' in command for command in result.remedy.commands), result.remedy.commands


def test_an_engine_that_accepts_the_file_is_asked_before_it_is_restarted() -> None:
    remedy = judged(value("debug", "string")).remedy
    assert remedy
    assert any(command.startswith(f"dockerd --validate --config-file {PATH} && ") for command in remedy.commands)
    old = judged(value("debug", "string"), version="20.10.24").remedy
    assert old
    assert not any("--validate" in command for command in old.commands)


def test_without_the_next_start_the_settings_that_run_are_judged() -> None:
    gone: Fact[EngineStart] = Fact.unknown("x", "It was denied.", cause="denied")
    (result,) = run("docker.daemon-config", look(well(engine_start=gone)))
    assert result.status is PASS
