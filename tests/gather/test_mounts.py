"""The mount that a path lies on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.gather.machine.mounts import mount_of, parse_mountinfo

TABLE = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda1 rw,errors=remount-ro
23 22 0:21 / /proc rw - proc proc rw
30 22 254:16 / /var ro,noexec shared:1 master:2 - xfs /dev/vdb rw,attr2
31 30 0:40 / /var/lib/docker rw - btrfs /dev/vdc rw,subvol=/docker
32 22 0:41 / /mnt/with\040blank rw - nfs4 server:/x rw
33 32 0:42 / /mnt/with\040blank/a\134b rw - tmpfs tmpfs rw
not a line
40 22 0:50 / /srv rw - ext4 /dev/old rw
41 40 0:51 / /srv/inner rw - ext4 /dev/hidden rw
42 22 0:52 / /opt rw - overlay overlay rw,lowerdir=LONG
""".replace("LONG", "/l" * 500)


@pytest.mark.parametrize(
    ("path", "point", "kind"),
    [
        ("/", "/", "ext4"), ("/etc", "/", "ext4"), ("/var", "/var", "xfs"), ("/variety", "/", "ext4"),
        ("/var/lib/docker", "/var/lib/docker", "btrfs"), ("/var/lib/docker/x", "/var/lib/docker", "btrfs"),
        ("/var/lib/dockers", "/var", "xfs"), ("/mnt/with blank/file", "/mnt/with blank", "nfs4"),
        ("/mnt/with blank/a\\b", "/mnt/with blank/a\\b", "tmpfs"), ("/proc/1", "/proc", "proc"),
        ("/srv/inner/x", "/srv/inner", "ext4"),
    ],
)  # fmt: skip
def test_the_longest_way_down_wins(path: str, point: str, kind: str) -> None:
    mount = mount_of(parse_mountinfo(TABLE), path)
    assert mount is not None
    assert (mount.point, mount.filesystem) == (point, kind)


def test_a_later_mount_hides_those_below_it() -> None:
    later = parse_mountinfo(TABLE + "50 40 0:60 / /srv rw - tmpfs over rw\n")
    assert mount_of(later, "/srv/inner/x") == later[-1]


def test_a_mount_over_the_root_and_an_initial_ramdisk() -> None:
    ramdisk, root = "1 1 0:1 / / rw - rootfs rootfs rw\n", "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    table = parse_mountinfo(f"{ramdisk}{root}21 20 8:2 / /var rw - xfs d rw\n")
    assert mount_of(table, "/etc").filesystem == "ext4"  # type: ignore[union-attr]  # found
    assert mount_of(table, "/var/x").filesystem == "xfs"  # type: ignore[union-attr]  # found


def test_options_are_joined_and_long_ones_left_out() -> None:
    mounts = parse_mountinfo(TABLE)
    assert mounts[2].options == ("ro", "noexec", "rw", "attr2")
    assert mounts[-1].options == ("rw",)


def test_without_a_root_the_longest_prefix_wins() -> None:
    table = parse_mountinfo("30 22 0:1 / /var rw - xfs d rw\n31 30 0:2 / /var/lib rw - ext4 d rw\n")
    assert mount_of(table, "/var/lib/x").point == "/var/lib"  # type: ignore[union-attr]  # found
    assert mount_of(table, "/etc") is None


def test_circles_end() -> None:
    lines = [f"{number} {parent} 0:1 / / rw - a a rw" for number, parent in ((1, 0), (2, 1), (3, 2), (2, 3))]
    table = parse_mountinfo("\n".join(lines))
    assert mount_of(table, "/x") is not None


@given(st.text(max_size=200), st.text(max_size=20))
def test_nothing_makes_it_raise(text: str, path: str) -> None:
    mount_of(parse_mountinfo(text), path)
    mount_of(parse_mountinfo(f"1 0 0:1 / {text} rw - x y rw\n2 1 0:1 / /{text}"), path)
