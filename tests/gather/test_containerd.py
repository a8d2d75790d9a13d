"""containerd's own settings, and what an engine's storage driver left: who will keep the images."""

from __future__ import annotations

from pathlib import Path

import pytest

from preflight.gather.access.roots import Roots
from preflight.gather.engine.containerd import PATH, has_driver_images, root_told
from preflight.gather.engine.daemon import daemon_config
from preflight.gather.engine.next_start import engine_start
from tests.gather.trees import copy, write


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ('version = 2\nroot = "/big/containerd"\n[grpc]\n  address = "x"\n', "/big/containerd"),
        ('# root = "/big"\n', ""), ('[plugins]\nroot = "/other"\n', ""), ("root = 7\n", ""), ("root = \n", ""),
        ("root = [" + "[" * 5000, ""), ("", ""),
    ],
)  # fmt: skip
def test_root(tmp_path: Path, text: str, root: str) -> None:
    write(tmp_path, PATH, text)
    assert root_told(copy(tmp_path)) == root


def test_the_engine_goes_on_with_the_driver_it_has(tmp_path: Path) -> None:
    assert not has_driver_images(copy(tmp_path), "/var/lib/docker")
    (tmp_path / "var/lib/docker/overlay2").mkdir(parents=True)
    write(tmp_path, "/var/lib/docker/vfs/dir/x", "")
    assert not has_driver_images(copy(tmp_path), "/var/lib/docker")
    write(tmp_path, "/var/lib/docker/overlay2/l/x", "")
    assert kept(copy(tmp_path))
    write(tmp_path, "/etc/docker/daemon.json", '{"data-root": "/big"}')
    assert not kept(copy(tmp_path))


def kept(roots: Roots) -> bool:
    return engine_start(roots, None, daemon_config(roots).get()).get().driver_images
