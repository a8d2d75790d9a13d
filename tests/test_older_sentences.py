"""Facts that earlier versions recorded: what their sentences said comes back in fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from preflight.facts import DaemonConfig, Host, JsonFault, RuleFile, Service, Services, Sockets, SocketUnit, Switch
from preflight.report.documents import encode, read_facts
from preflight.text.inputs import InputError
from tests.build import conf_file, host


def recorded(path: Path, service: Service, detail: object) -> Host:
    """Read facts with one service, in which this stands as its `detail`."""
    document = json.loads(encode(host(services=Services("systemd", (service,)))))
    document["services"]["value"]["services"][0]["detail"] = detail
    (path / "facts.json").write_text(json.dumps(document), "utf-8")
    return read_facts(path / "facts.json")


def service(name: str = "exim4", **more: Any) -> Service:
    return Service(**({"name": name, "kind": "mta", "unit": f"{name}.service", "enabled": True, "active": True} | more))


@pytest.mark.parametrize(
    ("detail", "fields"),
    [
        ("", {}),
        ("pid 90", {"process": 90}),
        ("pid 90 runs outside of exim4.service", {"process": 90, "pid": 90}),
        ("exim4.socket listens on 25", {"opens": (SocketUnit("exim4.socket", (("", 25),)),)}),
        ("exim4.socket listens on 25, 587; pid 90",
         {"opens": (SocketUnit("exim4.socket", (("", 25), ("", 587))),), "process": 90}),
        ("pid 99999999999999999999999; a pid 1; listens on 25", {}),
        ("ENABLED=no; 0 rules in /etc/x", {}),
    ],
)  # fmt: skip
def test_the_detail_of_a_mail_server(tmp_path: Path, detail: str, fields: dict[str, Any]) -> None:
    assert recorded(tmp_path, service(), detail).services.get().services == (service(**fields),)


CONF = "/etc/nftables.conf"
HOSTS = Path(__file__).parent / "hosts"


@pytest.mark.parametrize(
    ("name", "detail", "fields"),
    [
        ("ufw", "ENABLED=yes", {"switch": Switch("ENABLED", "yes", True)}),
        ("ufw", "ENABLED=ja", {"switch": Switch("ENABLED", "ja", False)}),
        ("ferm", "ENABLED=no", {"switch": Switch("ENABLED", "no", False)}),
        ("ferm", "ENABLED=", {"switch": Switch("ENABLED", "", None)}),
        ("csf", "TESTING=1", {"switch": Switch("TESTING", "1", None)}),
        ("csf", "disabled; pid 90", {"switch": Switch("", "", False), "process": 90}),
        ("nftables", f"0 rules in {CONF}, flush ruleset", {"rule_files": (RuleFile(CONF, 0, flushes=True),)}),
        ("nftables", f"1 rule in {CONF}; 12 rules in /b", {"rule_files": (RuleFile(CONF, 1), RuleFile("/b", 12))}),
        ("iptables", "/a: Permission denied", {"rule_files": (RuleFile("/a", None, why="Permission denied"),)}),
    ],
)
def test_the_detail_of_a_firewall(tmp_path: Path, name: str, detail: str, fields: dict[str, Any]) -> None:
    row = service(name, kind="firewall")
    assert recorded(tmp_path, row, detail).services.get().services == (service(name, kind="firewall", **fields),)


def test_a_detail_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="detail"):
        recorded(tmp_path, service(), 7)


BOM = "The file starts with a byte-order mark, which mailcow's shell scripts take for part of the first variable."
CRLF = "lines end with CR LF, and mailcow's shell scripts take the CR for part of the values"
CUT = "only the first 100000 statements were read, up to line 100017"


@pytest.mark.parametrize(
    ("remarks", "marks", "read_to"),
    [
        ([], (), 0), ([BOM], ("bom",), 0), ([CRLF], ("crlf",), 0), ([CUT], (), 100_017),
        ([BOM, CRLF, CUT], ("bom", "crlf"), 100_017), (["something else"], (), 0),
    ],
)  # fmt: skip
def test_the_remarks_on_mailcow_conf(tmp_path: Path, remarks: list[str], marks: tuple[str, ...], read_to: int) -> None:
    document = json.loads(encode(host(conf={"SMTP_PORT": "25"})))
    for name in ("marks", "read_to"):
        del document["mailcow_conf"]["value"][name]
    document["mailcow_conf"]["value"]["remarks"] = remarks
    (tmp_path / "facts.json").write_text(json.dumps(document), "utf-8")
    found = read_facts(tmp_path / "facts.json").mailcow_conf.get()
    assert found == replace(conf_file({"SMTP_PORT": "25"}), marks=marks, read_to=read_to)


def test_the_oldest_document_has_its_rules_in_fields() -> None:
    rows = {row.name: row for row in read_facts(HOSTS / "older" / "first.json").services.get().services}
    assert rows["nftables"].rule_files == (RuleFile("/etc/nftables.conf", 0, flushes=True),)


REASONS = {
    "its name holds a character that no name may, or is none": "character",
    "its name holds a space": "space",
    "nothing closes its quote": "quote",
    "it holds a NUL byte": "nul",
    "its ${ starts no reference": "dollar",
    "its references are too many to be followed": "many",
    "it requires a variable that is not set": "unset",
    "zqtext1qz": "",  # redacted
}


def test_the_reasons_for_refused_lines(tmp_path: Path) -> None:
    lines = tuple(range(1, len(REASONS) + 1))
    document = json.loads(encode(host(mailcow_conf=replace(conf_file({}), bad_lines=lines))))
    del document["mailcow_conf"]["value"]["refusals"]
    document["mailcow_conf"]["value"]["reasons"] = list(REASONS)
    (tmp_path / "facts.json").write_text(json.dumps(document), "utf-8")
    found = read_facts(tmp_path / "facts.json").mailcow_conf.get()
    assert found == replace(conf_file({}), bad_lines=lines, refusals=tuple(REASONS.values()))


@pytest.mark.parametrize(
    ("why", "hidden"),
    [
        ("", ""),
        ("Other users' processes are hidden. Run the check as root.", "denied"),
        ("/proc cannot be read: the host's root is out of reach. Run the check as root.", "unreadable"),
        ("Looking through the open files of all processes took longer than 5 s.", "late"),
        ("The reason is left out here, as it may name files, hosts or addresses.", ""),
    ],
)
def test_why_owners_of_sockets_were_hidden(tmp_path: Path, why: str, hidden: str) -> None:
    document = json.loads(encode(host(sockets=Sockets((), not why, bound=True))))
    del document["sockets"]["value"]["hidden"]
    document["sockets"]["value"]["why"] = why
    (tmp_path / "facts.json").write_text(json.dumps(document), "utf-8")
    assert read_facts(tmp_path / "facts.json").sockets.get() == Sockets((), not why, hidden, bound=True)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ("", None),
        ("it is a directory", JsonFault("directory")),
        ("it is not UTF-8 text", JsonFault("encoding")),
        ("it is empty", JsonFault("empty")),
        ("it is not JSON that the engine could read", JsonFault("json")),
        ("it is not a JSON object", JsonFault("object")),
        ("line 3 ends with a comma too many", JsonFault("last-comma", 3)),
        ("a comma is missing at the end of line 12", JsonFault("comma", 12)),
        ("line 1 has a comment, which JSON does not allow", JsonFault("comment", 1)),
        ("line 2 has other quotation marks than the straight double ones of JSON", JsonFault("quotes", 2)),
        ("line 4, column 2: Expecting value", JsonFault("syntax", 4, "line 4, column 2: Expecting value")),
        ("zqtext3qz", JsonFault("json", 0, "zqtext3qz")),  # redacted
    ],
)
def test_what_was_wrong_with_daemon_json(tmp_path: Path, error: str, fault: JsonFault | None) -> None:
    config = DaemonConfig("/etc/docker/daemon.json", True, {"iptables": False})
    document = json.loads(encode(host(daemon_config=config)))
    del document["daemon_config"]["value"]["fault"]
    document["daemon_config"]["value"] |= {"error": error, "directory": error == "it is a directory"}
    (tmp_path / "facts.json").write_text(json.dumps(document), "utf-8")
    assert read_facts(tmp_path / "facts.json").daemon_config.get() == replace(config, fault=fault)
