"""Where reports go: several from one run, to files that are replaced whole, to standard output, to GitHub's summary."""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest

from preflight.cli import kept, outputs
from preflight.cli.outputs import Target, append_summary, replace, targets
from preflight.facts import Asked, Memory
from preflight.gather.access.view import MARKER
from preflight.report.documents import encode
from preflight.text.inputs import InputError
from tests.build import check, host
from tests.line import Line, line

GIB = 1 << 30
NO_SWAP = host(memory=Memory(8 * GIB, 6 * GIB, 0, 0), asked=Asked(offline=True, probe=False))


@pytest.fixture
def preflight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Line:
    """Return a function that checks a host without swap; files named without a directory lie in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    (tmp_path / "facts.json").write_text(encode(NO_SWAP))
    run = line(monkeypatch, capsys)
    return lambda *arguments: run("--facts", "facts.json", "--only", "resources.swap", *arguments)


# --- what goes where --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formats", "files", "wanted"),
    [
        ("", "", [("markdown", None)]),
        ("text", "", [("text", None)]),
        ("", "a.md a.json a.xml a.txt a.zone a.sh a.conf a.prom",
         [("markdown", "a.md"), ("json", "a.json"), ("junit", "a.xml"), ("text", "a.txt"), ("zone", "a.zone"),
          ("sh", "a.sh"), ("conf", "a.conf"), ("prometheus", "a.prom")]),
        ("", "a.html b.md", [("html", "a.html"), ("markdown", "b.md")]),
        ("", "a.JSON", [("json", "a.JSON")]),
        ("json", "a.json", [("json", "a.json"), ("json", None)]),
        ("json", "a", [("json", "a"), ("json", None)]),
        ("junit", "a.xml b.json", [("junit", "a.xml"), ("json", "b.json"), ("junit", None)]),
        ("text", "a.xml b.json", [("junit", "a.xml"), ("json", "b.json"), ("text", None)]),
        ("html", "a b.md", [("html", "a"), ("markdown", "b.md"), ("html", None)]),
        ("junit json", "a.xml b.json", [("junit", "a.xml"), ("json", "b.json")]),
        ("json junit", "a.xml b.json", [("junit", "a.xml"), ("json", "b.json")]),
        ("json text", "a.json", [("json", "a.json"), ("text", None)]),
        ("text json", "a.json", [("json", "a.json"), ("text", None)]),
        ("json github", "a.json b", [("json", "a.json"), ("github", "b")]),
        ("json github", "b a.json", [("github", "b"), ("json", "a.json")]),
        ("json json", "a.json", [("json", "a.json"), ("json", None)]),
        ("", "-", [("markdown", None)]),
        ("json", "-", [("json", None)]),
        ("text junit", "- a.xml", [("junit", "a.xml"), ("text", None)]),
        ("text", "- a.xml", [("junit", "a.xml"), ("text", None)]),
        ("", "- a.xml", [("junit", "a.xml"), ("markdown", None)]),
        ("json", "/dev/stdout", [("json", None)]),
    ],
)  # fmt: skip
def test_formats_and_files_are_paired(
    formats: str, files: str, wanted: list[tuple[str, str | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert targets(tuple(formats.split()), tuple(files.split())) == tuple(Target(*pair) for pair in wanted)


@pytest.mark.parametrize(
    ("formats", "files", "said"),
    [
        ("json text", "", "Only one report"),
        ("json text junit", "a.json", "two reports"),
        ("html", "a.md", "the suffix means markdown, but --format is html"),
        ("html text", "a.md", "two reports"),
        ("", "report", "the suffix does not set a format. Use one of .md "),
        ("", "report.pdf", "the suffix does not set a format. Use one of .md "),
        ("", ".md", "the suffix does not set a format. Use one of .md "),
        ("", "missing/a.md", "/missing"),
        ("", "facts.json/a.md", "there is no directory /"),
        ("json", "folder", "not the name of a file"),
        ("json", "folder/", "not the name of a file"),
        ("json", "new/", "not the name of a file"),
        ("json", "link-to-nowhere", "there is no directory /"),
        ("", "a.md ./a.md", "two reports"),
        ("", "a.md link.md", "two reports"),
        ("json text", "- -", "two reports"),
        ("json text", "-", "two reports"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_run(
    formats: str, files: str, said: str, tmp_path: Path, preflight: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.md").symlink_to("a.md")
    (tmp_path / "link-to-nowhere").symlink_to("nowhere/a.json")
    monkeypatch.setattr("preflight.cli.request.recorded", lambda *_: pytest.fail("the run began"))
    words = [word for name in formats.split() for word in ("--format", name)]
    words += [word for name in files.split() for word in ("--output", name)]
    run = preflight(*words)
    assert (run.code, run.out) == (2, "")
    assert said in run.err
    assert len(run.err.splitlines()) == 1
    assert not (tmp_path / "a.md").exists()


def test_an_empty_name_is_refused(preflight: Line) -> None:
    assert preflight("--format", "json", "--output", "").code == 2


def test_what_may_not_be_written_is_refused_before_the_run(
    tmp_path: Path, preflight: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere: the modes decide here, as they do for everybody else.
    monkeypatch.setattr(os, "access", lambda path, _: bool(os.stat(path).st_mode & 0o200))
    (tmp_path / "theirs.md").write_text("old")
    (tmp_path / "theirs.md").chmod(0o444)
    (tmp_path / "closed").mkdir(mode=0o555)
    for name in ("theirs.md", "closed/a.md"):
        run = preflight("--output", name)
        assert (run.code, run.out) == (2, "")
        assert ": no permission to " in run.err
    assert (tmp_path / "theirs.md").read_text() == "old"


def test_one_run_writes_every_report(tmp_path: Path, preflight: Line) -> None:
    files = ("--output", "a.md", "--output", "a.json", "--output", "a.xml", "--output", "a.txt")
    run = preflight(*files, "--strict")
    assert (run.code, run.out) == (1, "")
    assert run.err == "preflight: Not ready for mailcow (not-ready). Report: a.md, a.json, a.xml, a.txt\n"
    assert preflight(*files, "--format", "text").err == ""
    assert (tmp_path / "a.md").read_text().startswith("# ")
    assert json.loads((tmp_path / "a.json").read_text())["schema"] == 1
    assert ElementTree.parse(tmp_path / "a.xml").getroot().tag == "testsuites"
    assert "\x1b" not in (tmp_path / "a.txt").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.md", "a.txt", "a.xml", "facts.json"]


def test_the_page_tells_why_and_what_to_do(tmp_path: Path, preflight: Line) -> None:
    why = check("resources.swap").why
    assert why
    run = preflight("--format", "html")
    assert preflight("--output", "a.html").out == ""
    assert run.code == 0
    for page in (run.out, (tmp_path / "a.html").read_text("utf-8")):
        assert page.startswith("<!DOCTYPE html>\n")
        assert page.endswith("</html>\n")
        told = (
            "No problems in the selected checks",
            "What to do:",
            "swapon /swapfile",
            html.escape(why, quote=False),
        )
        assert [part for part in told if part not in page] == []
        assert page.count('<details class="more">') == 1


def test_one_goes_to_standard_output_beside_the_files(tmp_path: Path, preflight: Line) -> None:
    run = preflight("--format", "junit", "--format", "json", "--output", "a.xml")
    assert json.loads(run.out)["schema"] == 1
    assert ElementTree.parse(tmp_path / "a.xml").getroot().tag == "testsuites"


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
def test_standard_output_by_name_is_not_cut(name: str, tmp_path: Path) -> None:
    """What was written to the same file before stays, as it would with a pipe."""
    (tmp_path / "facts.json").write_text(encode(NO_SWAP))
    with (tmp_path / "log").open("wb") as log:
        log.write(b"before\n")
        log.flush()
        run = subprocess.run(
            [sys.executable, "-m", "preflight", "--facts", str(tmp_path / "facts.json"), "--only", "resources.swap",
             "--format", "json", "--output", name],
            stdout=log, stderr=subprocess.PIPE, check=False, timeout=60,
        )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, b"")
    first, _, rest = (tmp_path / "log").read_text().partition("\n")
    assert first == "before"
    assert json.loads(rest)["schema"] == 1


def test_facts_too_are_refused_before_they_are_gathered(preflight: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preflight.cli.survey.Survey", lambda *_: pytest.fail("the run began"))
    monkeypatch.setattr(sys, "argv", ["preflight", "facts", "--output", "missing/facts.json"])
    from preflight.cli.commands import run

    assert run() == 2


# --- files are replaced whole ------------------------------------------------------------------------------------


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace(str(tmp_path / "new"), b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_a_file_is_replaced_not_rewritten(tmp_path: Path) -> None:
    """Whoever reads the old one goes on reading it whole; the new one has its mode, and a link stays a link."""
    (tmp_path / "real").write_text("old" * 1000)
    (tmp_path / "real").chmod(0o604)
    (tmp_path / "link").symlink_to("real")
    with (tmp_path / "real").open() as reader:
        replace(str(tmp_path / "link"), b"new")
        assert reader.read() == "old" * 1000
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o604
    assert len(list(tmp_path.iterdir())) == 2


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, preflight: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.md").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(outputs, "_overwrite", full)
    run = preflight("--output", "a.md", "--format", "markdown", "--format", "json")
    assert (run.code, run.out) == (2, "")
    assert run.err == "preflight: --output a.md: No space left on device\n"
    assert (tmp_path / "a.md").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.md", "facts.json"]


@pytest.mark.parametrize("may", [True, False])
def test_a_file_of_somebody_elses_stays_theirs_or_lets_nobody_in(
    may: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the owner cannot be kept, neither is the mode: 0604 was meant for the group of another owner."""
    given: list[tuple[int, int]] = []

    def chown(handle: int, user: int, group: int) -> None:
        if not may:
            raise PermissionError(1, "Operation not permitted")
        given.append((user, group))

    (tmp_path / "a.md").write_text("old")
    (tmp_path / "a.md").chmod(0o604)
    theirs = (tmp_path / "a.md").stat()
    monkeypatch.setattr(os, "geteuid", lambda: theirs.st_uid + 1)
    monkeypatch.setattr(os, "fchown", chown)
    before = os.umask(0o077)
    try:
        replace(str(tmp_path / "a.md"), b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "a.md").read_text() == "new"
    assert given == ([(theirs.st_uid, theirs.st_gid)] if may else [])
    assert (tmp_path / "a.md").stat().st_mode & 0o777 == (0o604 if may else 0o600)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_write_that_is_interrupted_leaves_nothing_beside_the_file(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise error

    (tmp_path / "a.md").write_text("old")
    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(error):
        replace(str(tmp_path / "a.md"), b"new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.md", "old")]


def test_a_file_that_is_a_mount_of_its_own_is_written_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with docker run -v FILE:FILE: nothing can be renamed over a mount point."""

    def busy(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    (tmp_path / "a.md").write_text("a longer old text")
    monkeypatch.setattr(os, "replace", busy)
    replace(str(tmp_path / "a.md"), b"new")
    assert (tmp_path / "a.md").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 1


def test_one_file_that_fails_keeps_no_other_from_being_written(tmp_path: Path) -> None:
    said: list[str] = []
    documents = {Target("json", str(tmp_path / "gone" / "a")): "1", Target("text", str(tmp_path / "b")): "2"}
    with pytest.raises(InputError, match="gone"):
        outputs.write({**documents, Target("markdown"): "3"}, said.append)
    assert (tmp_path / "b").read_text() == "2"
    assert said == []


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    outputs.writable(str(pipe))
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    replace(str(pipe), b"report")
    reader.join(10)
    assert got == [b"report"]
    assert pipe.is_fifo()


# --- GitHub's summary ---------------------------------------------------------------------------------------------


def test_the_summary_is_appended_where_github_asks_for_it(
    tmp_path: Path, preflight: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary"
    summary.write_text("an earlier step\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert preflight("--format", "json").code == 0
    assert summary.read_text() == "an earlier step\n"
    run = preflight("--format", "github")
    assert run.out.splitlines()[1].startswith("::warning title=resources.swap::")
    markdown = summary.read_text().removeprefix("an earlier step\n")
    assert markdown.startswith("# ")
    assert "swap" in markdown


def test_a_summary_that_cannot_be_written_costs_no_report(
    tmp_path: Path, preflight: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "gone" / "summary"))
    run = preflight("--format", "github")
    assert run.code == 0
    assert "::warning" in run.out
    assert "GITHUB_STEP_SUMMARY" in run.err


@pytest.mark.parametrize(("room", "written"), [(12, b"one\ntwo\nend\n"), (11, b"one\ntwo\n"), (3, b""), (0, b"")])
def test_a_summary_takes_each_line_whole_or_not_at_all(room: int, written: bytes, tmp_path: Path) -> None:
    """One byte more than GitHub takes, and it shows none of them."""
    path = tmp_path / "summary"
    before = outputs.SUMMARY - 1 - room
    path.write_bytes(b"x" * before)
    append_summary(str(path), "one\ntwo\nend\n")
    assert path.read_bytes()[before:] == written


def test_a_summary_is_cut_at_a_line_before_githubs_limit(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_bytes(b"x" * (outputs.SUMMARY - 20))
    append_summary(str(path), "short\nlines\nof text that are more than fits\n")
    assert path.read_bytes().endswith(b"xshort\nlines\n")
    append_summary(str(path), "no more than nothing\n")
    assert path.stat().st_size < outputs.SUMMARY


@pytest.mark.parametrize(("where", "words"), [(">/dev/full", "No space left on device"), (">&-", "closed")])
def test_standard_output_that_takes_nothing_is_one_line(tree: Path, where: str, words: str) -> None:
    facts = tree / "tests/hosts/debian12-nested.json"
    run = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m preflight check --facts {facts} --only clock.* {where}"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (2, f"preflight: standard output: {words}\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_another_root_is_not_taken_for_our_own(tmp_path: Path) -> None:
    """As /proc/1/root leads to the host's files from a container: by no name that our own root has."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "old").mkdir()
    script = f"mount --bind {tmp_path} {tmp_path} && cd {tmp_path} && pivot_root . old && echo && read line"
    words = ["unshare", "-m", "sh", "-c", script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        path = f"/proc/{other.pid}/root/etc/preflight-test.md"
        assert os.readlink(f"/proc/{other.pid}/root") == "/"
        outputs.writable(path)
        replace(path, b"report")
        table = tmp_path / "mountinfo"
        table.write_text("1 0 0:1 / / rw - overlay overlay rw\n")
        assert kept.lost((path,), {MARKER: "1"}, str(table)) == ""
        assert "lost when" in kept.lost((str(tmp_path / "b.md"),), {MARKER: "1"}, str(table))
        other.communicate()
    assert (tmp_path / "etc" / "preflight-test.md").read_bytes() == b"report"


def test_a_link_that_leads_in_a_circle_is_no_place_for_a_report(tmp_path: Path, preflight: Line) -> None:
    (tmp_path / "one.md").symlink_to("two.md")
    (tmp_path / "two.md").symlink_to("one.md")
    run = preflight("--output", str(tmp_path / "one.md"))
    assert (run.code, "back to itself" in run.err) == (2, True)
    assert (tmp_path / "one.md").is_symlink()
