"""mailcow.conf as the real Compose and the real bash read it, over files of a generator and of hypothesis.

Compose is the one that `PREFLIGHT_TEST_COMPOSE` names (a path, or several with a colon between), else `docker-compose`
from PATH or Docker's own plug-in; where none of today's is there, that of the lab's Debian 13. No engine is needed.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from preflight.facts import Asked, ConfFile
from preflight.gather.conf.mailcow_conf import ALLOWED, kept, parse
from preflight.gather.conf.shell_reading import sourced
from preflight.mailcow import plan
from preflight.text import versions
from tests.lab.kinds import KINDS, root_of
from tests.lab.stack import PLUGIN

SEED, FILES = 20260805, int(os.environ.get("PREFLIGHT_TEST_CONF_FILES", "300"))
PLUGINS = ("/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins", "/usr/local/lib/docker/cli-plugins")
NAMES = ("SMTP_PORT", "HTTP_BIND", "TZ", "SKIP_FTS")
UNSET = "<unset>"


LAB = "the lab's"


def composes() -> list[str]:
    told = os.environ.get("PREFLIGHT_TEST_COMPOSE", "")
    found = [shutil.which("docker-compose"), *(shutil.which("docker-compose", path=place) for place in PLUGINS)]
    return told.split(":") if told else [path for path in found if path and release(path) >= (2,)][:1]


def release(path: str) -> tuple[int, ...]:
    """Return a Compose's release; releases 1, in Python, read such files in ways of their own."""
    said = subprocess.run([path, "version", "--short"], capture_output=True, text=True, check=False)
    return (versions.parse_version(said.stdout) or ())[:3]


def of_the_lab() -> str:
    """Return the Compose of a host of the lab, which is made where it is not there yet."""
    if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        assert os.environ.get("CI") != "true", "CI must have a Compose, or make the lab's hosts"
        pytest.skip("no Docker Compose is found, nor can the lab's hosts be made (root, mmdebstrap)")
    return str(root_of(KINDS["debian13"]) / PLUGIN)


# --- files ---------------------------------------------------------------------------------------------------

KEYS = (*NAMES, *NAMES, "DBPASS", "OTHER", "A.B", "A-B", "A[0]", "1A", "É", "lower", "TZ TZ", "T!Z", "", "\u00a0TZ")
BEFORE = ("", "", "", "", " ", "\t", "export ", "export\t", "export  ", "export\n", "  export ", "\u2003", "\x1c")
EQUALS = ("=", "=", "=", "=", " = ", "= ", " =", ":", ": ", "=\t", "", "=\u00a0", "=\x85", "==", "=\n")
VALUES = (
    *("25", "", "a b", "x#y", "x #y", "x\t#y", "#z", " # z", "a\\b", "a\\", "\\", "é", "\u00a0x\u00a0", "x\x1c"),
    *("'25'", "'a b'", '"25"', '"a b"', "'it\\'s'", '"say \\"x\\""', '"a\\nb"', '"\\t\\q\\c\\0101\\08\\0777\\0351"'),
    *('"two\nlines"', "'two\nTZ=lines'", '"open', "'open", "\"a'b\"", "'a\"b'", '"x" # c', "'x'y", '"x" y', '"x"TZ=1'),
    *("$OTHER", "${OTHER}", "${OTHER:-x}", "${OTHER-}", "${OTHER:+x}", "${OTHER+}", "${OTHER:?no}", "${TZ?no}", "$"),
    *("$$", "a$$b", "$1", "${1}", "${", "${x", "$(id)", "`id`", "a$%b", "'$OTHER'", '"$OTHER"', '"\\$OTHER"', "\\$x"),
    *('"\\\\$TZ"', "${OTHER:-${TZ}}", "${OTHER:-${1}}", "${TZ:+${}", "${A:-}${B:-}", "${A}${B:?x}", "${A:-a}b}", "$É"),
    *("${TZ}x${TZ}", "${TZ-a}}", "${TZ:-{a}}", '"${OTHER:-a b}"', "${OTHER:-a b}", "a;b", "a;TZ=9", "a&b", "a|b"),
    *("(a)", "a>b", "a(b", "a)b", "~", "~/x", "a:~", "*", "{a,b}", "[::1]", "!x", "x!", "a=b", "1 TZ=2"),
    *("9" * 5000, "\x00", "a\x00b", "\x01", "\ufeff", "x\ry", "\r", "a,b", "%s", "a\\\n", "x\u2028y", "$'a'", '$"a"'),
    *("$((1))", "[x]", "a'b'c", "日本"),
)  # fmt: skip
ODD = (
    "# it's a comment\n",
    "#\n",
    "\n",
    " \t\n",
    "TZ\n",
    "export TZ\n",
    "FOO BAR\n",
    "- x\n",
    "\\\n",
    "'\n",
    "fi\n",
    "}\n",
)
ENDS = ("\n", "\n", "\n", "\n", "\r\n", " \n", "\n\n", "")


def made(random_: random.Random) -> bytes:
    """Make a file. Few of its lines are odd, or Compose would refuse nearly all files."""
    lines = ["\ufeff" if random_.random() < 0.05 else ""]
    tame = random_.random() < 0.5
    for _ in range(random_.randrange(1, 7)):
        if random_.random() < 0.1:
            lines.append(random_.choice(ODD))
            continue
        before, equals = ("", "=") if tame else (random_.choice(BEFORE), random_.choice(EQUALS))
        key = random_.choice(NAMES if tame else KEYS)
        lines.append(f"{before}{key}{equals}{random_.choice(VALUES)}{random_.choice(ENDS)}")
    data = "".join(lines).encode()
    if random_.random() < 0.1:
        data = data.replace(b"\n", b"\r\n")
    return data if random_.random() > 0.02 else data.replace(b"5", b"\xff")


def generated() -> Iterator[bytes]:
    random_ = random.Random(SEED)
    for _ in range(FILES):
        yield made(random_)


pieces = st.sampled_from((*KEYS, *EQUALS, *VALUES, *BEFORE, *ODD, *ENDS))
anything = st.lists(pieces | st.text(max_size=4), max_size=8).map(
    lambda parts: "".join(parts).encode("utf-8", "replace")
)


# --- Compose -------------------------------------------------------------------------------------------------


class Compose:
    """A Compose binary, asked what it makes of an env file."""

    def __init__(self, path: str, place: Path) -> None:
        self.path, self.place = path, place
        # Its own variables may make it refuse a project; what the file says of those is asked elsewhere.
        self.names = sorted(ALLOWED - {"COMPOSE_PROJECT_NAME"})
        rows = "".join(f'   {name}: "${{{name}-{UNSET}}}"\n' for name in self.names)
        (place / "ask.yml").write_text(f"name: ask\nservices:\n a:\n  image: x\n  environment:\n{rows}")
        self.old = release(path) < (2, 27, 2)

    def read(self, data: bytes) -> dict[str, str] | None:
        """Return the values of the allowed variables; None: it refuses the file."""
        (self.place / "file").write_bytes(data)
        command = [self.path, "--env-file", "file", "-f", "ask.yml", "config", "--format", "json"]
        done = subprocess.run(command, capture_output=True, cwd=self.place, env={"HOME": str(self.place)}, check=False)
        if done.returncode:
            assert b"panic" not in done.stderr
            return None
        read = json.loads(done.stdout)["services"]["a"]["environment"]
        return {name: value.replace("$$", "$") for name, value in read.items() if value != UNSET}


PARAMS: list[Any] = [*composes()] or [pytest.param(LAB, marks=pytest.mark.lab)]


@pytest.fixture(params=PARAMS)
def compose(request: pytest.FixtureRequest, tmp_path: Path) -> Compose:
    return Compose(of_the_lab() if request.param == LAB else request.param, tmp_path)


def refused(conf: ConfFile, old: bool) -> bool:
    return bool(conf.bad_lines) or (old and bool(conf.nameless))


def agree(compose: Compose, data: bytes) -> None:
    conf, theirs = parse(data, "c"), compose.read(data)
    if theirs is None:
        assert refused(conf, compose.old), data
        return
    if b"\0" in data:
        return  # a newer one refuses the container instead of the file, an older one the last of several values alone
    if set(conf.refusals) != {"many"}:
        assert not refused(conf, compose.old), (data, conf.refusals)
    ours = {name: entry for name, entry in conf.settings.items() if name in compose.names}
    assert set(ours) == set(theirs), data
    for name, entry in ours.items():
        if not entry.refers and "\ufffd" not in theirs[name]:
            assert entry.value == kept(theirs[name]), (data, name)


def test_values_and_refusals_are_those_of_compose(compose: Compose) -> None:
    outcomes = []
    for data in generated():
        agree(compose, data)
        conf = parse(data, "c")
        outcomes.append((bool(conf.bad_lines), bool(conf.settings), "bom" in conf.marks, "crlf" in conf.marks))
    for column in zip(*outcomes, strict=True):  # the generator makes enough of each kind
        assert FILES // 40 < sum(column) < FILES


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(anything)
@example(b"TZ")
@example(b"export ")
@example(b"export\nTZ=1")
def test_values_and_refusals_are_those_of_compose_whatever_stands_there(compose: Compose, data: bytes) -> None:
    agree(compose, data)


# --- bash ----------------------------------------------------------------------------------------------------

BASH = shutil.which("bash")
needs_bash = pytest.mark.skipif(BASH is None, reason="no bash is found")
SAY = "; ".join(f'printf "\\0%s" "${{{name}-{UNSET}}}"' for name in NAMES)


def shell(place: Path, data: bytes) -> tuple[dict[str, str], str]:
    """Source a file in a bash that may start no program and write no file; return its variables and complaints."""
    (place / "file").write_bytes(data)
    assert BASH is not None
    command = [BASH, "--restricted", "--noprofile", "--norc", "-c", f"source file; {SAY}"]
    environment = {"PATH": "", "HOME": "/nowhere", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, cwd=place, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=20
    )
    values = done.stdout.decode("utf-8", "replace").split("\0")[-len(NAMES) :]
    found = {name: value for name, value in zip(NAMES, values, strict=False) if value != UNSET}
    return found, done.stderr.decode("utf-8", "replace")


def same_in_bash(place: Path, data: bytes) -> bool:
    """Hold ours against bash; return whether there was something to compare."""
    text = data.decode("utf-8", "replace")
    ours, (theirs, said) = sourced(text), shell(place, data)
    # What bash says of a command in backquotes is that command's: the file itself goes on.
    own = [line for line in said.splitlines() if "command substitution" not in line]
    wrong = any(re.search(r"syntax error|unexpected EOF", line) for line in own)
    if ours.broken or ":?" in text or "?no" in text or "restricted" in said:
        return False  # it may be cautious; where a variable is required, bash ends; this one may write no file
    assert not wrong, (data, said)
    for name in NAMES:
        word = ours.words.get(name)
        if word is None or word.plain:
            assert (word.value if word else None) == theirs.get(name), (data, name)
    if re.search(r"command not found|No such file", said) and "$(" not in text and "`" not in text:
        assert ours.commands, (data, said)
    return True


@needs_bash
def test_a_shell_reads_what_we_say(tmp_path: Path) -> None:
    compared = [same_in_bash(tmp_path, data) for data in generated()]
    assert sum(compared) > FILES // 3


@needs_bash
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(anything)
@example(b"A[")
@example(b"TZ=1\nA[x\nTZ=2]=3\n")
@example(b"echo A[\nTZ=1")
@example(b"A[0]=1 TZ=2")
@example(b"`SMTP_PORT[`")
@example(b"a;TZ=9a\\")
def test_a_shell_reads_what_we_say_whatever_stands_there(tmp_path: Path, data: bytes) -> None:
    same_in_bash(tmp_path, data)


@needs_bash
def test_where_nothing_is_said_compose_and_a_shell_read_the_same(compose: Compose, tmp_path: Path) -> None:
    for data in generated():
        conf = parse(data, "c")
        if refused(conf, old=True) or conf.marks or conf.shell_ends or b"\0" in data or b"\xff" in data:
            continue
        theirs, (shells, _) = compose.read(data) or {}, shell(tmp_path, data)
        for name in NAMES:
            # What refers to another variable differs where that one does.
            if name in conf.settings and not conf.settings[name].refers and conf.settings[name].shell is None:
                assert theirs.get(name, "") == shells.get(name, ""), (data, name)


# --- values --------------------------------------------------------------------------------------------------

STAND_IN = Path(__file__).parents[2] / "compose" / "stand-in.yml"
PORTS = (
    *("25", "0025", "25 ", " 25", ":25", "::25", "+25", "-1", "0", "25-26", "25/tcp", "65535", "65536", "70000", "1e3"),
    *("٢٥", "smtp", "192.0.2.1:25", "[192.0.2.1]:25", "[::1]:25", "::1:25", "2001:db8::1:25", "[2001:db8::1%eth0]:25"),
    *("1.2.3:25", "01.2.3.4:25", "1.2.3.400:25", "127.1:25", "localhost:25", "mail.example.org:25", "192.0.2.1:"),
    *("[]:25", "[::ffff:1.2.3.4]:25"),
)
BINDS = (
    *("192.0.2.1", "[192.0.2.1]", "0.0.0.0", "[::]", "::", "[2001:db8::1]", "2001:db8::1", "[]", "[", "localhost"),
    *("eth0", "127.0.0.1 ", " 127.0.0.1", "[::1", "::1]", "[fe80::1%eth0]", "127.0.0.1:8080", "127.1", "010.0.0.1"),
    "[::ffff:1.2.3.4]",
)
BOOLEANS = ("true", "false", "TRUE", "Yes", "y", "n", "No", "on", "OFF", "1", "0", "t", " true", "true ", "nope", "")
PROJECTS = ("mailcowdockerized", "mail-cow_2", "MailCow", "-x", "_x", "a b", "a.b", "0mail", "é")
# Compose takes these, and what comes of them is of no use: any port.
USELESS = {"192.0.2.1:", "0"}


@pytest.mark.parametrize(
    ("variable", "values"),
    [("SMTP_PORT", PORTS), ("HTTP_BIND", BINDS), ("ENABLE_IPV6", BOOLEANS), ("COMPOSE_PROJECT_NAME", PROJECTS)],
)
def test_a_value_is_wrong_where_compose_refuses_it(compose: Compose, variable: str, values: tuple[str, ...]) -> None:
    outcomes = set()
    for value in values:
        data = f"{variable}='{value}'\n"
        wrong = any(problem.fatal for problem in plan.make(parse(data, "c"), Asked()).problems)
        (compose.place / "file").write_text(data)
        command = [compose.path, "--env-file", "file", "-f", str(STAND_IN), "config", "-q"]
        place = {"HOME": str(compose.place)}
        done = subprocess.run(command, capture_output=True, env=place, cwd=compose.place, check=False)
        assert wrong is (value in USELESS or done.returncode != 0), (value, done.stderr)
        outcomes.add(done.returncode == 0)
    assert outcomes == {True, False}
