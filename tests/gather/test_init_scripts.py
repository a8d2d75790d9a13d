"""Services of OpenRC's run levels and of System V's links."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.access.view import find_roots
from preflight.gather.services.init_scripts import Scripts, default_level, openrc, started_at_boot, sysv
from tests.build import VIEW
from tests.gather.trees import copy, out_of_reach, write


def live(root: Path, **files: str) -> Roots:
    return Roots(copy(root, **files).root, msgspec.structs.replace(VIEW, root=str(root)))


def links(root: Path, *paths: str) -> Roots:
    """Make links to scripts that are not looked at: only their names count."""
    for path in paths:
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to("/etc/init.d/" + place.name.lstrip("SK0123456789"))
    return find_roots({}, str(root))


# --- OpenRC --------------------------------------------------------------------------------------------------

NGINX = {"/etc/init.d/nginx": "#!/sbin/openrc-run\n"}


@pytest.mark.parametrize(
    ("level", "enabled"),
    [("default", True), ("boot", True), ("sysinit", True), ("my-own", True), ("shutdown", False)],
)
def test_run_levels_of_openrc(tmp_path: Path, level: str, enabled: bool) -> None:
    roots = links(tmp_path, f"/etc/runlevels/{level}/nginx")
    assert openrc(roots).unit("nginx.service") is None  # the package has gone, its link stays
    write(tmp_path, "/etc/init.d/nginx", "#!/sbin/openrc-run\n")
    unit = openrc(roots).unit("nginx.service")
    assert unit is not None
    assert (unit.name, unit.enabled, unit.source, unit.script) == ("nginx", enabled, "/etc/init.d/nginx", True)


@pytest.mark.parametrize(
    ("files", "active"),
    [
        ({"/run/openrc/softlevel": "default", "/run/openrc/started/nginx": ""}, True),
        ({"/run/openrc/softlevel": "default", "/run/openrc/started/sshd": ""}, False),
        ({"/run/openrc/softlevel": "default"}, False),
        ({"/run/openrc/started/nginx": ""}, None),
    ],
)
def test_what_openrc_has_started(tmp_path: Path, files: dict[str, str], active: bool | None) -> None:
    """It counts only where OpenRC runs, and never in a copy."""
    unit = openrc(live(tmp_path, **NGINX, **files)).unit("nginx.service")
    assert unit is not None
    assert unit.active is active
    of_copy = openrc(find_roots({}, str(tmp_path))).unit("nginx.service")
    assert of_copy is not None
    assert of_copy.active is None


def test_a_level_stacked_upon_another_is_no_service(tmp_path: Path) -> None:
    write(tmp_path, "/etc/init.d/postfix", "#!/sbin/openrc-run\n")
    scripts = openrc(links(tmp_path, "/etc/runlevels/mail/postfix", "/etc/runlevels/default/mail"))
    assert scripts.unit("mail.service") is None
    postfix = scripts.unit("postfix.service")
    assert postfix is not None
    assert postfix.enabled


# --- System V ------------------------------------------------------------------------------------------------

INITTAB = "# id:3:initdefault: as it was\nid:{}:initdefault:\nsi::sysinit:/etc/init.d/rcS\n"


@pytest.mark.parametrize(
    ("level", "link", "enabled"),
    [
        ("2", "/etc/rc2.d/S01exim4", True), ("2", "/etc/rc3.d/S01exim4", False), ("3", "/etc/rc3.d/S80exim4", True),
        ("2", "/etc/rc2.d/K01exim4", False), ("2", "/etc/rc2.d/S1exim4", False), ("2", "/etc/rc2.d/S01", False),
        ("2", "/etc/rc2.d/s01exim4", False), ("2", "/etc/rc2.d/S01exim4.dpkg-old", False),
        ("6", "/etc/rc4.d/S01exim4", True),
        ("2", "/etc/rc0.d/S01exim4", False), ("2", "/etc/rc6.d/S01exim4", False),
    ],
)  # fmt: skip
def test_links_of_the_default_run_level(tmp_path: Path, level: str, link: str, enabled: bool) -> None:
    write(tmp_path, "/etc/init.d/exim4", "#!/bin/sh\n")
    write(tmp_path, "/etc/inittab", INITTAB.format(level))
    unit = sysv(links(tmp_path, link)).unit("exim4.service")
    assert unit is not None
    assert (unit.enabled, unit.active) == (enabled, None)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        (INITTAB.format(2), "2"), (INITTAB.format(0), "2345"), ("", "2345"), ("#id:3:initdefault:\n", "2345"),
        ("id:3:initdefault:\nid:5:initdefault:\n", "3"), ("\x1b[31mid:3:initdefault:", "3"),
        ("id:23:initdefault:", "2345"),
    ],
)  # fmt: skip
def test_inittab(tmp_path: Path, text: str, level: str) -> None:
    assert default_level(copy(tmp_path, **{"/etc/inittab": text})) == level


def test_without_inittab_every_level_may_be_the_default(tmp_path: Path) -> None:
    roots = links(tmp_path, "/etc/rc4.d/S02postfix", "/etc/rc5.d/S03exim4", "/etc/rc1.d/S01single")
    assert default_level(roots) == "2345"
    assert started_at_boot(roots) == {"postfix", "exim4"}
    assert started_at_boot(roots, "5") == {"exim4"}


def test_links_of_red_hat_lie_one_folder_deeper(tmp_path: Path) -> None:
    roots = links(tmp_path, "/etc/rc.d/rc3.d/S80sendmail")
    write(tmp_path, "/etc/rc.d/init.d/sendmail", "#!/bin/sh\n")
    (tmp_path / "etc/rc3.d").symlink_to("rc.d/rc3.d")
    (tmp_path / "etc/init.d").symlink_to("rc.d/init.d")
    unit = sysv(roots).unit("sendmail.service")
    assert unit is not None
    assert unit.enabled


def test_where_the_scripts_cannot_be_read_nothing_is_made_up(tmp_path: Path) -> None:
    for read in (openrc, sysv):
        with pytest.raises(Unreadable):
            read(out_of_reach())
    (tmp_path / "etc").mkdir()
    for name in ("runlevels", "rc3.d"):
        (tmp_path / "etc" / name).symlink_to(name)
    for read in (openrc, sysv):
        with pytest.raises(Unreadable, match="too many links"):
            read(find_roots({}, str(tmp_path)))


def test_scripts_have_no_instances() -> None:
    assert Scripts(frozenset({"postfix"}), frozenset({"postfix@a"}), None).instances("postfix.service") == ()


@given(st.text(max_size=200))
def test_no_inittab_breaks_it(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.getbasetemp()
    assert default_level(copy(root, **{"/etc/inittab": text})) in ("2", "3", "4", "5", "2345")
