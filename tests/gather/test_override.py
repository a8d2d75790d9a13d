"""The override file of mailcow's docker-compose.yml: what is read of it, and what is not clear."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Override, View
from preflight.gather.access.roots import Roots
from preflight.gather.conf import override

OURS = "networks:\n  mailcow-network:\n    driver_opts:\n      com.docker.network.driver.mtu: 1450\n"


@pytest.mark.parametrize(
    ("text", "mtu", "networks"),
    [
        (OURS, 1450, True),
        ("---\n" + OURS.replace("1450", '"1450" # the uplink'), 1450, True),
        (OURS.replace("com.docker.network.driver.mtu", "'com.docker.network.driver.mtu'"), 1450, True),
        (OURS.replace("\n", "\r\n"), 1450, True),
        ("networks:\n  mailcow-network:\n    driver_opts: {com.docker.network.driver.mtu: 1450, a: 'b'}\n", 1450, True),
        (
            "networks:\n mailcow-network:\n  # here\n\n  driver_opts:\n   com.docker.network.driver.mtu: '1450'",
            1450,
            True,
        ),
        # Of another network, of a service, in a comment, in text.
        (OURS.replace("mailcow-network", "other"), None, True),
        ("services:\n  networks:\n    x: 1\n", None, False),
        ("# " + OURS.replace("\n", "\n# "), None, False),
        ("services:\n  a:\n    command: |\n      networks:\n        mailcow-network:\n", None, False),
        ("services:\n  a:\n    ports:\n    - '25:25'\n    - 1.2.3.4:25:25\n    networks:\n      - x\n", None, False),
        ("services:\n  a:\n    ports:\n      - target: 25\n        published: 25\n  b:\n    image: c:d\n", None, False),
        ("", None, False),
        ("services: {}\n", None, False),
        ("services:\n  a:\n    ports: ['1:1']\n" + OURS, 1450, True),
        ("networks:\n  mailcow-network:\n    ipam:\n      config:\n        - subnet: fd00::/64\n", None, True),
    ],
)
def test_what_it_says(text: str, mtu: int | None, networks: bool) -> None:
    assert override.parse(text, "x") == Override(path="x", present=True, mtu=mtu, networks=networks)


@pytest.mark.parametrize(
    "text",
    [
        OURS.replace("1450", "${MTU}"), OURS.replace("1450", "*mtu"), OURS + "    driver_opts:\n      a: b\n",
        OURS.replace("      com", "\tcom"), OURS.replace("driver_opts:", "<<: *opts").replace("1450", "1"),
        "{networks: {mailcow-network: {driver_opts: {com.docker.network.driver.mtu: 1450}}}}",
        "networks: &n\n  mailcow-network:\n    driver_opts:\n      com.docker.network.driver.mtu: 1450\n",
        "networks:\n  mailcow-network:\n    external: true\n",
    ],
)  # fmt: skip
def test_what_is_not_clear(text: str) -> None:
    assert not override.parse(text, "x").clear


def test_what_is_not_read_but_says_nothing_of_an_mtu_is_clear() -> None:
    found = override.parse("services:\n  a: {b: c}\n  ? complex\n", "x")
    assert (found.clear, found.mtu) == (True, None)
    assert found.networks  # so nothing is added at its end


@given(st.text(max_size=300) | st.text(alphabet="networks:mailcow-driver_opts.{}\n #'\"&*|", max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    assert override.parse(text, "x").present


def copy(root: Path) -> Roots:
    return Roots(str(root), View(container=False, root=str(root), live=False, network=False, privileged=None))


def test_where_it_is_looked_for(tmp_path: Path) -> None:
    directory = tmp_path / "opt/mailcow-dockerized"
    usual = "/opt/mailcow-dockerized/docker-compose.override.yml"
    assert override.override(copy(tmp_path), "/opt/mailcow-dockerized").get() == Override(path=usual, present=False)
    directory.mkdir(parents=True)
    (directory / "docker-compose.override.yml").write_text(OURS)
    found = override.override(copy(tmp_path), "/opt/mailcow-dockerized/").get()
    assert found == Override(path=usual, present=True, mtu=1450, networks=True)
    (directory / "compose.override.yml").write_text("services: {}\n")  # which Compose prefers
    assert override.override(copy(tmp_path), "/opt/mailcow-dockerized").get().mtu is None


def test_a_file_that_is_too_large_is_not_clear(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.override.yml").write_text("#" * override.FILE_BYTES)
    assert not override.override(copy(tmp_path), "/").get().clear


def test_a_directory_in_its_place_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.override.yml").mkdir()
    assert not override.override(copy(tmp_path), "/").known
