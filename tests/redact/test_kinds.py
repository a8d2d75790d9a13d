"""The kinds beside the fields: every text of the facts has one, and what has none is a secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
import pytest

import preflight.facts
import preflight.facts.records
import preflight.reach.facts
from preflight.facts import Fact, Host, Missing, Setting
from preflight.facts.base import Cause
from preflight.facts.kinds import Kind, ProgramName, Secret, Word
from preflight.facts.records import Txt
from preflight.redact.kinds import TEXTS, WHOLE, hints, masked
from preflight.redact.masks import Masks
from preflight.redact.reasons import LEFT_OUT

STRUCTS = [
    kind
    for room in (preflight.facts, preflight.facts.records, preflight.reach.facts)
    for name in vars(room)
    if isinstance(kind := getattr(room, name), type) and issubclass(kind, msgspec.Struct) and kind is not msgspec.Struct
]


def without_kind(declared: Any) -> Iterator[Any]:
    """Yield the texts of a type that have no kind beside them."""
    if declared is str:
        yield declared
    if get_origin(declared) is Annotated:
        bare, *beside = get_args(declared)
        if not any(isinstance(one, Kind) for one in beside):
            yield from without_kind(bare)
    elif get_origin(declared) is not Literal:
        for inner in get_args(declared):
            yield from without_kind(inner)


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_text_of_the_facts_has_a_kind(struct: type[msgspec.Struct]) -> None:
    """A text that nobody has thought about is a secret; say so with `Secret`, or say what it is."""
    assert [name for name, declared in hints(struct).items() if [*without_kind(declared)]] == []


def test_every_struct_below_a_host_is_looked_at() -> None:
    def below(kind: msgspec.inspect.Type) -> Iterator[type]:
        if isinstance(kind, msgspec.inspect.StructType):
            yield getattr(kind.cls, "__origin__", kind.cls)
            yield from (one for field in kind.fields for one in below(field.type))
        for name in ("type", "types", "item_types", "item_type", "key_type", "value_type"):
            inner = getattr(kind, name, ())
            yield from (one for part in (inner if isinstance(inner, tuple) else (inner,)) for one in below(part))

    found = set(below(msgspec.inspect.type_info(Host)))
    assert len(found) > 60
    assert found <= set(STRUCTS)


def test_something_is_done_with_every_kind_and_one_thing_only() -> None:
    assert TEXTS.keys() | WHOLE.keys() == set(Kind)
    assert not TEXTS.keys() & WHOLE.keys()


def test_a_text_without_a_kind_is_a_secret() -> None:
    class New(msgspec.Struct):
        name: str
        names: tuple[str, ...]
        table: dict[str, str]
        pairs: tuple[tuple[str, int], ...] | None

    new = masked(New("docker", ("docker", "nginx"), {"docker": "nginx"}, (("docker", 1),)), Masks())
    assert new == New("zqtext1qz", ("zqtext1qz", "zqtext2qz"), {"zqtext1qz": "zqtext2qz"}, (("zqtext1qz", 1),))


def test_each_arm_of_a_union_has_its_own_kind() -> None:
    class New(msgspec.Struct):
        mixed: Word | list[Secret] | dict[ProgramName, str] | None
        one: tuple[Word, str, ProgramName] | Literal["nginx"]

    def shown(mixed: Any, one: Any) -> Any:
        made = masked(New(mixed, one), Masks())
        return made.mixed, made.one

    assert shown("docker", "nginx") == ("docker", "nginx")
    assert shown(["docker"], "docker") == (["zqtext1qz"], "zqtext1qz")
    assert shown({"nginx": "nginx"}, ("docker", "docker", "docker", "docker")) == (
        {"nginx": "zqtext1qz"}, ("docker", "zqtext2qz", "docker", "zqtext2qz"),
    )  # fmt: skip
    assert shown(None, ()) == (None, ())


def test_a_fact_s_value_has_the_kind_that_stands_where_the_fact_does() -> None:
    class New(msgspec.Struct):
        shown: Fact[Word]
        hidden: Fact[str]
        inner: Fact[dict[ProgramName, Fact[Secret]]]

    fact = Fact.of("docker", "docker")
    made = masked(New(fact, fact, Fact.of("docker", {"nginx": fact})), Masks())
    assert (made.shown.value, made.hidden.value) == ("docker", "zqtext1qz")
    assert made.inner.value["nginx"].value == "zqtext1qz"


@pytest.mark.parametrize("value", [{"a": "b"}, ["a"], "a", ({"a": ["b"]},)])
def test_a_value_that_its_type_does_not_foresee_is_a_secret(value: Any) -> None:
    """Decoded facts have the types that they declare; what is made in memory might not."""

    class New(msgspec.Struct):
        number: int

    assert "a" not in str(masked(New(value), Masks()).number).replace("zqtext", "")


def test_numbers_truth_values_and_nothing_stay() -> None:
    assert masked((1, 2.5, True, None), Masks()) == (1, 2.5, True, None)


def test_an_empty_value_stays_one() -> None:
    assert Masks().secret("") == ""


def test_a_setting_is_replaced_by_what_its_variable_means() -> None:
    masks = Masks()

    def shown(name: str, value: str, shell: str | None = None) -> Setting:
        setting: Setting = WHOLE[Kind.SETTINGS]({name: Setting(value, 1, shell=shell)}, masks)[name]
        return setting

    assert shown("SKIP_CLAMD", "y").value == "y"
    assert shown("SMTP_PORT", "127.0.0.1:25").value == "127.0.0.1:25"
    assert shown("SMTP_PORT", "9.8.7.6:25").value == "20.200.100.1:25"
    assert shown("IPV4_NETWORK", "172.22.1").value == "172.22.1"
    assert shown("IPV4_NETWORK", "10.8.7").value == "10.200.100"
    assert shown("TZ", "Etc/UTC", "Europe/Berlin") == Setting("Etc/UTC", 1, shell="zqzone1qz")
    assert shown("MAILCOW_HOSTNAME", "mail.own.example").value == "mail.zqdomain1qz.zqz"
    assert shown("COMPOSE_PROJECT_NAME", "mailcow-own").value == "mailcow-zqcontainer1qz"


@pytest.mark.parametrize("cause", [cause for cause in get_args(Cause) if cause])
def test_a_reason_is_told_by_its_cause(cause: Cause) -> None:
    made = masked(
        Missing("unknown", "geheim cannot be read.", "ask geheim", ("ls geheim",), "geheim said", cause), Masks()
    )
    assert "geheim" not in repr(made)
    assert (made.kind, made.cause, made.commands, made.detail) == ("unknown", cause, (), "")
    assert made.reason not in ("", LEFT_OUT)
    assert masked(made, Masks()) == made


def test_a_reason_without_a_known_cause_is_left_out() -> None:
    for cause in ("", "geheim"):
        made = masked(Missing("skip", "geheim", cause=cause), Masks())  # type: ignore[arg-type]  # it may be anything
        assert (made.kind, made.reason, made.cause) == ("skip", LEFT_OUT, "")


def test_the_texts_of_a_record_are_looked_at_together() -> None:
    """They may be cut anywhere, in the middle of an address too."""
    made = masked(Txt(("v=spf1 ip4:203.0.", "113.77 include:own.exa", "mple -all")), Masks())
    assert made == Txt(("v=spf1 ip4:20.200.100.1 include:zqdomain1qz.zqz -all",))
