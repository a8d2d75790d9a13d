"""What mailcow wants, from every value that mailcow.conf may hold."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from preflight.checks.ports.conf_words import words
from preflight.facts import Asked, ConfFile, Setting
from preflight.gather.conf.mailcow_conf import ALLOWED
from preflight.mailcow import plan
from preflight.mailcow.certificate import Certificate
from preflight.mailcow.conf.problems import Problem, ProblemKind
from preflight.mailcow.conf.programs import SWITCHES
from preflight.mailcow.plan import Plan
from tests.build import conf_file

ASKED = Asked()


def made(**values: str) -> Plan:
    return plan.make(conf_file(values), ASKED)


def places(result: Plan) -> dict[str, tuple[str, int]]:
    return {wanted.variable: (row.address, row.port) for row in result.bindings for wanted in row.published}


def only(result: Plan) -> Problem:
    (problem,) = result.problems
    return problem


@pytest.mark.parametrize("conf", [None, ConfFile(plan.DEFAULT_CONF, False, {}), conf_file({})])
def test_mailcows_own_defaults(conf: ConfFile | None) -> None:
    result = plan.make(conf, ASKED)
    assert [row.subject for row in result.bindings] == [
        *(f"{port}/tcp" for port in (25, 465, 587, 143, 993, 110, 995, 4190, 80, 443)),
        *(f"127.0.0.1:{port}/tcp" for port in (13306, 7654, 19991)),
    ]
    assert result.problems == ()
    assert (result.ipv4_network, result.ipv6_network) == ("172.22.1.0/24", "fd4d:6169:6c63:6f77::/64")
    assert result.ipv6
    assert result.project == "mailcowdockerized"
    assert result.directory == "/opt/mailcow-dockerized"
    assert result.ports[:2] == (25, 465)
    assert result.hostname is None
    assert result.domains == ()


@pytest.mark.parametrize(
    ("variable", "value", "place"),
    [
        ("SMTP_PORT", "2525", ("", 2525)),
        ("SMTP_PORT", "", ("", 25)),
        ("SMTP_PORT", "0025", ("", 25)),
        ("SMTP_PORT", ":25", ("", 25)),
        ("SMTP_PORT", "192.0.2.1:25", ("192.0.2.1", 25)),
        ("SMTP_PORT", "0.0.0.0:25", ("0.0.0.0", 25)),
        ("SMTP_PORT", "[2001:DB8::0:1]:25", ("2001:db8::1", 25)),
        ("SMTP_PORT", "[::ffff:192.0.2.1]:25", ("192.0.2.1", 25)),
        ("SQL_PORT", "127.0.0.2:3306", ("127.0.0.2", 3306)),
        ("SQL_PORT", "[::1]:3306", ("::1", 3306)),
        ("HTTP_PORT", "8080", ("", 8080)),
    ],
)
def test_values_that_mailcow_takes(variable: str, value: str, place: tuple[str, int]) -> None:
    result = made(**{variable: value})
    assert places(result)[variable] == place
    assert result.problems == ()


@pytest.mark.parametrize(
    ("variable", "value", "place", "kind", "fix"),
    [
        ("SMTP_PORT", "smtp", ("", 25), "not-a-place", "SMTP_PORT=25"),
        ("SMTP_PORT", "25/tcp", ("", 25), "not-a-place", "SMTP_PORT=25"),
        ("SMTP_PORT", "mail.example.org:25", ("", 25), "not-a-place", "SMTP_PORT=25"),
        ("SMTP_PORT", "2001:db8::1:25", ("", 25), "not-a-place", "SMTP_PORT=25"),
        ("SMTP_PORT", "٢٥", ("", 25), "not-a-place", "SMTP_PORT=25"),
        ("SMTP_PORT", "1.2.3.400:25", ("", 25), "no-such-address", "SMTP_PORT=25"),
        ("SMTP_PORT", "25 ", ("", 25), "not-a-place", "SMTP_PORT=25"),  # from quotes, and Compose refuses it
        ("SMTP_PORT", "26-25", ("", 25), "port-out-of-range", "SMTP_PORT=25"),
        ("SMTP_PORT", "-26", ("", 25), "not-a-place", "SMTP_PORT=25"),
        ("POP_PORT", "127.0.0.1:", ("127.0.0.1", 110), "no-port", "POP_PORT=127.0.0.1:110"),
        ("POP_PORT", "[::1]:", ("::1", 110), "no-port", "POP_PORT=[::1]:110"),
        ("POP_PORT", ":", ("", 110), "no-port", "POP_PORT=:110"),
        ("SMTP_PORT", "224.0.0.1:25", ("", 25), "unreachable-address", "SMTP_PORT=25"),
        ("SMTP_PORT", "0", ("", 25), "port-out-of-range", "SMTP_PORT=25"),
        ("SMTP_PORT", "65536", ("", 25), "port-out-of-range", "SMTP_PORT=25"),
        ("SMTP_PORT", "999999999", ("", 25), "port-out-of-range", "SMTP_PORT=25"),
        ("SQL_PORT", "x", ("127.0.0.1", 13306), "not-a-place", "SQL_PORT=127.0.0.1:13306"),
        ("HTTP_PORT", "1.2.3.4:8080", ("", 80), "port-with-address", "HTTP_BIND=1.2.3.4\nHTTP_PORT=8080"),
        ("HTTPS_PORT", "[::1]:8443", ("", 443), "port-with-address", "HTTPS_BIND=[::1]\nHTTPS_PORT=8443"),
        ("HTTP_PORT", "abc:80", ("", 80), "not-a-port", "HTTP_PORT=80"),
        ("HTTP_PORT", "70000", ("", 80), "port-out-of-range", "HTTP_PORT=80"),
        ("HTTP_PORT", "8081", ("", 8081), "reserved-port", "HTTP_PORT=8080"),
        ("HTTPS_PORT", "65510", ("", 65510), "reserved-port", "HTTPS_PORT=8443"),
    ],
)
def test_values_that_mailcow_cannot_use(
    variable: str, value: str, place: tuple[str, int], kind: ProblemKind, fix: str
) -> None:
    result = made(TZ="UTC", **{variable: value})
    problem = only(result)
    assert problem == Problem(variable, kind, 2, value, fix, fatal=True, details=problem.details)
    assert places(result)[variable] == place


@pytest.mark.parametrize(
    ("value", "address", "fix"),
    [
        ("192.0.2.1", "192.0.2.1", None),
        ("[192.0.2.1]", "192.0.2.1", None),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("0.0.0.0", "0.0.0.0", None),
        ("[]", "", None),
        (" 192.0.2.1", "", "HTTP_BIND="),
        ("2001:db8::1", "2001:db8::1", "HTTP_BIND=[2001:db8::1]"),
        ("::", "::", "HTTP_BIND=[::]"),
        ("localhost", "", "HTTP_BIND="),
        ("fe80::1%eth0", "", "HTTP_BIND="),
        ("127.0.0.1:8080", "", "HTTP_BIND=127.0.0.1\nHTTP_PORT=8080"),
        ("224.0.0.1", "", "HTTP_BIND="),
        ("[ff02::1]", "", "HTTP_BIND="),
        ("255.255.255.255", "", "HTTP_BIND="),
    ],
)
def test_web_bind_addresses(value: str, address: str, fix: str | None) -> None:
    result = made(HTTP_BIND=value)
    assert places(result)["HTTP_PORT"] == (address, 80)
    assert places(result)["HTTPS_PORT"] == ("", 443)
    assert [problem.fix for problem in result.problems] == ([fix] if fix else [])


def test_a_range_of_ports_is_taken_with_a_remark() -> None:
    result = made(SIEVE_PORT="192.0.2.1:4190-4195")
    assert places(result)["SIEVE_PORT"] == ("192.0.2.1", 4190)
    problem = only(result)
    assert (problem.fix, problem.fatal) == ("SIEVE_PORT=4190", False)


@pytest.mark.parametrize("value", ["13306", "0.0.0.0:13306", "192.0.2.1:13306"])
def test_a_port_for_the_host_alone_should_not_be_public(value: str) -> None:
    problem = only(made(SQL_PORT=value))
    assert not problem.fatal
    assert problem.fix == "SQL_PORT=127.0.0.1:13306"


@pytest.mark.parametrize(
    ("values", "later", "line", "fix"),
    [
        ({"SMTPS_PORT": "25"}, "SMTPS_PORT", 1, "SMTPS_PORT=465"),
        ({"SMTPS_PORT": "587"}, "SUBMISSION_PORT", 1, "SMTPS_PORT=465"),  # the earlier one was moved
        ({"SMTP_PORT": "192.0.2.1:465"}, "SMTPS_PORT", 1, "SMTP_PORT=25"),  # an address is part of every one
        ({"HTTP_PORT": "443"}, "HTTPS_PORT", 1, "HTTP_PORT=80"),
        ({"IMAP_PORT": "0.0.0.0:143", "POP_PORT": "192.0.2.1:143"}, "POP_PORT", 2, "POP_PORT=110"),
        # Inside the web server's container there is one address alone.
        ({"HTTP_BIND": "127.0.0.1", "HTTP_PORT": "443", "HTTPS_BIND": "192.0.2.1"}, "HTTPS_PORT", 2, "HTTP_PORT=80"),
    ],
)
def test_a_port_given_twice_is_a_problem_of_the_later_variable(
    values: dict[str, str], later: str, line: int, fix: str
) -> None:
    problem = only(made(**values))
    assert (problem.variable, problem.line, problem.fix, problem.fatal) == (later, line, fix, True)


def test_a_port_given_twice_is_one_binding_on_the_same_address() -> None:
    result = made(SMTPS_PORT="25")
    assert [wanted.variable for wanted in result.bindings[0].published] == ["SMTP_PORT", "SMTPS_PORT"]
    assert len({row.subject for row in result.bindings}) == len(result.bindings) == 12


def test_the_same_port_on_different_addresses_is_none() -> None:
    assert made(SMTP_PORT="192.0.2.1:25", SMTPS_PORT="192.0.2.2:25", SUBMISSION_PORT="[::1]:25").problems == ()
    assert made(SMTP_PORT="0.0.0.0:25", SMTPS_PORT="[::]:25").problems == ()


def test_subjects_name_the_address() -> None:
    result = made(SMTP_PORT="198.51.100.7:25", SMTPS_PORT="[2001:db8::7]:465")
    assert [row.subject for row in result.bindings[:2]] == ["198.51.100.7:25/tcp", "[2001:db8::7]:465/tcp"]


@pytest.mark.parametrize(
    ("value", "network", "fix"),
    [
        ("10.1.2", "10.1.2.0/24", None),
        ("", "172.22.1.0/24", None),
        ("172.30.5.0/24", "172.22.1.0/24", "IPV4_NETWORK=172.30.5"),
        ("172.30.5.", "172.22.1.0/24", "IPV4_NETWORK=172.30.5"),
        ("172.30", "172.22.1.0/24", "IPV4_NETWORK=172.22.1"),
        ("300.1.2", "172.22.1.0/24", "IPV4_NETWORK=172.22.1"),
        ("300.1.2.0", "172.22.1.0/24", "IPV4_NETWORK=172.22.1"),
    ],
)
def test_ipv4_network(value: str, network: str, fix: str | None) -> None:
    result = made(IPV4_NETWORK=value)
    assert result.ipv4_network == network
    assert [problem.fix for problem in result.problems] == ([fix] if fix else [])


@pytest.mark.parametrize(
    ("value", "network", "fix"),
    [
        ("fd00:1::/64", "fd00:1::/64", None),
        ("fd00:1::", None, "IPV6_NETWORK=fd00:1::/64"),
        ("fd00:1::1/64", None, "IPV6_NETWORK=fd00:1::/64"),
        ("fd00:1::1/128", None, "IPV6_NETWORK=fd4d:6169:6c63:6f77::/64"),
        ("10.0.0.0/8", None, "IPV6_NETWORK=fd4d:6169:6c63:6f77::/64"),
    ],
)
def test_ipv6_network(value: str, network: str | None, fix: str | None) -> None:
    result = made(IPV6_NETWORK=value)
    assert result.ipv6_network == (network or "fd4d:6169:6c63:6f77::/64")
    assert [problem.fix for problem in result.problems] == ([fix] if fix else [])


@pytest.mark.parametrize(
    ("value", "on", "problems"),
    [
        ("true", True, 0),
        ("", True, 0),
        ("yes", True, 0),
        ("FALSE", False, 0),
        ("off", False, 1),
        ("No", False, 1),
        ("nope", True, 1),
        ("0", True, 1),
        (" true", True, 1),
    ],
)
def test_enable_ipv6_is_a_boolean_of_compose(value: str, on: bool, problems: int) -> None:
    result = made(ENABLE_IPV6=value)
    assert (result.ipv6, len(result.problems)) == (on, problems)


def test_switches() -> None:
    result = made(SKIP_CLAMD="YES", SKIP_FTS="n", SKIP_SOGO="y", SKIP_LETS_ENCRYPT="true")
    assert (result.skip_clamd, result.skip_fts, result.skip_sogo) == (True, False, True)
    assert not result.certificate.skipped
    assert made().skip_fts  # docker-compose.yml's own default
    assert not plan.make(ConfFile(plan.DEFAULT_CONF, False, {}), ASKED).skip_fts  # the installer's


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Certificate()),
        ({"AUTODISCOVER_SAN": "", "ENABLE_SSL_SNI": "n", "DIRECTORY_URL": ""}, Certificate()),
        ({"SKIP_LETS_ENCRYPT": "Yes"}, Certificate(skipped=True)),
        ({"AUTODISCOVER_SAN": "n"}, Certificate(labels=())),
        ({"ONLY_MAILCOW_HOSTNAME": "y", "AUTODISCOVER_SAN": "y"}, Certificate(labels=())),
        ({"ENABLE_SSL_SNI": "y", "ACME_DNS_CHALLENGE": "y"}, Certificate(apart=True, method="dns-01")),
        ({"DIRECTORY_URL": "https://ca.example.net/acme"}, Certificate(elsewhere=True)),
        ({"DIRECTORY_URL": "https://ca.example.net/acme", "LE_STAGING": "y"}, Certificate()),
    ],
)
def test_the_certificate_that_is_asked_for(values: dict[str, str], expected: Certificate) -> None:
    assert made(**values).certificate == expected
    assert set(values) <= ALLOWED


@pytest.mark.parametrize(
    ("variable", "value", "fix"),
    [
        *((name, value, None) for name in SWITCHES for value in ("y", "n", "N", "no", "")),
        ("SKIP_CLAMD", "Yes", None),
        ("HTTP_REDIRECT", "Y", None),
        ("SKIP_UNBOUND_HEALTHCHECK", "Yes", "SKIP_UNBOUND_HEALTHCHECK=y"),
        ("SKIP_SOGO", "yes", "SKIP_SOGO=y"),
        ("SKIP_CLAMD", "true", "SKIP_CLAMD=y"),
        ("SKIP_LETS_ENCRYPT", "1", "SKIP_LETS_ENCRYPT=y"),
        ("SKIP_FTS", "off", "SKIP_FTS=n"),
        ("SKIP_OLEFY", "y ", "SKIP_OLEFY=n"),
        ("FTS_HEAP", "128", None),
        ("FTS_HEAP", "512M", "FTS_HEAP=128"),
        ("FTS_PROCS", "0", "FTS_PROCS=1"),
        ("DOCKER_COMPOSE_VERSION", "native", None),
        ("DOCKER_COMPOSE_VERSION", "", None),
        ("DOCKER_COMPOSE_VERSION", "v2", "DOCKER_COMPOSE_VERSION=native"),
        ("SNAT_TO_SOURCE", "n", None),
        ("SNAT_TO_SOURCE", "192.0.2.1", None),
        ("SNAT_TO_SOURCE", "2001:db8::1", "SNAT_TO_SOURCE=n"),
        ("SNAT6_TO_SOURCE", "2001:db8::1", None),
        ("SNAT6_TO_SOURCE", "eth0", "SNAT6_TO_SOURCE=n"),
        ("SNAT_TO_SOURCE", "127.0.0.1", "SNAT_TO_SOURCE=n"),
        ("TZ", "America/Argentina/Buenos_Aires", None),
        ("COMPOSE_PROJECT_NAME", "", "COMPOSE_PROJECT_NAME=mailcowdockerized"),
    ],
)
def test_what_mailcows_own_programs_would_not_take_warns(variable: str, value: str, fix: str | None) -> None:
    problems = [problem for problem in made(**{variable: value}).problems if problem.variable == variable]
    assert [(problem.fix, problem.fatal) for problem in problems] == ([(fix, False)] if fix else [])


def test_a_zone_must_be_one() -> None:
    conf = conf_file({"TZ": "Europe/Berln"})
    assert plan.make(conf, ASKED).problems == ()  # the host has no zones to ask
    assert not only(plan.make(replace(conf, zone=False), ASKED)).fatal
    assert plan.make(replace(conf, zone=True), ASKED).problems == ()
    assert only(made(TZ="Europe/Berlin -x")).fatal  # it is part of a command line


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mail.example.org", None),
        ("mail", "hostname"),
        ("mail.example.org.", "hostname"),
        ("192.0.2.1", "hostname"),
        ("ma_il.example.org", "hostname"),
        ("mail example.org", "hostname"),
        ("", "hostname-empty"),
    ],
)
def test_the_host_name_is_a_full_one(name: str, kind: ProblemKind | None) -> None:
    problems = made(MAILCOW_HOSTNAME=name).problems
    assert [(problem.kind, problem.fatal) for problem in problems] == ([(kind, True)] if kind else [])


def test_a_dns_challenge_needs_a_provider() -> None:
    assert only(made(ACME_DNS_CHALLENGE="y", ACME_DNS_PROVIDER="dns_xxx")).variable == "ACME_DNS_PROVIDER"
    assert made(ACME_DNS_CHALLENGE="y", ACME_DNS_PROVIDER="dns_cf").problems == ()
    said = {"ACME_DNS_CHALLENGE": Setting("y", 1), "ACME_DNS_PROVIDER": Setting("$MINE", 2, refers=True)}
    assert only(plan.make(ConfFile(plan.DEFAULT_CONF, True, said), ASKED)).kind == "refers"


def test_project_names_are_lower_case() -> None:
    assert made(COMPOSE_PROJECT_NAME="mail-cow_2").project == "mail-cow_2"
    result = made(COMPOSE_PROJECT_NAME="MailCow")
    assert (result.project, only(result).variable) == ("mailcowdockerized", "COMPOSE_PROJECT_NAME")


def test_a_reference_is_not_followed_and_said_once() -> None:
    said = {"SMTP_PORT": Setting("${OTHER}", 1, refers=True), "HTTP_BIND": Setting("$BIND", 2, refers=True)}
    result = plan.make(ConfFile(plan.DEFAULT_CONF, True, said), ASKED)
    assert places(result)["SMTP_PORT"] == ("", 25)
    assert [(problem.variable, problem.fatal) for problem in result.problems] == [
        ("SMTP_PORT", False),
        ("HTTP_BIND", False),
    ]
    assert all(problem.kind == "refers" for problem in result.problems)
    assert [problem.fix for problem in result.problems] == ["SMTP_PORT=25", "HTTP_BIND="]
    assert only(made(SMTP_PORT="$OTHER")).fatal  # from single quotes: no reference


def test_names() -> None:
    result = plan.make(conf_file({"MAILCOW_HOSTNAME": "mail.example.org"}), ASKED)
    assert (result.fqdn, result.domains) == ("mail.example.org", ("example.org",))
    result = plan.make(None, Asked(hostname="Mail.Bücher.example.", domains=("a.example", "A.example.")))
    assert (result.hostname, result.fqdn) == ("Mail.Bücher.example.", "mail.xn--bcher-kva.example")
    assert result.domains == ("a.example",)
    assert plan.make(None, Asked(hostname="example.org")).domains == ("example.org",)
    assert plan.make(None, Asked(mailcow_conf="/srv/m/mailcow.conf")).directory == "/srv/m"


VARIABLES = [wanted.variable for wanted in plan.SHAPE] + [wanted.bind for wanted in plan.SHAPE if wanted.bind]
VARIABLES += ["IPV4_NETWORK", "IPV6_NETWORK", "ENABLE_IPV6", "COMPOSE_PROJECT_NAME", "TZ", "FTS_HEAP"]
VARIABLES += ["MAILCOW_HOSTNAME", "SNAT_TO_SOURCE", "SNAT6_TO_SOURCE", "DOCKER_COMPOSE_VERSION", *SWITCHES]
VALUES = st.text(max_size=30) | st.from_regex(r"\A(\[?[0-9a-f:.%/]{0,20}\]?:)?[0-9]{0,7}\Z") | st.just("$X")


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first of all examples makes tables of characters
@given(st.dictionaries(st.sampled_from(VARIABLES), VALUES, max_size=6))
def test_any_values_make_a_plan(values: dict[str, str]) -> None:
    result = made(**values)
    assert all(1 <= row.port <= 65535 for row in result.bindings)
    subjects = [row.subject for row in result.bindings]
    assert len(set(subjects)) == len(subjects)
    assert sorted(places(result)) == sorted(wanted.variable for wanted in plan.SHAPE)
    assert all(words(problem).endswith(".") for problem in result.problems)


def test_every_variable_that_refers_to_another_is_told_once() -> None:
    """Those that decide nothing by themselves too."""
    said = {name: Setting("$X", line, refers=True) for line, name in enumerate(VARIABLES, 1)}
    problems = plan.make(ConfFile(plan.DEFAULT_CONF, True, said), ASKED).problems
    assert sorted(problem.variable for problem in problems) == sorted(VARIABLES)
    assert {problem.kind for problem in problems} == {"refers"}


def test_how_the_lines_are_written_is_told_last() -> None:
    settings = {
        "SMTP_PORT": Setting("x", 7, shell="y"),
        "TZ": Setting("it's", 8, shell=""),
        "POP_PORT": Setting("1", 9),
    }
    conf = ConfFile(plan.DEFAULT_CONF, True, settings, {"SMTP_PORT": [1, 7], "IMAP_PORT": [2, 3]})
    found = [(one.variable, one.kind, one.line, one.fix) for one in plan.make(conf, ASKED).problems]
    assert found == [
        ("SMTP_PORT", "not-a-place", 7, "SMTP_PORT=25"),
        ("TZ", "not-a-zone", 8, "TZ=Etc/UTC"),
        ("SMTP_PORT", "set-twice", 7, ""),
        ("IMAP_PORT", "set-twice", 3, ""),
        ("SMTP_PORT", "shell-differs", 7, "SMTP_PORT=x"),
        ("TZ", "shell-reads-nothing", 8, ""),
    ]


def test_the_names_are_those_of_the_plan() -> None:
    for conf in (None, conf_file({}), conf_file({"MAILCOW_HOSTNAME": "Mail.example.org"})):
        for asked in (ASKED, Asked(hostname="mx.b\u00fccher.example", domains=("a.example",))):
            names, whole = plan.names(conf, asked), plan.make(conf, asked)
            assert (names.hostname, names.fqdn, names.domains) == (whole.hostname, whole.fqdn, whole.domains)
