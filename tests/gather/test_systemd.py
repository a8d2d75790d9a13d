"""Units of systemd and which of them start at boot, held against what systemctl itself says of the same files."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import SocketUnit
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.access.view import find_roots
from preflight.gather.services.systemd import Systemd
from tests.build import VIEW
from tests.gather.trees import copy, out_of_reach, write
from tests.gather.units import ETC, LIB, RUN, SERVICE, WANTS, to, tree, unit

BARE = "[Service]\nExecStart=/bin/true\n"


# --- held against systemctl ----------------------------------------------------------------------------------


# A unit: its files besides the one in /usr/lib that most have (`made`), and what systemctl is-enabled says.
STATES: dict[str, tuple[dict[str, str], str]] = {
    "enabled.service": ({f"{ETC}/{WANTS}/enabled.service": to("enabled.service")}, "enabled"),
    "disabled.service": ({}, "disabled"),
    "preset.service": ({"/usr/lib/systemd/system-preset/90.preset": "enable *\n"}, "disabled"),
    "static.service": ({f"{LIB}/static.service": BARE}, "static"),
    "relative.service": (
        {f"{ETC}/{WANTS}/relative.service": "-> ../../../../lib/systemd/system/relative.service"}, "enabled"
    ),
    "dangling.service": ({f"{ETC}/{WANTS}/dangling.service": "-> /lib/systemd/nowhere/dangling.service"}, "enabled"),
    "required.service": ({f"{ETC}/other.service.requires/required.service": to("required.service")}, "enabled"),
    "rescued.service": ({f"{ETC}/sysinit.target.wants/rescued.service": to("rescued.service")}, "enabled"),
    "until-boot.service": ({f"{RUN}/{WANTS}/until-boot.service": to("until-boot.service")}, "enabled-runtime"),
    "overridden.service": (
        {f"{ETC}/overridden.service": SERVICE, f"{ETC}/{WANTS}/overridden.service": to("overridden.service")},
        "enabled",
    ),
    "copied.service": ({f"{ETC}/copied.service": SERVICE}, "disabled"),
    "dropped-in.service": ({f"{ETC}/dropped-in.service.d/x.conf": "[Unit]\n"}, "disabled"),
    "no-link.service": ({f"{ETC}/{WANTS}/no-link.service": SERVICE}, "disabled"),
    "renamed.service": ({f"{ETC}/{WANTS}/another.service": to("renamed.service")}, "disabled"),
    "masked.service": (
        {f"{ETC}/masked.service": "-> /dev/null", f"{ETC}/{WANTS}/masked.service": to("masked.service")}, "masked"
    ),
    "emptied.service": (
        {f"{ETC}/emptied.service": "", f"{ETC}/{WANTS}/emptied.service": to("emptied.service")}, "masked"
    ),
    "vendor-masked.service": ({f"{LIB}/vendor-masked.service": "-> /dev/null"}, "masked"),
    "relatively-masked.service": ({f"{ETC}/relatively-masked.service": "-> ../../../dev/null"}, "masked"),
    "aliased.service": ({f"{ETC}/alias.service": to("aliased.service")}, "indirect"),
    "vendor-aliased.service": ({f"{LIB}/vendor-alias.service": "-> vendor-aliased.service"}, "disabled"),
    "linked.service": (
        {f"{ETC}/linked.service": "-> /opt/linked.service", "/opt/linked.service": SERVICE}, "linked",
    ),
    "linked-enabled.service": (
        {f"{ETC}/linked-enabled.service": "-> /opt/linked-enabled.service",
         f"{ETC}/{WANTS}/linked-enabled.service": "-> /opt/linked-enabled.service",
         "/opt/linked-enabled.service": SERVICE}, "enabled",
    ),
    "opened.socket": ({f"{ETC}/sockets.target.wants/opened.socket": to("opened.socket")}, "enabled"),
    "behind.service": (
        {f"{LIB}/behind.socket": SERVICE, f"{ETC}/sockets.target.wants/behind.socket": to("behind.socket")},
        "disabled",
    ),
    "many@one.service": (
        {f"{LIB}/many@.service": SERVICE, f"{ETC}/{WANTS}/many@one.service": to("many@.service")}, "enabled"
    ),
    "many@two.service": ({}, "disabled"),
    "many@masked.service": ({f"{ETC}/many@masked.service": "-> /dev/null"}, "masked"),
    "generated.service": ({"/run/systemd/generator/generated.service": BARE}, "generated"),
    # Where ours is another answer, because the question is another one: what starts at the next boot.
    "wanted-static.service": (
        {f"{LIB}/wanted-static.service": BARE, f"{LIB}/{WANTS}/wanted-static.service": "-> ../wanted-static.service"},
        "static",
    ),
    "wanted-by-vendor.service": (
        {f"{LIB}/{WANTS}/wanted-by-vendor.service": "-> ../wanted-by-vendor.service"}, "disabled"
    ),
    "wanted-by-alias.service": (
        {f"{LIB}/its-alias.service": "-> wanted-by-alias.service",
         f"{ETC}/{WANTS}/its-alias.service": to("its-alias.service")}, "disabled",
    ),
    "masked-until-boot.service": (
        {f"{RUN}/masked-until-boot.service": "-> /dev/null",
         f"{ETC}/{WANTS}/masked-until-boot.service": to("masked-until-boot.service")}, "masked-runtime",
    ),
    "also.service": ({f"{LIB}/also.service": BARE + "[Install]\nAlso=opened.socket\n"}, "indirect"),
}  # fmt: skip
SAYS_ENABLED = {"enabled", "enabled-runtime", "indirect"}
STARTS_ALL_THE_SAME = {
    "wanted-static.service", "wanted-by-vendor.service", "wanted-by-alias.service", "masked-until-boot.service",
}  # fmt: skip
ANOTHER_STARTS = {"also.service"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("units")
    own = ("many@", "linked", "generated")
    files = {f"{LIB}/{name}": SERVICE for name in STATES if not name.startswith(own)}
    for more, _ in STATES.values():
        files |= more
    tree(root, files)
    return root


@pytest.mark.parametrize("name", STATES)
def test_what_starts_at_boot(made: Path, name: str) -> None:
    found = Systemd(find_roots({}, str(made))).unit(name)
    assert found is not None
    expected = (STATES[name][1] in SAYS_ENABLED or name in STARTS_ALL_THE_SAME) and name not in ANOTHER_STARTS
    assert (found.name, found.enabled, found.masked) == (name, expected, STATES[name][1] == "masked")
    assert (found.active, found.script) == (None, False)


@pytest.mark.skipif(shutil.which("systemctl") is None, reason="no systemctl on this machine")
def test_systemctl_says_the_same_of_these_files(made: Path) -> None:
    said = {
        name: subprocess.run(
            ["systemctl", f"--root={made}", "is-enabled", name], capture_output=True, text=True, check=False
        ).stdout.strip()
        for name in STATES
    }
    assert said == {name: state for name, (_, state) in STATES.items()}


# --- names that stand for others, links that lead astray -----------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "files", "real", "enabled"),
    [
        ("chronyd.service", {f"{LIB}/chrony.service": SERVICE, f"{ETC}/chronyd.service": to("chrony.service")},
         "chrony.service", True),
        ("httpd.service", {f"{LIB}/apache2.service": SERVICE, f"{LIB}/httpd.service": "-> apache2.service"},
         "apache2.service", False),
        ("a.service", {f"{LIB}/{n}.service": f"-> {chr(ord(n) + 1)}.service" for n in "abcd"}
         | {f"{LIB}/e.service": SERVICE}, "e.service", False),
        ("old.service", {f"{LIB}/new.service": SERVICE, f"{ETC}/new.service": "-> /dev/null",
                         f"{LIB}/old.service": "-> new.service"}, "new.service", False),
        ("nginx.service", {f"{ETC}/nginx.service": "-> /opt/panel/web.service", "/opt/panel/web.service": SERVICE},
         "nginx.service", False),
        ("x.service", {f"{ETC}/x.service": to("x.service"), f"{LIB}/x.service": SERVICE,
                       f"{ETC}/{WANTS}/x.service": to("x.service")}, "x.service", True),
        ("x.service", {f"{ETC}/x.service": "-> x.service", f"{LIB}/x.service": SERVICE}, "x.service", False),
    ],
    ids=["enabled-alias", "vendor-alias", "chain", "masked-behind", "linked", "own-name", "itself"],
)  # fmt: skip
def test_an_alias_stands_for_its_unit(
    tmp_path: Path, asked: str, files: dict[str, str], real: str, enabled: bool
) -> None:
    found = unit(tmp_path, asked, files)
    assert (found.name, found.enabled) == (real, enabled)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {f"{ETC}/x.service": "-> y.service", f"{ETC}/y.service": "-> x.service"},
        {f"{ETC}/x.service": "-> x.service"},
        {f"{ETC}/x.service": to("gone.service"), f"{LIB}/x.service": SERVICE},
        {f"{ETC}/x.service": "-> /opt/x.service"},
        {f"{ETC}/x.service": "-> /opt/loop/x.service", "/opt/loop": "-> loop"},
        {f"{ETC}/x.service": "-> ../../../../../../../../../../etc/passwd"},
        {f"{ETC}/x.service": to("x.socket"), f"{LIB}/x.socket": SERVICE},
        {f"{ETC}/{WANTS}/x.service": to("x.service")},
        {f"{LIB}/x@.service": SERVICE},
        {f"{LIB}/{n}.service": f"-> {chr(ord(n) + 1)}.service" for n in "xyz"},
        {f"{LIB}/x.service.d/a.conf": "", f"{LIB}/x.service.wants/y.service": to("x.service")},
    ],
)
def test_a_name_without_a_unit(tmp_path: Path, files: dict[str, str]) -> None:
    assert Systemd(tree(tmp_path, files)).unit("x.service") is None


def test_links_cannot_lead_out_of_the_root(tmp_path: Path) -> None:
    write(tmp_path, "/outside/x.service", SERVICE)
    root = tmp_path / "root"
    up = "../" * 20 + str(tmp_path / "outside").lstrip("/")
    roots = tree(root, {f"{ETC}/x.service": f"-> {up}/x.service", f"{ETC}/{WANTS}": f"-> {up}"})
    assert Systemd(roots).unit("x.service") is None


def test_a_folder_of_links_may_be_a_link_and_even_a_circle(tmp_path: Path) -> None:
    files = {
        f"{LIB}/x.service": SERVICE, "/opt/wants/x.service": to("x.service"), f"{ETC}/{WANTS}": "-> /opt/wants",
        f"{ETC}/a.target.wants": "-> a.target.wants", f"{ETC}/b.target.wants": "a file",
    }  # fmt: skip
    assert unit(tmp_path, "x.service", files).enabled


def test_a_pipe_is_not_read_and_no_mask(tmp_path: Path) -> None:
    roots = tree(tmp_path, {f"{ETC}/{WANTS}/x.service": to("x.service"), f"{LIB}/x.socket": SERVICE})
    os.mkfifo(tmp_path / "usr/lib/systemd/system/x.service")
    (tmp_path / "etc/systemd/system/y.service").mkdir()
    systemd = Systemd(roots)
    found = systemd.unit("x.service")
    assert found is not None
    assert (found.enabled, found.masked) == (True, False)
    folder = systemd.unit("y.service")
    assert folder is None or not folder.enabled


def test_where_the_units_cannot_be_read_nothing_is_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreadable):
        Systemd(out_of_reach())
    roots = tree(tmp_path, {f"{ETC}/{WANTS}/x.service": to("x.service"), f"{LIB}/x.service": SERVICE})
    real = os.scandir

    def denied(path: str) -> object:
        if str(path).endswith(WANTS):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(Unreadable, match="Permission denied"):
        Systemd(roots)


# --- scripts, instances, sockets -----------------------------------------------------------------------------

SCRIPT = {"/etc/init.d/exim4": "#!/bin/sh\n"}
LATE = "/run/systemd/generator.late"


@pytest.mark.parametrize(
    ("more", "enabled"),
    [
        ({}, False),
        ({"/etc/rc3.d/S01exim4": "-> ../init.d/exim4"}, True),
        ({"/etc/rc5.d/S01exim4": "-> ../init.d/exim4"}, True),
        ({"/etc/rc3.d/K01exim4": "-> ../init.d/exim4", "/etc/rc0.d/S01exim4": "-> ../init.d/exim4"}, False),
        ({f"{LATE}/exim4.service": BARE, f"{LATE}/{WANTS}/exim4.service": "-> ../exim4.service"}, False),
        ({f"{ETC}/{WANTS}/exim4.service": to("exim4.service")}, True),
    ],
)
def test_units_of_scripts_start_by_their_links(tmp_path: Path, more: dict[str, str], enabled: bool) -> None:
    """What the generator made at the last boot says nothing of the next."""
    found = unit(tmp_path, "exim4.service", SCRIPT | more)
    assert (found.enabled, found.script, found.masked, found.source) == (enabled, True, False, "/etc/init.d/exim4")


@pytest.mark.parametrize("place", [ETC, LIB])
def test_a_unit_of_its_own_or_a_mask_goes_before_the_script(tmp_path: Path, place: str) -> None:
    links = SCRIPT | {"/etc/rc3.d/S01exim4": "-> ../init.d/exim4"}
    found = unit(tmp_path / "own", "exim4.service", links | {f"{place}/exim4.service": SERVICE})
    assert (found.enabled, found.script) == (False, False)
    masked = unit(tmp_path / "masked", "exim4.service", links | {f"{place}/exim4.service": "-> /dev/null"})
    assert (masked.enabled, masked.masked) == (False, True)


def test_a_script_that_may_not_be_executed_makes_no_unit(tmp_path: Path) -> None:
    roots = tree(tmp_path, SCRIPT | {"/etc/rc3.d/S01exim4": "-> ../init.d/exim4"})
    (tmp_path / "etc/init.d/exim4").chmod(0o644)
    (tmp_path / "etc/init.d/postfix").mkdir()
    assert Systemd(roots).unit("exim4.service") is None
    assert Systemd(roots).unit("postfix.service") is None
    assert Systemd(roots).unit("exim4.socket") is None


def test_enabled_instances_of_a_template(tmp_path: Path) -> None:
    roots = tree(tmp_path, {
        f"{LIB}/postfix.service": SERVICE, f"{LIB}/postfix@.service": BARE,
        f"{ETC}/{WANTS}/postfix@relay.service": to("postfix@.service"),
        f"{ETC}/{WANTS}/postfix@.service": to("postfix@.service"),
        "/run/systemd/generator/postfix.service.wants/postfix@-.service": to("postfix@.service"),
        f"{ETC}/{WANTS}/postfixed@x.service": to("postfixed@.service"),
    })  # fmt: skip
    assert Systemd(roots).instances("postfix.service") == ("postfix@relay.service",)
    found = Systemd(roots).unit("postfix@relay.service")
    assert found is not None
    assert (found.enabled, found.source) == (True, f"{LIB}/postfix@.service")


@pytest.mark.parametrize(
    ("socket", "enabled", "streams"),
    [
        ("[Socket]\nListenStream=143\nListenStream=[::]:993\n", True, ((("", 143), ("::", 993)),)),
        ("[Socket]\nListenStream=/run/x\n", True, ((),)),
        ("[Socket]\nListenStream=143\n", False, ()),
        ("-> /dev/null", True, ()),
    ],
)
def test_sockets_that_start_a_service(
    tmp_path: Path, socket: str, enabled: bool, streams: tuple[tuple[tuple[str, int], ...], ...]
) -> None:
    files = {f"{LIB}/dovecot.service": SERVICE, f"{LIB}/dovecot.socket": socket}
    if enabled:
        files[f"{ETC}/sockets.target.wants/dovecot.socket"] = to("dovecot.socket")
    found = unit(tmp_path, "dovecot.service", files)
    assert (found.enabled, found.sockets) == (False, tuple(SocketUnit("dovecot.socket", ports) for ports in streams))


def test_sockets_of_any_name_that_open_ports_at_boot(tmp_path: Path) -> None:
    files = {
        f"{LIB}/mx.socket": "[Socket]\nListenStream=25\n",
        f"{LIB}/mx.socket.d/10-port.conf": "[Socket]\nListenStream=\nListenStream=26\n",
        f"{ETC}/mx.socket.d/10-port.conf": "[Socket]\nListenStream=127.0.0.1:465\n",  # in place of its namesake
        f"{ETC}/mx.socket.d/notes": "[Socket]\nListenStream=1\n",
        f"{LIB}/web@.socket": "[Socket]\nListenStream=[::]:%i\n",
        f"{LIB}/idle.socket": "[Socket]\nListenStream=80\n",  # enabled by nobody
        f"{LIB}/local.socket": "[Socket]\nListenStream=/run/x\n",
        f"{LIB}/gone.socket": "[Socket]\nListenStream=110\n", f"{ETC}/gone.socket": "-> /dev/null",
    }  # fmt: skip
    wants = {
        "mx.socket": "mx.socket",
        "web@443.socket": "web@.socket",
        "local.socket": "local.socket",
        "gone.socket": "",
    }
    files |= {f"{ETC}/sockets.target.wants/{name}": to(file or name) for name, file in wants.items()}
    found = Systemd(tree(tmp_path, files)).sockets()
    assert found == {"mx.socket": (("", 25), ("127.0.0.1", 465)), "web@443.socket": (("::", 443),)}


def test_a_socket_that_cannot_be_read_is_named_without_ports(tmp_path: Path) -> None:
    roots = tree(tmp_path, {
        f"{LIB}/x.service": SERVICE, f"{ETC}/sockets.target.wants/x.socket": to("x.socket"),
    })  # fmt: skip
    os.mkfifo(tmp_path / "usr/lib/systemd/system/x.socket")
    found = Systemd(roots).unit("x.service")
    assert found is not None
    assert found.sockets == (SocketUnit("x.socket", ()),)


# --- what is active ------------------------------------------------------------------------------------------


def live(roots: Roots) -> Roots:
    return Roots(roots.root, msgspec.structs.replace(VIEW, root=roots.root))


@pytest.mark.parametrize(
    ("state", "active"),
    [
        ({"/run/systemd/units/invocation:x.service": "-> 0123456789abcdef"}, True),
        ({"/run/systemd/units/invocation:x@a.service": "-> 0123456789abcdef"}, True),
        ({"/run/systemd/units/invocation:xx.service": "-> 0123456789abcdef"}, False),
        ({"/run/systemd/units/invocation:x.socket": "-> 0", "/run/systemd/units/log-level-max:x.service": "-> 6"},
         False),
        ({"/sys/fs/cgroup/systemd/system.slice/x.service/cgroup.procs": "812\n"}, True),
        ({"/sys/fs/cgroup/system.slice/x.service/cgroup.procs": "812\n"}, True),
        ({"/sys/fs/cgroup/unified/system.slice/x.service/cgroup.procs": "\n"}, False),
        ({"/sys/fs/cgroup/systemd/system.slice/y.service/cgroup.procs": "812\n"}, False),
    ],
)  # fmt: skip
def test_what_systemd_says_is_active(tmp_path: Path, state: dict[str, str], active: bool) -> None:
    """Without /run/systemd/units (before 232) a process in the unit's group says so."""
    roots = tree(tmp_path, {f"{LIB}/x.service": SERVICE, f"{RUN}/y.service": SERVICE} | state)
    found = Systemd(live(roots)).unit("x.service")
    assert found is not None
    assert found.active is active
    of_copy = Systemd(roots).unit("x.service")
    assert of_copy is not None
    assert of_copy.active is None


def test_where_systemd_does_not_run_nothing_is_active_or_not(tmp_path: Path) -> None:
    found = Systemd(live(copy(tmp_path, **{f"{LIB}/x.service": SERVICE}))).unit("x.service")
    assert found is not None
    assert found.active is None


# --- anything at all -----------------------------------------------------------------------------------------

NAMES = st.sampled_from(["x.service", "y.service", "x.socket", "x@.service", "x@a.service", "@.service", ".service"])
PLACES = st.sampled_from([ETC, LIB, RUN, f"{ETC}/{WANTS}", f"{LIB}/{WANTS}", "/opt"])
TARGETS = st.one_of(
    st.tuples(PLACES, NAMES).map("/".join),
    NAMES,
    st.sampled_from(["/dev/null", "/", "..", ".", "../../x", "/nowhere/x.service", f"{ETC}/{WANTS}"]),
)


@given(st.dictionaries(st.tuples(PLACES, NAMES), st.none() | st.text(max_size=5) | TARGETS.map("-> ".__add__)))
def test_no_tangle_of_files_and_links_breaks_it(
    tmp_path_factory: pytest.TempPathFactory, files: dict[tuple[str, str], str | None]
) -> None:
    root = tmp_path_factory.mktemp("tangle")
    systemd = Systemd(tree(root, {f"{place}/{name}": text or SERVICE for (place, name), text in files.items()}))
    for name in ("x.service", "y.service", "x@a.service", "@.service", ".service", "", "@", "x"):
        found = systemd.unit(name)
        assert found is None or not (found.enabled and found.masked)
        assert name not in systemd.instances(name)
    shutil.rmtree(root)
