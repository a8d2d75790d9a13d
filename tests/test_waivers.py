"""Waivers: read from a file, shown with their reason in every format, counted again when they are over."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from preflight.assess.waiver_file import read
from preflight.checks import Check, Look, catalogue
from preflight.facts import Asked, Memory, MissingFact
from preflight.render import FORMATS
from preflight.report.documents import encode, read_facts
from preflight.text.inputs import InputError
from tests.build import STARTED, host, look
from tests.line import Line

GIB = 1 << 30
TODAY, YESTERDAY = STARTED[:10], "2026-11-22"
ASKED = Asked(offline=True, probe=False)
NO_SWAP = host(memory=Memory(8 * GIB, 6 * GIB, 0, 0), asked=ASKED, conf={"HTTP_PORT": "8080"})


@pytest.fixture
def facts(tmp_path: Path) -> str:
    path = tmp_path / "facts.json"
    path.write_text(encode(NO_SWAP))
    return str(path)


def waivers(folder: Path, *entries: str) -> str:
    path = folder / "waivers.toml"
    path.write_text("".join(f"[[waiver]]\n{entry}\n" for entry in entries))
    return str(path)


SWAP = 'id = "resources.swap"\nreason = "zram instead"'


@pytest.mark.parametrize(
    ("until", "status", "said"),
    [
        ("", "ignored", "zram instead"),
        (f"until = {TODAY}", "ignored", f"zram instead (through {TODAY})"),
        (f'until = "{TODAY}"', "ignored", f"zram instead (through {TODAY})"),
        (f"until = {YESTERDAY}", "warn", f"The waiver (zram instead) expired on {YESTERDAY}. This counts again."),
    ],
)
def test_a_waiver_holds_through_its_last_day(
    until: str, status: str, said: str, facts: str, tmp_path: Path, preflight: Line
) -> None:
    name = waivers(tmp_path, f"{SWAP}\n{until}")
    run = preflight("--facts", facts, "--only", "resources.swap", "--waivers", name, "--strict", "--format", "json")
    (row,) = json.loads(run.out)["results"]
    assert (row["status"], row["reason"]) == (status, said)
    assert row["was"] == ("warn" if status == "ignored" else None)
    assert run.code == (0 if status == "ignored" else 1)
    for form in set(FORMATS) - {"json", "zone", "sh", "conf", "prometheus"}:
        shown = preflight("--facts", facts, "--only", "resources.swap", "--waivers", name, "--format", form).out
        told = "The waiver (zram instead) expired" if status == "warn" else "zram instead"
        if form != "github" or status == "warn":  # an annotation tells what needs somebody
            assert told in " ".join(shown.split()).replace("\\", ""), form


def test_the_file_and_the_command_line_hold_together(facts: str, tmp_path: Path, preflight: Line) -> None:
    over = waivers(tmp_path, f"{SWAP}\nuntil = {YESTERDAY}")
    arguments = ("--facts", facts, "--only", "resources.*", "--format", "json", "--waivers", over)
    rows = {}
    for ignore in ((), ("--ignore", "resources.swap=still known"), ("--ignore", "resources.cpu-*")):
        run = preflight(*arguments, *ignore)
        rows[ignore[-1:]] = {row["check"]: row["status"] for row in json.loads(run.out)["results"]}
    assert rows[()]["resources.swap"] == "warn"
    assert rows[("resources.swap=still known",)]["resources.swap"] == "ignored"
    assert rows[("resources.cpu-*",)]["resources.cpu-frequency"] == "ignored"  # unknown, in this host


@pytest.mark.parametrize(
    ("entry", "ignored"),
    [
        ("ports.free:25/tcp", {"25/tcp"}),
        ("ports.free:*/tcp", {"25/tcp", "8080/tcp", "[::1]:4190/tcp", "127.0.0.1:13306/tcp"}),
        ("ports.free:127.0.0.?:13306/tcp", {"127.0.0.1:13306/tcp"}),
        ("ports.free:[::1]:4190/tcp", {"[::1]:4190/tcp"}),
        ("*:25/tcp", {"25/tcp"}),
    ],
)
def test_a_subject_is_exact_or_a_pattern(entry: str, ignored: set[str], tmp_path: Path, preflight: Line) -> None:
    path = tmp_path / "other.json"
    conf = {"HTTP_PORT": "8080", "SIEVE_PORT": "[::1]:4190"}
    path.write_text(encode(host(asked=ASKED, conf=conf)))
    check, _, subject = entry.partition(":")
    name = waivers(tmp_path, f'id = "{check}"\nsubject = "{subject}"\nreason = "known"')
    for given in (("--waivers", name), ("--ignore", f"{entry}=known")):
        run = preflight("--facts", str(path), "--only", "ports.free", "--format", "json", *given)
        rows = [row for row in json.loads(run.out)["results"] if row["status"] == "ignored"]
        assert ignored <= {row["subject"] for row in rows}
        assert ignored == {row["subject"] for row in rows} or "*/" in entry


def refused(run: object) -> str:
    code, out, err = run  # type: ignore[misc]
    assert (code, out) == (2, "")
    (told,) = err.splitlines()
    assert len(told) <= 500
    return str(told)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('id = "resources.swop"', "matches no check"),
        ('id = "Resources.*"', "matches no check"),
        ('id = "dns.mx"', "matches none of the selected checks"),
        ('id = "ports.free"\nsubject = "80/tcp"', "there are 25/tcp"),  # mailcow.conf moved it to 8080
        ('id = "ports.free"\nsubject = "25"', "no subject"),
        ('id = "resources.swap"\nsubject = "/swapfile"', "it has none"),
        ('id = "network.subnet"\nsubject = "ipv4"', "there are IPv4, IPv6"),
    ],
)
def test_a_waiver_of_nothing_is_refused(entry: str, said: str, facts: str, tmp_path: Path, preflight: Line) -> None:
    asked = [word for name in ("ports.*", "resources.*", "network.subnet") for word in ("--only", name)]
    name = waivers(tmp_path, f'{entry}\nreason = "known"')
    told = refused(preflight("--facts", facts, *asked, "--waivers", name))
    assert said in told
    assert f"{name}: number 1" in told
    check, _, subject = entry.removeprefix('id = "').partition('"\nsubject = "')
    ignore = f"{check}:{subject}" if subject else check
    assert said in refused(preflight("--facts", facts, *asked, "--ignore", f"{ignore.rstrip(chr(34))}=known"))


@pytest.mark.parametrize(
    ("entry", "noted"),
    [
        ("dns.mx:example.org", False),  # skipped: nobody knows which domains there are
        ("services.mail:exim4.service", False),  # not known in this host
        ("resources.swap", False),
        ("resources.memory", False),  # passes: nothing to waive, and nothing wrong
        ("resources.disk:/srv/docker", True),  # found on the host
    ],
)
def test_what_is_mended_or_skipped_is_no_mistake(entry: str, noted: bool, facts: str, preflight: Line) -> None:
    run = preflight("--facts", facts, "--ignore", f"{entry}=known", "--format", "json")
    assert run.code in (1, 3)
    assert ("there is no such result" in run.err) is noted


def test_where_mailcows_wishes_are_not_known_a_subject_is_no_mistake(tmp_path: Path, preflight: Line) -> None:
    path = tmp_path / "facts.json"
    path.write_text(encode(host(asked=ASKED)))
    run = preflight("--facts", str(path), "--only", "ports.free", "--ignore", "ports.free:2525/tcp")
    assert run.code == 3
    assert "2525/tcp" in run.err


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "waiver"),
        ("waiver = 1", "$.waiver"),
        ('[[waiver]]\nid = "resources.swap"', "reason"),
        ('[[waiver]]\nreason = "x"', "id"),
        ('[[waiver]]\nid = "resources.swap"\nreason = " "', "$.waiver[0].reason"),
        ('[[waiver]]\nid = ""\nreason = "x"', "$.waiver[0].id"),
        (f'[[waiver]]\n{SWAP}\nsubject = ""', "$.waiver[0].subject"),
        (f"[[waiver]]\n{SWAP}\nuntil = 2027-02-30", "line"),
        (f'[[waiver]]\n{SWAP}\nuntil = "soon"', "$.waiver[0].until"),
        (f"[[waiver]]\n{SWAP}\nuntil = 1", "$.waiver[0].until"),
        (f"[[waiver]]\n{SWAP}\nexpires = 2027-01-31", "expires"),
        (f"[[waiver]]\n{SWAP}\n[[waivers]]", "waivers"),
        ("a = " + "[" * 2000, "waivers.toml"),
        ("waiver", "at end of document"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(
    text: str, word: str, facts: str, tmp_path: Path, preflight: Line
) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(text)
    with pytest.raises(InputError):
        read(str(path))
    told = refused(preflight("--facts", facts, "--waivers", str(path)))
    assert str(path) in told
    assert word in told


@pytest.mark.parametrize("name", ["", "/nowhere.toml", "/dev", "/dev/zero"])
def test_a_file_that_is_none_is_refused(name: str, facts: str, preflight: Line) -> None:
    refused(preflight("--facts", facts, "--waivers", name))


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_bytes(b'[[waiver]]\nid = "\xff"')
    with pytest.raises(InputError, match="UTF-8"):
        read(str(path))


HOSTS = sorted(path for path in (Path(__file__).parent / "hosts").glob("*.json") if ".report." not in path.name)


def subjects(check: Check, given: Look) -> list[str] | None:
    """Return what a check is run for; None: that cannot be known."""
    assert check.subjects
    try:
        return [entry if isinstance(entry, str) else entry.subject for entry in check.subjects(given)]
    except MissingFact:
        return None


def test_a_check_says_whether_its_subjects_are_the_host_s_own() -> None:
    """They are where a host of which nothing is known, but for mailcow.conf and the options, has other ones."""
    depend = set()
    for real in map(read_facts, HOSTS):
        bare = msgspec.structs.replace(host(asked=real.asked), mailcow_conf=real.mailcow_conf)
        depend |= {
            check.id
            for check in catalogue()
            if check.subjects and subjects(check, look(real)) != subjects(check, look(bare))
        }
    assert depend == {check.id for check in catalogue() if check.of_host}
