"""Which ports mail and web servers open, by their own settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.services import listeners, listeners_web
from preflight.gather.services.listeners import Streams, postfix, streams
from preflight.gather.services.services import services
from tests.gather.trees import copy, out_of_reach
from tests.gather.units import SYSTEMD, enabled, tree

SMTP = "smtp inet n - y - - smtpd\n"
UNIX = "pickup unix n - y 60 1 pickup\nsmtp unix - - y - - smtp\n"
HERE = (("127.0.0.1", 25), ("::1", 25))


@pytest.mark.parametrize(
    ("main", "master", "opened"),
    [
        ("", SMTP + UNIX, (("", 25),)),
        ("", UNIX, ()),
        ("", "#" + SMTP + UNIX, ()),
        ("inet_interfaces = loopback-only\n", SMTP, HERE),
        ("inet_interfaces =\n  127.0.0.1,\n  [::1]\n", SMTP, HERE),
        ("inet_interfaces = $myhostname, localhost\n", SMTP, (("", 25),)),
        ("master_service_disable = inet\n", SMTP + "submission inet n - y - - smtpd\n", ()),
        ("master_service_disable = smtp/inet\n", SMTP + "submission inet n - y - - smtpd\n", (("", 587),)),
        ("master_service_disable = !smtp/inet inet\n", SMTP + "465 inet n - y - - smtpd\n", (("", 25),)),
        ("master_service_disable = unix\n", SMTP, (("", 25),)),
        ("master_service_disable = $none\n", SMTP, None),
        ("master_service_disable = inet\nmaster_service_disable =\n", SMTP, (("", 25),)),
        ("# master_service_disable = inet\n", SMTP, (("", 25),)),
        ("", SMTP + "  -o smtpd_x=1\n#x\n  -o y=2\nsmtps inet n - y - - smtpd\n", (("", 25), ("", 465))),
        ("", "127.0.0.1:10025 inet n - y - - smtpd\n[::1]:smtp inet n - y - - smtpd\n",
         (("127.0.0.1", 10025), ("::1", 25))),
        ("inet_interfaces = 192.0.2.1\n", "localhost:25 inet n - y - - smtpd\n", HERE),
        ("", "nobody-knows inet n - y - - smtpd\n", None),
        ("multi_instance_enable = yes\nmulti_instance_directories = /etc/postfix-out\n", UNIX, None),
        ("multi_instance_enable = no\nmulti_instance_directories = /etc/postfix-out\n", UNIX, ()),
    ],
)  # fmt: skip
def test_what_postfix_opens(main: str, master: str, opened: Streams | None) -> None:
    assert postfix(main, master) == opened


def test_postfix_without_its_files_is_not_known(tmp_path: Path) -> None:
    assert streams(copy(tmp_path, **{"/etc/postfix/master.cf": UNIX}), "postfix", "postfix") is None
    assert streams(out_of_reach(), "postfix", None) is None
    assert streams(out_of_reach(), "maddy", None) is None


UNIT = {"/usr/lib/systemd/system/exim4.service": ""}
SCRIPT = {"/etc/init.d/exim4": "case ${QUEUERUNNER} in\n"}


@pytest.mark.parametrize(
    ("files", "settings", "opened"),
    [
        (UNIT, "EXIMSERVICE='-q30m'\n", ()),
        (UNIT, "# EXIMSERVICE='-q30m'\n", None),
        (UNIT, "EXIMSERVICE='-bdf -q30m'\n", None),
        (UNIT, "QUEUERUNNER='queueonly'\n", None),  # which that version no longer reads
        (SCRIPT, "QUEUERUNNER='queueonly'\n", ()),
        (SCRIPT, "QUEUERUNNER=nodaemon\n", ()),
        (SCRIPT, "QUEUERUNNER='combined'\n", None),
        (SCRIPT, "QUEUERUNNER='no'\n", None),  # listens, and runs no queue
        ({"/etc/init.d/exim4": "EXIMDAEMONOPTS\n"}, "EXIMDAEMONOPTS='-q30m'\n", ()),
        ({}, "", None),
    ],
)
def test_what_exim_is_told_to_open(
    tmp_path: Path, files: dict[str, str], settings: str, opened: Streams | None
) -> None:
    assert streams(copy(tmp_path, **{"/etc/default/exim4": settings, **files}), "exim4", "exim4-base") == opened


def test_dovecot_s_core_has_no_protocol_of_its_own(tmp_path: Path) -> None:
    roots = copy(tmp_path)
    assert streams(roots, "dovecot", "dovecot-core") == ()
    assert streams(roots, "dovecot", "dovecot-core dovecot-imapd") is None
    assert streams(roots, "dovecot", None) is None


DOVECOT = "/etc/dovecot/dovecot.conf"
DEBIAN = "!include_try /usr/share/dovecot/protocols.d/*.protocol\n!include conf.d/*.conf\n"


@pytest.mark.parametrize(
    ("files", "opened"),
    [
        ({DOVECOT: "protocols = lmtp\n"}, ()),
        ({DOVECOT: "protocols = none\nprotocol imap {\n  protocols = imap\n}\n"}, ()),
        ({DOVECOT: "# protocols = lmtp\n"}, None),
        ({DOVECOT: "protocols = imap lmtp # both\n"}, None),
        ({DOVECOT: "protocols = imap\nprotocols = lmtp\n"}, ()),
        ({DOVECOT: "protocols = $protocols lmtp\n"}, None),
        ({DOVECOT: "protocols {\n  lmtp = yes\n}\n"}, None),
        ({DOVECOT: "protocols = lmtp\nlogin_greeting = {\nprotocols = imap\n"}, None),
        ({DOVECOT: "protocols = lmtp\nservice lmtp { inet_listener lmtp {\n"}, None),
        ({DOVECOT: "protocols = lmtp\nservice lmtp {\n  inet_listener lmtp {\n    port = 24\n  }\n}\n"}, None),
        (
            {
                DOVECOT: "protocols = none\n" + DEBIAN,
                "/usr/share/dovecot/protocols.d/lmtpd.protocol": "protocols = $protocols lmtp\n",
            },
            (),
        ),
        (
            {
                DOVECOT: "protocols = none\n" + DEBIAN,
                "/usr/share/dovecot/protocols.d/imapd.protocol": "protocols = $protocols imap\n",
            },
            None,
        ),
        ({DOVECOT: f"protocols = lmtp\n!include {DOVECOT}\n"}, None),
        ({DOVECOT: "protocols = lmtp\n!include gone.conf\n"}, None),
        ({DOVECOT: "protocols = lmtp\n!include_try gone.conf\n"}, ()),
        ({}, None),
    ],
)
def test_dovecot_that_only_delivers_opens_no_port(
    tmp_path: Path, files: dict[str, str], opened: Streams | None
) -> None:
    assert streams(copy(tmp_path, **files), "dovecot", None) == opened


# --- nginx ---------------------------------------------------------------------------------------------------

NGINX = "/etc/nginx/nginx.conf"
HTTP = "events {}\nhttp { include /etc/nginx/sites-enabled/*; }\n"


@pytest.mark.parametrize(
    ("files", "opened"),
    [
        ({NGINX: HTTP, "/etc/nginx/sites-enabled/default": "server { listen 80 default_server; listen [::]:80; }"},
         (("", 80), ("::", 80))),
        ({NGINX: HTTP, "/etc/nginx/sites-enabled/x": 'server { server_name "a;{ b"; listen 127.0.0.1:8080 ssl; }'},
         (("127.0.0.1", 8080),)),
        ({NGINX: HTTP}, ()),
        ({NGINX: "http { server { # listen 8080;\n root /srv; } }"}, (("", 80),)),
        ({NGINX: "http { server { listen unix:/run/x; } }"}, ()),
        ({NGINX: "http { server { listen localhost; listen *:81; listen 192.0.2.1; } }"},
         (("", 80), ("", 81), ("192.0.2.1", 80))),
        ({NGINX: "stream { server { listen 25; proxy_pass x; } }"}, (("", 25),)),
        ({NGINX: "http { server { listen $port; } }"}, None),
        ({NGINX: "http { include /etc/*/x.conf; }"}, None),
        ({NGINX: "include nginx.conf;"}, None),
        ({NGINX: "http { include missing.conf; }"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_what_nginx_opens(tmp_path: Path, files: dict[str, str], opened: Streams | None) -> None:
    assert streams(copy(tmp_path, **files), "nginx", "nginx") == opened


# --- Apache --------------------------------------------------------------------------------------------------

APACHE = "/etc/apache2/apache2.conf"
DEBIAN = {
    APACHE: "IncludeOptional mods-enabled/*.load\nInclude ports.conf\nIncludeOptional sites-enabled/*.conf\n",
    "/etc/apache2/ports.conf": "Listen 8080\n<IfModule ssl_module>\n\tListen 443\n</IfModule>\n",
}


@pytest.mark.parametrize(
    ("files", "opened"),
    [
        (DEBIAN, (("", 8080),)),
        (DEBIAN | {"/etc/apache2/mods-enabled/ssl.load": "LoadModule ssl_module /x.so\n"}, (("", 8080), ("", 443))),
        ({"/etc/httpd/conf/httpd.conf": "Listen 80\nIncludeOptional conf.d/*.conf\n",
          "/etc/httpd/conf.d/ssl.conf": "Listen 443 https\n"}, (("", 80), ("", 443))),
        ({APACHE: "Listen 127.0.0.1:8080\nListen [::1]:8080\n"}, (("127.0.0.1", 8080), ("::1", 8080))),
        ({APACHE: "<IfDefine X>\nListen 80\n</IfDefine>\n"}, (("", 80),)),
        ({APACHE: "Include ${X}/ports.conf\n"}, None),
        ({APACHE: "Listen ${PORT}\n"}, None),
        ({APACHE: "Include missing.conf\n"}, None),
        ({APACHE: "IncludeOptional missing.conf\n"}, ()),
        ({}, None),
    ],
)  # fmt: skip
def test_what_apache_opens(tmp_path: Path, files: dict[str, str], opened: Streams | None) -> None:
    assert streams(copy(tmp_path, **files), "apache2", "apache2") == opened


def test_settings_without_an_end_are_not_known(tmp_path: Path) -> None:
    many = {f"/etc/nginx/conf.d/{number}.conf": "" for number in range(listeners.FILES + 1)}
    assert streams(copy(tmp_path, **{NGINX: "include /etc/nginx/conf.d/*.conf;", **many}), "nginx", None) is None


@given(st.text(alphabet="server{} listen;:80[]#\"'\n\\include", max_size=200))
def test_no_settings_break_it(text: str) -> None:
    list(listeners_web._TOKENS.finditer(text))
    postfix(text, text)


def test_a_service_tells_what_it_opens(tmp_path: Path) -> None:
    files = enabled("postfix.service") | {"/etc/postfix/main.cf": "", "/etc/postfix/master.cf": UNIX}
    (found,) = services(tree(tmp_path, SYSTEMD | files)).get().services
    assert (found.name, found.streams) == ("postfix", ())
