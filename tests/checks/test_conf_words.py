"""The words for what is wrong with a value of mailcow.conf: each kind of problem has them."""

from __future__ import annotations

from typing import get_args

import pytest

from preflight.checks.ports.conf_lines import REFUSALS
from preflight.checks.ports.conf_words import WORDS, words
from preflight.facts import Asked, LineFault
from preflight.mailcow import plan
from preflight.mailcow.conf.problems import ProblemKind
from tests.build import conf_file


def test_every_kind_has_words() -> None:
    assert WORDS.keys() | {"hostname"} == set(get_args(ProblemKind))


def test_every_fault_of_a_line_has_words() -> None:
    assert REFUSALS.keys() | {""} == set(get_args(LineFault))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"SMTP_PORT": "smtp"}, "SMTP_PORT is neither a port nor an address and a port (such as 192.0.2.1:25)."),
        ({"SMTP_PORT": "1.2.3.400:25"}, "SMTP_PORT has an address that does not exist: 1.2.3.400."),
        ({"SMTP_PORT": "224.0.0.1:25"}, "names 224.0.0.1, a multicast or broadcast address. No host can be reached"),
        ({"HTTP_BIND": "[ff02::1]"}, "names ff02::1, a multicast or broadcast address. No host can be reached"),
        ({"SQL_PORT": "13306"}, "SQL_PORT opens a port on * that is meant only for the host: MariaDB."),
        ({"HTTP_PORT": "[::1]:80"}, "HTTP_PORT takes only a port; the address belongs in HTTP_BIND."),
        ({"HTTP_PORT": "8081"}, "HTTP_PORT must not be 8081. Another service"),
        ({"SMTPS_PORT": "25"}, "SMTPS_PORT and SMTP_PORT both publish port 25."),
        ({"ENABLE_IPV6": "No"}, "ENABLE_IPV6=no means no to Docker Compose"),
        ({"SKIP_SOGO": "Y"}, "SKIP_SOGO=Y leaves SOGo in the web interface"),
        ({"SNAT_TO_SOURCE": "x"}, "SNAT_TO_SOURCE is not an IPv4 address"),
        ({"MAILCOW_HOSTNAME": ""}, "MAILCOW_HOSTNAME is empty."),
        ({"MAILCOW_HOSTNAME": "mail"}, "mail is a single label"),
        ({"MAILCOW_HOSTNAME": "mail.example.org."}, "ends with a dot"),
        ({"MAILCOW_HOSTNAME": "ma_il.example.org"}, "underscore"),
    ],
)
def test_words(values: dict[str, str], told: str) -> None:
    (problem,) = plan.make(conf_file(values), Asked()).problems
    assert told in words(problem)
