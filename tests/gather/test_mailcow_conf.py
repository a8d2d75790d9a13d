"""mailcow.conf, read as Compose reads it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from preflight.facts import EnvFile, Missing, Setting, View
from preflight.gather.access.roots import Roots
from preflight.gather.conf.mailcow_conf import ALLOWED, LONGEST, STATEMENTS, given, mailcow_conf, parse
from preflight.mailcow.plan import DEFAULT_CONF
from preflight.text.inputs import InputError

COPY = View(container=False, root="/x", live=False, network=False, privileged=None)


def copy(path: Path) -> Roots:
    return Roots(str(path), COPY)


def values(text: str) -> dict[str, str]:
    return {name: setting.value for name, setting in parse(text, "c").settings.items()}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("SMTP_PORT=25", "25"),
        ("SMTP_PORT = 25 ", "25"),
        ("\tSMTP_PORT=25", "25"),
        ("SMTP_PORT: 25", "25"),
        ("export SMTP_PORT=25", "25"),
        ("export\tSMTP_PORT=25", "25"),
        ("SMTP_PORT=25 # ours", "25"),
        ("SMTP_PORT=25#ours", "25#ours"),
        ("SMTP_PORT= # ours", "# ours"),  # as Compose has it: a comment needs something before its space
        ("SMTP_PORT=", ""),
        ("SMTP_PORT='25' # ours", "25"),
        ('SMTP_PORT="25"', "25"),
        (r"""SMTP_PORT='a\'b\nc'""", r"a'b\nc"),
        (r'''SMTP_PORT="a\"b\tc\\d\$e\101\q"''', 'a"b\tc\\d$e\\101\\q'),
        (r'SMTP_PORT="\0101\08\0777\0351"', "A\\8\\777é"),
        ('SMTP_PORT="25 # no comment"', "25 # no comment"),
        ('SMTP_PORT="two\nlines"', "two…"),  # secrets may stand there
        ("SMTP_PORT=$$OTHER", "$OTHER"),
        ("SMTP_PORT='$OTHER'", "$OTHER"),
        ("SMTP_PORT=a$%b$1", "a$%b$1"),
        ('SMTP_PORT="25 "', "25 "),
        ("SMTP_PORT=25\x1c", "25\x1c"),  # space for Python, and not for Compose
        ("SMTP_PORT=$(touch /tmp/never)", "$(touch /tmp/never)"),
        ("SMTP_PORT=a=b", "a=b"),
    ],
)
def test_a_value(line: str, value: str) -> None:
    conf = parse(f"# a comment = 'with a quote\n{line}\nTZ=UTC\n", "c")
    assert {name: (entry.value, entry.line, entry.refers) for name, entry in conf.settings.items()} == {
        "SMTP_PORT": (value, 2, False),
        "TZ": ("UTC", 3 + line.count("\n"), False),
    }
    assert (conf.bad_lines, conf.marks, conf.duplicates) == ((), (), {})


@pytest.mark.parametrize("value", ["$OTHER", "${OTHER:-25}", "${OTHER}$", "${A-${B}}", "${TZ+${TZ}}x"])
def test_a_reference_stays_as_it_is(value: str) -> None:
    for written in (value, f'"{value}"'):
        assert parse(f"TZ=UTC\nSMTP_PORT={written}\n", "c").settings["SMTP_PORT"] == Setting(value, 2, refers=True)


@pytest.mark.parametrize(
    ("line", "shell"),
    [
        ("TZ=a", None),
        ("TZ='a b'", None),
        ('TZ="a b" # c', None),
        ("TZ=a\\\nb", "ab"),
        ("TZ=a b", ""),  # a command b, for which alone TZ is set
        ("TZ = a", ""),
        ("TZ: a", ""),
        ("TZ= # a", ""),
        ("TZ=a\\b", "ab"),
        ('TZ="a\\tb"', "a\\tb"),
        ("TZ='a'b", "ab"),
        ("TZ=a;b", "a"),
        ("TZ=a&b", ""),
        ("TZ=a|b", ""),
        ("TZ=~/a", "~/a"),
        ("TZ=$(id)", "$(id)"),
        ("TZ=`id`", "`id`"),
        ("TZ='$TZ'", None),
        ("TZ=$$", "$$"),
        ("TZ=${A:-b}", None),
    ],
)
def test_what_a_shell_reads_instead(line: str, shell: str | None) -> None:
    conf = parse(f"{line}\nSMTP_PORT=25\n", "c")
    assert conf.settings["TZ"].shell == shell
    assert conf.settings["SMTP_PORT"].shell is None
    assert conf.shell_ends == 0


def test_lines_that_a_shell_runs_and_where_it_ends() -> None:
    conf = parse("TZ=UTC\nDBPASS=correct horse\nDBROOT=a(b\nSMTP_PORT=a b\n", "c")
    assert (conf.commands, conf.shell_ends) == ((2,), 3)
    assert conf.settings["SMTP_PORT"].shell is None  # it is not known any more
    assert parse("TZ=a b\nTZ=UTC\nfoo\n", "c").commands == (1, 3)
    assert parse("TZ=a b\n", "c").commands == ()  # told with the variable
    assert parse('A="\nTZ=UTC\n', "c").shell_ends == 1
    assert parse("TZ=UTC\nA[\n", "c").shell_ends == 2  # an index that nothing closes
    assert parse("A[0]=b\nTZ=UTC\n", "c").shell_ends == 0


def test_the_last_of_several_wins_and_all_are_told() -> None:
    conf = parse("SMTP_PORT=25\nTZ=UTC\nDBPASS=1\nDBPASS=2\nSMTP_PORT=2525", "c")
    assert conf.settings["SMTP_PORT"] == Setting("2525", 5)
    assert conf.duplicates == {"SMTP_PORT": [1, 5]}


def test_what_windows_leaves_is_taken_with_a_remark() -> None:
    conf = parse(b"\xef\xbb\xbfSMTP_PORT=25\r\nTZ='UTC'\r\nHTTP_BIND=\r\n", "c")
    assert {name: setting.value for name, setting in conf.settings.items()} == {
        "SMTP_PORT": "25", "TZ": "UTC", "HTTP_BIND": "",
    }  # fmt: skip
    assert conf.marks == ("bom", "crlf")
    assert conf.bad_lines == ()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("FOO BAR=1", "space"),
        ("FOO BAR", "space"),
        ("- a list", "space"),
        ("F!O=1", "character"),
        ("\ufeffA=1", "character"),
        ('A="open', "quote"),
        ("A='open", "quote"),
        ("DBPASS=a${b", "dollar"),
        ("DBPASS=${1}", "dollar"),
        ("A=${TZ:-${1}}", "dollar"),
        ("A=${B:?why}", "unset"),
        ("A=" + "${B:-" * 30 + "}" * 30, "many"),
        ("A=" + "${B}" * 60, "many"),
        ("A=" + "a" * 9000 + "${", "many"),
        ("A=a\0b", "nul"),
    ],
)
def test_a_line_that_compose_refuses_is_told(line: str, fault: str) -> None:
    conf = parse(f"TZ=UTC\n{line}\nSMTP_PORT=25\n", "c")
    assert conf.bad_lines == (2,)
    assert conf.refusals == (fault,)
    assert set(conf.settings) == {"TZ", "SMTP_PORT"}


@pytest.mark.parametrize("text", ["=1\nTZ=UTC\n", "export =1\nTZ=UTC\n", "TZ=UTC\nSMTP_PORT", "TZ=UTC\n- x"])
def test_a_value_without_a_name(text: str) -> None:
    conf = parse(text, "c")
    assert (len(conf.nameless), conf.bad_lines, set(conf.settings)) == (1, (), {"TZ"})


def test_a_name_alone_takes_no_value_from_anywhere() -> None:
    assert values("TZ\nexport HTTP_PORT\nSMTP_PORT=25\n") == {"SMTP_PORT": "25"}


def test_secrets_are_not_kept() -> None:
    secret = "correct-horse"
    names = ("DBPASS", "DBROOT", "REDISPASS", "SPAMHAUS_DQS_KEY", "API_KEY", "SOGO_URL_ENCRYPTION_KEY", "DBUSER")
    conf = parse("\n".join(f"{name}={secret}\n{name}={secret}" for name in names) + "\nTZ=UTC\n", "c")
    assert secret.encode() not in msgspec.json.encode(conf)
    assert set(conf.settings) == {"TZ"}
    assert conf.duplicates == {}
    for text in (
        'TZ="\nDBPASS=%s\nA="b"\n',
        "TZ=UTC DBPASS=%s",
        "DBPASS=%s x\n",
        'DBPASS="%s\n',
        "DBPASS=a${%s\n",
        "DBPASS=%s\nTZ=$DBPASS\n",
        "TZ=a'\nDBPASS=%s '\n",
        'TZ="UTC\\nDBPASS=%s"',
        "%s\n",
        "TZ=UTC\\\nDBPASS=%s",
    ):
        assert secret.encode() not in msgspec.json.encode(parse(text % secret, "c")), text
    assert not [name for name in ALLOWED if "PASS" in name or "KEY" in name or "ROOT" in name]


def test_values_and_lists_are_bounded() -> None:
    conf = parse("SMTP_PORT=" + "9" * 10_000 + "\n" + "!\n" * 1000 + "TZ=1\n" * 1000, "c")
    assert len(conf.settings["SMTP_PORT"].value) == LONGEST
    assert len(conf.bad_lines) == len(conf.duplicates["TZ"]) == 20
    conf = parse("TZ=1\n" * (STATEMENTS + 1), "c")
    assert conf.read_to == STATEMENTS + 1


@pytest.mark.parametrize(
    "line",
    [
        "A='x'", "A=" + "${a-" * 1600 + "}" * 1600 + "\n", "TZ=" + "${a-" * 20 + "x" * 8000 + "}" * 20 + "\n", "a\n",
        'A="\n', "A=${a}", "A=$A$A\n", "#\n", "export ", "\\a", "`a", "$((",
    ],
)  # fmt: skip
def test_a_file_as_large_as_may_be_is_read_in_seconds(line: str) -> None:
    started = time.process_time()
    parse(line * (4_000_000 // len(line)), "c")
    parse('TZ="' + line.replace('"', "") * (4_000_000 // len(line)) + '"', "c")
    assert time.process_time() - started < 20


@examples(st.binary(max_size=200) | st.text(alphabet="TZ='\"\\ #\n:$export\r\ufeff", max_size=60).map(str.encode))
def test_nothing_breaks_it(data: bytes) -> None:
    conf = parse(data, "c")
    assert set(conf.settings) <= ALLOWED
    last = data.decode("utf-8", "replace").count("\n") + 1
    assert all(1 <= line <= last for line in (*conf.bad_lines, *(s.line for s in conf.settings.values())))


def test_the_default_file(tmp_path: Path) -> None:
    fact = mailcow_conf(copy(tmp_path), None)
    assert fact.get().present is False
    assert fact.get().path == DEFAULT_CONF
    place = tmp_path / DEFAULT_CONF[1:]
    place.parent.mkdir(parents=True)
    place.write_text("SMTP_PORT=26\n")
    assert mailcow_conf(copy(tmp_path), None).get().settings == {"SMTP_PORT": Setting("26", 1)}
    place.unlink()
    place.mkdir()
    fact = mailcow_conf(copy(tmp_path), None)
    assert fact.missing is not None
    assert fact.missing.kind == "unknown"
    assert DEFAULT_CONF in fact.missing.reason


@pytest.mark.parametrize(
    ("zones", "zone", "known"),
    [
        (("Etc/UTC", "Asia/Tokyo"), "Asia/Tokyo", True),
        (("Etc/UTC",), "Europe/Berln", False),
        (("Etc/UTC",), "", None),
        (("Etc/UTC",), "../../passwd", None),
        ((), "Asia/Tokyo", None),
    ],
)
def test_whether_the_host_knows_the_zone(tmp_path: Path, zones: tuple[str, ...], zone: str, known: bool | None) -> None:
    for name in zones:
        (tmp_path / "usr/share/zoneinfo" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "usr/share/zoneinfo" / name).write_text("TZif")
    (tmp_path / "m.conf").write_text(f"TZ={zone}\n")
    assert mailcow_conf(copy(tmp_path), "/m.conf").get().zone is known


def test_without_the_hosts_files_nothing_is_taken_for_a_default() -> None:
    why = Missing("unknown", "Out of reach.", "Add --pid=host to docker run.")
    fact = mailcow_conf(Roots(None, COPY, why=why), None)
    assert fact.missing is not None
    assert fact.missing.help == "Add --pid=host to docker run."
    with pytest.raises(InputError, match="Add --pid=host"):
        given(Roots(None, COPY, why=why), "/a")


def test_a_file_given_by_name_is_one_of_the_host(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/m.conf").write_text("TZ=UTC\n")
    (tmp_path / "link").symlink_to("/etc/m.conf")
    for name in ("/etc/m.conf", "/link", "etc/m.conf"):
        assert given(copy(tmp_path), name).settings == {"TZ": Setting("UTC", 1)}
        assert mailcow_conf(copy(tmp_path), name).get().settings == {"TZ": Setting("UTC", 1)}


def test_natively_a_relative_name_is_meant_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.conf").write_text("TZ=UTC\n")
    monkeypatch.chdir(tmp_path)
    conf = given(Roots("/", msgspec.structs.replace(COPY, live=True)), "m.conf")
    assert conf.path == str(tmp_path / "m.conf")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/missing", "/missing: not found"),
        ("/directory", "/directory: a directory"),
        ("/fifo", "/fifo: not a regular file"),
        ("/binary", "/binary: line 2: a binary file"),
        ("/huge", "/huge: larger than 16 MiB"),
        ("/loop", "/loop: too many links"),
        ("/dangling", "/dangling: not found"),
        ("", "not a path"),
        ("/a\0b", "not a path"),
    ],
)
def test_a_file_given_by_name_must_be_one(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "binary").write_bytes(b"TZ=UTC\nA=\0\n")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate((16 << 20) + 1)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(InputError) as error:
        given(copy(tmp_path), name)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not mailcow_conf(copy(tmp_path), name).known


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({}, EnvFile("{0}/.env", "absent", clone=True)),
        ({"link": "mailcow.conf"}, EnvFile("{0}/.env", "link", "mailcow.conf", same=True, clone=True)),
        ({"link": "./../mailcow-dockerized/mailcow.conf"}, EnvFile("{0}/.env", "link", "{1}", same=True, clone=True)),
        ({"link": "other.conf"}, EnvFile("{0}/.env", "link", "other.conf", same=False, clone=True)),
        ({"file": "mailcow.conf"}, EnvFile("{0}/.env", "file", clone=True)),
        ({"file": "TZ=UTC\n"}, EnvFile("{0}/.env", "file", same=True, clone=True)),
        ({"folder": ""}, EnvFile("{0}/.env", "other", clone=True)),
    ],
)
def test_what_stands_as_dot_env(tmp_path: Path, made: dict[str, str], expected: EnvFile) -> None:
    folder = tmp_path / "opt/mailcow-dockerized"
    folder.mkdir(parents=True)
    for name in ("mailcow.conf", "docker-compose.yml", "generate_config.sh"):
        (folder / name).write_text("TZ=UTC\n")
    env = folder / ".env"
    if "link" in made:
        env.symlink_to(made["link"])
    elif "file" in made:
        env.write_text(made["file"])
    elif made:
        env.mkdir()
    target = expected.target.format("", made.get("link", ""))
    wanted = msgspec.structs.replace(expected, path="/opt/mailcow-dockerized/.env", target=target)
    for path in (None, "/opt/mailcow-dockerized/mailcow.conf"):
        assert mailcow_conf(copy(tmp_path), path).get().env == wanted


def test_dot_env_is_looked_at_where_mailcow_is_alone(tmp_path: Path) -> None:
    for folder in ("srv/own", "opt/mailcow-dockerized"):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("mailcow.conf", ".env", "other.conf"):
            (tmp_path / folder / name).write_text(f"TZ={name}\n")
    read = {path: mailcow_conf(copy(tmp_path), path).get().env for path in (None, "/srv/own/mailcow.conf")}
    assert read[None] == EnvFile("/opt/mailcow-dockerized/.env", "file")
    assert read["/srv/own/mailcow.conf"] is None  # somebody's own directory, with somebody's own .env
    assert mailcow_conf(copy(tmp_path), "/opt/mailcow-dockerized/other.conf").get().env is None
    (tmp_path / "opt/mailcow-dockerized/mailcow.conf").unlink()
    before = mailcow_conf(copy(tmp_path), None).get()  # as GitHub's archive has it
    assert (before.present, before.env) == (False, EnvFile("/opt/mailcow-dockerized/.env", "file"))


@pytest.mark.parametrize(
    ("line", "there"),
    [("SPAMHAUS_DQS_KEY=abc", True), ("SPAMHAUS_DQS_KEY=", False), ("#SPAMHAUS_DQS_KEY=abc", False), ("TZ=UTC", False)],
)
def test_of_spamhaus_key_it_is_known_that_there_is_one(line: str, there: bool) -> None:
    conf = parse(f"SMTP_PORT=25\n{line}\n", "c")
    assert conf.spamhaus_key is there
    assert "abc" not in str(conf)
