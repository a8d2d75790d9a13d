"""The allow-list itself: every line of it is a place of the facts, and what has no line is a secret."""

from __future__ import annotations

import msgspec

from preflight.facts import Fact, Setting
from preflight.redact.allowed import ALLOWED, SPECIAL, masked
from preflight.redact.masks import Masks
from tests.redact.plant import planted


def places(value: object, place: str = "") -> set[str]:
    """Return the places that a host has, as the allow-list names them."""
    if isinstance(value, str):
        return {place}
    if isinstance(value, msgspec.Struct):
        name = type(value).__name__
        inner = {
            field: place if isinstance(value, Fact) and field == "value" else f"{name}.{field}"
            for field in value.__struct_fields__
        }
        return {*inner.values(), *(one for field, at in inner.items() for one in places(getattr(value, field), at))}
    if isinstance(value, dict):
        return {
            place,
            *(one for key, item in value.items() for one in places(key, f"{place}.keys") | places(item, place)),
        }
    return {one for item in value for one in places(item, place)} if isinstance(value, list | tuple) else set()


def test_every_line_is_a_place_of_the_facts() -> None:
    known = places(planted(str)) | places(planted(str, missing=True))
    # A value of daemon.json may be many things, of which one was planted.
    assert (ALLOWED.keys() | SPECIAL.keys()) - known == {"Host.stand_ins"} - known


def test_a_new_place_is_a_secret() -> None:
    class New(msgspec.Struct):
        name: str
        names: tuple[str, ...]
        table: dict[str, str]

    new = masked(New("docker", ("docker", "nginx"), {"docker": "nginx"}), Masks())
    assert new == New("zqtext1qz", ("zqtext1qz", "zqtext2qz"), {"zqtext1qz": "zqtext2qz"})


def test_numbers_truth_values_and_nothing_stay() -> None:
    assert masked((1, 2.5, True, None), Masks()) == (1, 2.5, True, None)


def test_an_empty_value_stays_one() -> None:
    assert Masks().secret("") == ""


def test_a_setting_is_replaced_by_what_its_variable_means() -> None:
    masks = Masks()

    def shown(name: str, value: str, shell: str | None = None) -> Setting:
        setting: Setting = SPECIAL["ConfFile.settings"]({name: Setting(value, 1, shell=shell)}, masks)[name]
        return setting

    assert shown("SKIP_CLAMD", "y").value == "y"
    assert shown("SMTP_PORT", "127.0.0.1:25").value == "127.0.0.1:25"
    assert shown("SMTP_PORT", "9.8.7.6:25").value == "20.200.100.1:25"
    assert shown("IPV4_NETWORK", "172.22.1").value == "172.22.1"
    assert shown("IPV4_NETWORK", "10.8.7").value == "10.200.100"
    assert shown("TZ", "Etc/UTC", "Europe/Berlin") == Setting("Etc/UTC", 1, shell="zqzone1qz")
    assert shown("MAILCOW_HOSTNAME", "mail.own.example").value == "mail.zqdomain1qz.zqz"
    assert shown("COMPOSE_PROJECT_NAME", "mailcow-own").value == "mailcow-zqcontainer1qz"
