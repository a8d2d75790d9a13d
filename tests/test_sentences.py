"""What people read is whole: no sentence is put together from parts, and each can be taken out and translated.

Every test of a check says its looks twice, the second time in brackets (tests/build.py); here the code itself is held
to the same rules, and the reports of recorded hosts and of this very machine.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from babel.messages.extract import extract_from_file

from preflight.assess import assess
from preflight.checks import catalogue
from preflight.facts import Asked, Missing
from preflight.facts.parts import PARTS, fact
from preflight.gather.access import view as access
from preflight.gathering import Wishes, begin, gather
from preflight.mailcow import plan, requirements
from preflight.report.documents import read_facts
from preflight.text.sentences import phrase, say, writing
from tests import sentences
from tests.sentences import Template

PREFLIGHT = Path(__file__).parent.parent / "preflight"
ROOMS = ("assess", "checks", "gather", "gathering", "mailcow", "net", "probes", "reach", "redact", "render")
# What rpm.py and sqlite.py say of a damaged database is caught and never shown; words.py and record_words.py have the
# formats' sentences,
# kinds.py, plain.py, tokens.py, known_programs.py and layout.py lists of names, distro.py and lines.py commands. Errors
# of usage are English (docs/design.md).
SPARED = {
    "gather/packages/rpm.py", "gather/packages/sqlite.py", "render/words.py", "render/record_words.py",
    "render/reach_words.py", "render/plan_words.py", "render/monitor_words.py", "render/text_words.py",
    "render/html_words.py", "redact/kinds.py", "redact/plain.py",
    "redact/tokens.py", "checks/holders/known_programs.py", "checks/firewall/lines.py",
    "checks/remedies/distro.py", "mailcow/layout.py",
    "assess/selection.py", "assess/waiver_file.py", "mailcow/requirements/__init__.py",
}  # fmt: skip
# What a format is made of, beside what it says, which stands in render/words.py; what a script is made of.
FORMATS = (
    "bold ", "default-src ", ".reached ", "<", "::\0", " {", "\n@media", "\0 at \0 UTC", "docker run --rm ",
    "\0 --hostname ", " --hostname ", "--ignore \0", "podman ps", "echo \0", "export ", '[ "$(id',
)  # fmt: skip
FILES = [
    path
    for path in sorted(PREFLIGHT.rglob("*.py"))
    if (name := path.relative_to(PREFLIGHT).as_posix()) not in SPARED
    and (name.partition("/")[0] in ROOMS or name == "cli/progress.py")
]
# Text that is no sentence, by what it begins with, and why.
COMMANDS = (
    "apk ", "apt-get ", "btrfs ", "chronyc ", "curl ", "dd ", "df ", "dnf ", "docker ", "docker-compose ", "dockerd ",
    "echo ", "jq ",
    "ip ", "lscpu ", "make ", "ntpctl ", "python3 ", "snap ", "ss ", "systemctl ", "timedatectl ", "ufw ", "zypper ",
    "'networks:' ", "kill ", "cat ", "cd ", "grep ", "networks:\n", "sed ", "sysctl ", "printf ",
    "ps ", "rmdir ", "su ", "if grep ", "sshd -t ", "rc-service ", "podman ", "crictl ", "machinectl ",
    "amazon-linux-extras ", "transactional-update ", "yum-config-manager ", "if dpkg ", "if rpm ", "deb [arch=",
    "nfsconf ", "options sunrpc ", "STATDOPTS=", "shorewall ", "nft ", "--ignore ",
    "preflight reach ",
    "supervisorctl ", "monit ", "gitlab-ctl ", "update-alternatives ", "firewall-cmd ", "cscli ", "fail2ban-client ",
)  # fmt: skip
NAMES = (
    "ca-certificates curl", "docker-ce docker-ce-cli ", "docker.io docker-", "moby-engine docker-",  # packages
    "Amazon EC2", "Oracle Cloud",
    "Docker Desktop", "Docker Engine", "Google Compute Engine", "Proxmox VE", "Apple Virtualization",
    "HVM domU", "Kubernetes (CNI)", "Standard PC", "User Mode Linux", "Virtual Machine", "innotek GmbH",
)  # fmt: skip
# What the host, the engine or the kernel writes, and is compared with.
READ = (
    "Backing Filesystem", "Model Name", "Operation not permitted", "Permission denied", "accepting connections",
    "cpu MHz", "cpu architecture", "cpu family", "cpu model", "model name", "ntp engine", "docker network",
)  # fmt: skip
# Where a fact is from, and the signs that it was told by: a path or a program with a word beside it, not translated.
SOURCES = (
    "/proc/", "/run/", "DNS, from ", "docker compose", "hypervisor: ", "the host's programs", "uname (of ",
    "\0 of the container", "a container with a HEALTHCHECK", "a container with mailcow's limits",
    "a container with published ports", "a privileged container", "the host's units",
    "a container whose health check hangs", "commands in a container", "a container that asks name servers",
)  # fmt: skip
# A subject of mailcow.conf, and a holder of a port: names, as they stand in other columns; who says a line.
SUBJECTS = ("line \0", "\0 (pid \0", "MAILCOW_HOSTNAME=", "preflight: \0")
# Errors of the command line, with file and place.
ERRORS = ("\0: larger than \0 MiB", "\0: line \0: a binary file")
# Programs that a container of ours runs, and what is asked of the engine; threads' names; objects of the engine.
PROGRAMS = (
    "\nimport ",
    "import time",
    "import json",
    "import sys",
    "GET ",
    "space ",
    "container \0",
    "network \0",
    "volume \0",
)
# Errors that are caught in the same room and never shown.
CAUGHT = ("refused by netlink", "more than \0 answers", "netlink takes too long")
NO_SENTENCE = {"gather": (*COMMANDS, *NAMES, *READ, *SOURCES, *PROGRAMS, *CAUGHT, *SUBJECTS, *ERRORS)}
NO_SENTENCE["probes"] = NO_SENTENCE["gather"]
NO_SENTENCE["gathering"] = (*COMMANDS, *NAMES, *READ, *SUBJECTS, "a twin of the host's network", "a dress rehearsal")
NO_SENTENCE["render"] = FORMATS

# Templates that are not written where they are said, but were `noted` elsewhere. Never text from outside.
NOTED_ELSEWHERE = {
    "name",  # progress.py: of STAGES
    "entry.text",  # checks/supervised.py: of SUPERVISORS
    "title",  # checks/system/kernel_features.py: the titles of NEEDS
    "words",  # checks/resources/memory.py: of the rows of its table
    "sentences.held", "sentences.lacking", "sentences.refused", "sentences.short",  # checks/docker/container_starts.py
    "refused.message", "refused.help", "refused.found",  # checks/rehearsal/: of _REFUSED
    "wrong.message", "wrong.found", "wrong.help",  # checks/rehearsal/publish.py: of _WRONG
}  # fmt: skip
KEPT = re.compile(r"_?[A-Z][A-Z_0-9]*(\[.+\])?")


def name_of(path: Path) -> str:
    return path.relative_to(PREFLIGHT).as_posix()


def every() -> list[Template]:
    return [template for path in FILES for template in sentences.templates(path)]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_words_are_put_together_outside_of_a_template(path: Path) -> None:
    found = list(
        sentences.glued(path, NO_SENTENCE.get(name_of(path).partition("/")[0], (*COMMANDS, *NAMES, *READ, *SUBJECTS)))
    )
    assert not found, "\n".join(f"{path}:{line}: {text!r}" for line, text in found)


def test_translators_find_every_template() -> None:
    """Babel's own extractor, told our functions' names, finds what the rules above were held against."""
    wanted = {(template.path, template.text) for template in every() if template.text is not None}
    found = set()
    for path in FILES:
        for _, text, _, _ in extract_from_file("python", path, keywords=dict.fromkeys(sentences.TEMPLATES)):
            found.add((path, text))
    assert found == wanted
    assert len(found) > 400


def test_every_template_is_a_literal_or_one_that_was_noted() -> None:
    """Text of a host is never a template: what stands in braces in it means nothing."""
    wrong = [
        f"{entry.path}:{entry.line}: {entry.source}"
        for entry in every()
        if entry.text is None and not KEPT.fullmatch(entry.source) and entry.source not in NOTED_ELSEWHERE
    ]
    assert not wrong, "\n".join(wrong)


def test_every_place_has_a_name_and_a_value() -> None:
    for entry in every():
        for place in sentences.places(entry.text or ""):
            where = f"{entry.path}:{entry.line}: {place}"
            assert re.fullmatch(r"[a-z][a-z_]*", place), where
            assert entry.function == "noted" or entry.open or place in entry.given, f"{where} has no value"
        if entry.text is not None and not entry.open:
            spare = set(entry.given) - set(sentences.places(entry.text))
            assert not spare, f"{entry.path}:{entry.line}: {spare} stands nowhere"


def test_what_is_said_is_a_whole_sentence_and_a_phrase_is_none() -> None:
    for entry in every():
        if entry.text is not None and entry.function == "say":
            assert sentences.WHOLE.fullmatch(entry.text), f"{entry.path}:{entry.line}: {entry.text!r}"
        if entry.text is not None and entry.function == "phrase":
            assert not re.search(r"^\s|[.\s]$", entry.text), f"{entry.path}:{entry.line}"


def test_values_are_put_in_once_and_are_no_templates() -> None:
    assert say("{one} and {two}.", one="{two} {0.__class__} {", two="%s") == "{two} {0.__class__} { and %s."


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("⟦One.⟧ two", "outside"),
        ("⟦One: ⟦two.⟧⟧", "within"),
        ("⟦It has ‹two›.⟧", "grammar"),
        ("One.", "outside"),
    ],
)
def test_what_is_glued_is_found(text: str, fault: str) -> None:
    assert any(fault in said for said in sentences.faults(text))


@pytest.mark.parametrize("text", ["", "⟦One.⟧", "⟦One.⟧ ⟦It has this: ‹a›, ‹b›; ‹c›.⟧"])
def test_what_is_whole_is_not(text: str) -> None:
    assert not sentences.faults(text)


def test_glue_in_the_code_is_found(tmp_path: Path) -> None:
    code = tmp_path / "glue.py"
    code.write_text(
        'def f(x, y):\n    """Say a thing."""\n'
        '    one = f"{x} is held by {y}"\n    two = "and it is " + y\n    return say("A whole {x}.", x=x)\n'
    )
    assert [line for line, _ in sentences.glued(code, ())] == [3, 4]


def pseudo(recorded: Path) -> list[str]:
    """Return what is wrong in the whole report of a recorded host."""
    host = sentences.mark_facts(read_facts(recorded))
    numbers = requirements.load("current")
    with sentences.marked():
        report = assess(host, plan.make(host.mailcow_conf.value, host.asked), numbers, catalogue())
    return [fault for result in report.results for fault in sentences.faults_of(result)]


HOSTS = [path for path in (Path(__file__).parent / "hosts").glob("*.json") if ".report" not in path.name]


@pytest.mark.parametrize("recorded", HOSTS, ids=lambda path: path.stem)
def test_reports_of_recorded_hosts_are_whole(recorded: Path) -> None:
    assert not pseudo(recorded)


def every_kernel_is_unsafe(release: str, system: object) -> str:
    return "Containers make it panic."


VIEWS = {
    "this host": {},
    "this host, a kernel that crashes": {"probe": True},
    "a copy": {"root": "copy"},
    "an empty copy": {"root": "empty"},
    "a container without the host's processes": {"root": None},
    "name servers that are dead": {"offline": False, "resolvers": ("127.0.0.1:1",)},
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_reasons_among_facts_are_whole(view: dict[str, Any], tmp_path: Path) -> None:
    """Look at hosts of which most is out of reach: each reason, and what would help, is a whole sentence."""
    (tmp_path / "copy" / "etc").mkdir(parents=True)
    (tmp_path / "copy" / "etc" / "os-release").write_text("ID=debian\nVERSION_ID=13\n")
    (tmp_path / "empty").mkdir()
    wishes = Wishes(
        asked=Asked(hostname="mail.example.org", offline=view.get("offline", True), probe=view.get("probe", False)),
        parts=frozenset(PARTS),
        environ={},
        seconds=5.0,
        docker_host=f"unix://{tmp_path}/none.sock",
        root_given=False,
        resolvers=view.get("resolvers", ()),
        commands=("docker", "openssl"),
        unsafe=every_kernel_is_unsafe,
    )
    with sentences.marked():
        place = access.find_roots({}, str(tmp_path / view["root"]) if view.get("root") else None)
        if view.get("root", "") is None:
            why = Missing("unknown", say("It is out of reach."), say("Add --pid=host to docker run."))
            place = msgspec.structs.replace(place, root=None, why=why)
        host = gather(place, wishes, begin(place, wishes, threading.Event(), lambda *_: None))
    facts = {name: fact(host, name) for name in PARTS}
    facts |= {f"spaces {path}": fact for path, fact in (host.spaces.value or {}).items()}
    missing = {name: fact.missing for name, fact in facts.items() if fact.missing}
    assert missing
    assert not [
        f"{name}: {fault}" for name, why in missing.items() for fault in sentences.faults(f"{why.reason} {why.help}")
    ]


def test_what_stands_in_a_place_can_be_written_in_a_way_of_its_own() -> None:
    """The words of a sentence are never changed, whatever they are."""
    with writing(lambda text: text.replace("a", "<1>")):
        assert say("A name {name} and {count:.1f} of {whole}.", name="anna", count=2.0, whole=True) == (
            "A name <1>nn<1> and 2.0 of True."
        )
        assert phrase("a {name}", name="a") == "a <1>"
    assert say("a {name}", name="a") == "a a"
    with pytest.raises(ZeroDivisionError), writing(lambda _: ""):
        raise ZeroDivisionError
    assert say("a {name}", name="a") == "a a"
