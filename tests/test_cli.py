"""The command line as a user meets it: a process, its two outputs, its exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from preflight.facts import Asked, Memory
from preflight.mailcow import plan
from preflight.report.documents import decode_report, encode
from tests.build import host
from tests.documents import held

GIB = 1 << 30
FACTS = host(memory=Memory(8 * GIB, 6 * GIB, 2 * GIB, 2 * GIB), asked=Asked(offline=True, probe=False))


@pytest.fixture
def facts(tmp_path: Path) -> str:
    path = tmp_path / "facts.json"
    path.write_text(encode(FACTS))
    return str(path)


def preflight(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PREFLIGHT_", "MAILCOW_"))}
    run = subprocess.run(
        [sys.executable, "-m", "preflight", *arguments],
        capture_output=True, text=True, timeout=60, env={**clean, **environ}, check=False,
    )  # fmt: skip
    if run.stdout.startswith('{\n  "schema": '):
        held("report" if '"verdict"' in run.stdout else "facts", run.stdout)
    return run


def refused(run: subprocess.CompletedProcess[str]) -> str:
    """Expect a usage or input error: exit 2, one line on standard error, nothing on standard output."""
    assert run.returncode == 2, run
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert len(line) <= 500
    assert "Traceback" not in line
    return line


def test_a_check_that_passes(facts: str) -> None:
    run = preflight("--facts", facts, "--only", "resources.memory", "--only", "resources.swap", "--format", "json")
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert report["verdict"] == "ready"
    assert [row["check"] for row in report["results"]] == ["resources.memory", "resources.swap"]
    assert decode_report(run.stdout).counts.pass_ == 2


def test_check_is_the_default_command_and_markdown_the_default_format(facts: str) -> None:
    spelled, short = (preflight(*words, "--facts", facts, "--only", "resources.*") for words in (("check",), ()))
    texts = [re.sub(r"in \d+\.\d s", "in no time", run.stdout) for run in (spelled, short)]
    assert texts[0] == texts[1]
    assert spelled.stdout.startswith("# ")


def test_a_failure_is_exit_1(facts: str, tmp_path: Path) -> None:
    small = tmp_path / "small.json"
    small.write_text(encode(host(memory=Memory(GIB, GIB, 0, 0), asked=Asked(offline=True, probe=False))))
    assert preflight("--facts", str(small), "--only", "resources.memory").returncode == 1
    assert preflight("--facts", str(small), "--only", "resources.swap").returncode == 0
    assert preflight("--facts", str(small), "--only", "resources.swap", "--strict").returncode == 1
    assert preflight("--facts", str(small), "--only", "resources.swap", PREFLIGHT_STRICT="1").returncode == 1
    assert preflight("--facts", str(small), "--only", "resources.memory", "--requirements", "2017-07").returncode == 0
    ignored = preflight(
        "--facts", str(small), "--only", "resources.memory", "--ignore", "resources.memory=known@2099-12-31"
    )
    assert ignored.returncode == 0
    assert "known" in ignored.stdout


def test_what_is_required_and_unknown_is_exit_3(facts: str) -> None:
    run = preflight("--facts", facts, "--only", "system.kernel", "--format", "json")
    assert run.returncode == 3
    assert json.loads(run.stdout)["verdict"] == "undetermined"


def test_where_everything_is_skipped_nothing_is_called_ready() -> None:
    arguments = ("--only", "dns.*", "--offline", "--hostname", "mail.example.org", "--format")
    document, markdown, text = (preflight(*arguments, form) for form in ("json", "markdown", "text"))
    assert json.loads(document.stdout)["verdict"] == "ready"
    assert {row["status"] for row in json.loads(document.stdout)["results"]} == {"skip"}
    assert document.returncode == markdown.returncode == text.returncode == 0
    assert markdown.stdout.startswith("# ❓ Nothing was judged\n")
    assert text.stdout.startswith("NOTHING WAS JUDGED\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--nonsense",),
        ("nonsense",),
        ("--only", ""),
        ("--only", "ports.nothing"),
        ("--skip", "Ports.*"),
        ("--ignore", "nothing"),
        ("--ignore", "ports.free@2026-13-40"),
        ("--timeout", "never"),
        ("--timeout", "0"),
        ("--timeout", "nan"),
        ("--hostname", ""),
        ("--hostname", "two words"),
        ("--public-ip", "1.2.3"),
        ("--resolver", "ns.example.org"),
        ("--resolver", "192.0.2.1:99999"),
        ("--docker-host", "foo"),
        ("--docker-host", "gopher://x"),
        ("--docker-host", "x" * 1000),
        ("cleanup", "--docker-host", "foo"),
        ("facts", "--docker-host", "foo"),
        ("--format", "html", "--output", "a.md"),
        ("--format", "pdf"),
        ("--format", "json", "--format", "text"),
        ("--output", "/nowhere/report.md"),
        ("--output", "report.pdf"),
        ("--requirements", "/nowhere.toml"),
        ("--requirements", "/dev/zero"),
        ("--facts", ""),
        ("--facts", "/nowhere.json"),
        ("--facts", "/dev"),
        ("--facts", "/dev/zero"),
        ("--mailcow-conf", "/nowhere.conf"),
        ("--mailcow-conf", "/dev"),
        ("explain", "ports.nothing"),
        ("explain",),
        ("schema", "nothing"),
    ],
)
def test_usage_and_input_errors_are_one_line(arguments: tuple[str, ...]) -> None:
    refused(preflight(*arguments))


def test_a_long_or_hostile_argument_stays_one_clean_line() -> None:
    for text in ("x" * 20_000, "a\nb\x1b[31mc\u202ed", "\udcff"):
        line = refused(preflight("--only", text))
        assert "\x1b" not in line
        assert "\u202e" not in line


def test_options_about_a_host_do_not_go_with_recorded_facts(facts: str) -> None:
    for arguments in (
        ("--root", "/"),
        ("--mailcow-conf", "/x"),
        ("--no-probe",),
        ("--resolver", "192.0.2.1"),
        ("--rehearse",),
    ):
        assert arguments[0].replace("--no-", "--") in refused(preflight("--facts", facts, *arguments))


@pytest.mark.parametrize("command", ["check", "facts"])
def test_what_is_held_has_to_be_rehearsed(command: str) -> None:
    assert "--rehearse" in refused(preflight(command, "--hold", "5"))


def test_one_rehearsal_is_held_and_not_each_of_those_that_are_waited_for() -> None:
    assert "--wait" in refused(preflight("--rehearse", "--hold", "5", "--wait", "9"))


def test_mailcow_conf_given_by_name(tmp_path: Path) -> None:
    binary = tmp_path / "binary.conf"
    binary.write_bytes(b"SMTP_PORT=25\0\n")
    refused(preflight("--mailcow-conf", str(binary)))
    good = tmp_path / "mailcow.conf"
    good.write_text("HTTP_PORT=1.2.3.4:80\n")
    run = preflight("--mailcow-conf", str(good), "--only", "ports.configuration", "--format", "json")
    assert run.returncode == 1
    (row,) = [row for row in json.loads(run.stdout)["results"] if row["status"] == "fail"]
    assert row["subject"] == "HTTP_PORT"


def test_reports_go_to_files_by_suffix_and_progress_to_standard_error(facts: str, tmp_path: Path) -> None:
    markdown, document = tmp_path / "a.md", tmp_path / "b.json"
    run = preflight("--facts", facts, "--only", "resources.*", "--output", str(markdown), "--output", str(document))
    assert run.stdout == ""
    assert markdown.read_text().startswith("# ")
    assert json.loads(document.read_text())["schema"] == 1


def test_facts_are_recorded_and_replay_to_the_same_report(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    recorded = preflight("facts", "--offline", "--no-probe", "--output", str(path))
    assert recorded.returncode == 0, recorded.stderr
    first, second = (json.loads(preflight("--facts", str(path), "--format", "json").stdout) for _ in range(2))
    for report in (first, second):
        report.pop("seconds")
        for row in report["results"]:
            row.pop("seconds")
    assert first == second
    assert {row["status"] for row in first["results"]} - {"error"} == {row["status"] for row in first["results"]}


def test_this_machine_is_checked_without_an_error(tmp_path: Path) -> None:
    run = preflight("check", "--offline", "--no-probe", "--format", "json")
    report = json.loads(run.stdout)
    assert run.returncode in (0, 1, 3)
    assert report["counts"]["error"] == 0
    assert "Traceback" not in run.stderr
    assert "preflight: " in run.stderr  # a line per stage where there is no terminal
    assert preflight("check", "--only", "clock.timezone", "--quiet").stderr == ""


def test_only_what_is_asked_for_is_gathered() -> None:
    run = preflight("--only", "clock.timezone", "--format", "json", "--docker-host", "unix:///nowhere.sock")
    assert run.returncode == 0
    assert json.loads(run.stdout)["host"]["engine"] is None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_run_prints_what_is_known(number: int, code: int, tmp_path: Path) -> None:
    """A name server that never answers keeps the run waiting; the signal ends it, and the report still comes."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        resolver = f"127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "preflight", "--hostname", "mail.example.org", "--resolver", resolver, "--no-probe",
             "--only", "dns.mx", "--only", "clock.timezone", "--format", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        silent.settimeout(20)
        silent.recv(4096)  # it is waiting for us now
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == code
    rows = {row["check"]: row for row in json.loads(out)["results"]}
    assert rows["clock.timezone"]["status"] == "pass"
    assert rows["dns.mx"]["status"] == "unknown"
    assert "was interrupted" in rows["dns.mx"]["reason"]  # it neither came to an answer nor to a deadline
    assert "interrupted" in rows["dns.mx"]["reason"]


def test_the_other_commands() -> None:
    listed = json.loads(preflight("checks", "--format", "json").stdout)
    assert {"id", "title", "severity", "section"} <= set(listed[0])
    explained = preflight("explain", "ports.free")
    assert explained.returncode == 0
    assert "ports.free" in explained.stdout
    for name in ("report", "facts", "reach"):
        assert json.loads(preflight("schema", name).stdout)["$schema"].endswith("2020-12/schema")
    assert "0." in preflight("--version").stdout
    assert "--hostname" in preflight("check", "--help").stdout


def test_options_are_environment_variables_too(facts: str) -> None:
    run = preflight(PREFLIGHT_FACTS=facts, PREFLIGHT_ONLY="resources.memory resources.swap", PREFLIGHT_FORMAT="json")
    assert [row["check"] for row in json.loads(run.stdout)["results"]] == ["resources.memory", "resources.swap"]
    flag_wins = preflight("--only", "resources.swap", PREFLIGHT_FACTS=facts, PREFLIGHT_ONLY="resources.memory")
    assert "resources.swap" in preflight("checks").stdout
    assert flag_wins.returncode == 0
    refused(preflight(PREFLIGHT_TIMEOUT="soon"))


def test_the_default_configuration_is_where_mailcow_lies() -> None:
    assert plan.DEFAULT_CONF == "/opt/mailcow-dockerized/mailcow.conf"


def test_facts_that_are_asked_about_another_name_know_nothing_of_its_hosts_file(tree: Path, tmp_path: Path) -> None:
    """The lines of /etc/hosts that were kept are those of the name that the facts were gathered for."""
    recorded = json.loads((tree / "tests/hosts/debian12-nested.json").read_text())
    lines = [{"address": "127.0.1.1", "names": ["mail.elsewhere.example"], "line": 2}]
    recorded["hosts_file"] = {"source": "/etc/hosts", "value": lines, "missing": None}
    (tmp_path / "facts.json").write_text(json.dumps(recorded))
    for name, status in (("mail.elsewhere.example", "skip"), (recorded["asked"]["hostname"], "skip")):
        words = ["--facts", str(tmp_path / "facts.json"), "--hostname", name, "--only", "dns.hostname"]
        (row,) = json.loads(preflight(*words, "--format", "json").stdout)["results"]
        assert row["status"] == status, row["message"]


def test_facts_that_are_asked_about_another_name_say_whose_they_are(tree: Path, tmp_path: Path) -> None:
    recorded = json.loads((tree / "tests/hosts/debian12-nested.json").read_text())
    answer = {"name": "mail.example.org.", "type": "A", "rcode": "NOERROR", "records": ["198.51.100.7"]}
    recorded["asked"] |= {"hostname": "mail.example.org", "offline": False}
    recorded["answers"] = {"source": "DNS", "value": {"mail.example.org. A": answer}, "missing": None}
    (tmp_path / "facts.json").write_text(json.dumps(recorded))
    words = ["--facts", str(tmp_path / "facts.json"), "--only", "dns.*", "--format", "json"]
    rows = json.loads(preflight(*words, "--hostname", "mail.elsewhere.example").stdout)["results"]
    reason = "The facts were recorded for mail.example.org. mail.elsewhere.example was not looked up."
    assert {(row["status"], row["reason"]) for row in rows} == {("unknown", reason)}
    rows = json.loads(preflight(*words, "--domain", "elsewhere.example").stdout)["results"]
    (row,) = [row for row in rows if row["subject"] == "elsewhere.example" and row["check"] == "dns.mx"]
    assert row["reason"] == "The DNS was not queried for elsewhere.example MX."
    assert "fewer" not in row["remedy"]["text"]
