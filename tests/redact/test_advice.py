"""Words and advice in a redacted report are the real host's, or none: what checks decide by comes through."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from preflight.checks.holders import images
from preflight.checks.holders.known_programs import IMAGES, NAMES, READERS, SENDERS, stem
from preflight.checks.holders.supervised import SUPERVISORS
from preflight.facts import Link
from preflight.net.addresses import is_inner
from preflight.redact.likeness import alike, same
from preflight.redact.masks import Masks
from preflight.redact.reasons import LEFT_OUT
from preflight.redact.retold import WITHHELD, retold
from preflight.redact.tokens import Unveiler
from preflight.report.model import Remedy, Result, Status, WrittenFile
from tests.checks.published import container, engine, free, proxy
from tests.render import reports

WAYS = sorted({name for names in IMAGES.values() for name in names.split()})
UNITS = sorted(
    {name for names in NAMES.values() for name in names.split()}
    | SENDERS
    | READERS
    | {unit for entry in SUPERVISORS for unit in entry.units}
)


@pytest.mark.parametrize("shape", ["{}", "geheim/{}", "ghcr.io/geheim/{}:1", "r.geheim.example:5/a/{}@sha256:00ff"])
@pytest.mark.parametrize("name", WAYS)
def test_what_an_image_is_for_is_told_wherever_it_comes_from(name: str, shape: str) -> None:
    image = shape.format(name)
    made = Masks().image(image)
    assert images.way_in(made) == images.way_in(image) is not None
    assert "geheim" not in made


@pytest.mark.parametrize(
    "image",
    [
        "ghcr.io/docker-mailserver/docker-mailserver:14", "stalwartlabs/stalwart", "geheim/our-mailserver:2",
        "ghcr.io/mailu/front:2", "analogic/poste.io", "ghcr.io/mailcow/geheim:1", "geheim/mail-server",
    ],
)  # fmt: skip
def test_a_mail_server_s_image_stays_one(image: str) -> None:
    made = Masks().image(image)
    assert images.serves_mail(made)
    assert images.way_in(made) is None
    assert "geheim" not in made


def test_other_images_become_neither() -> None:
    for image in ("geheim/app", "nginx", "geheim/nginx:geheim"):
        made = Masks().image(image)
        assert not images.serves_mail(made)
        assert images.way_in(made) is None


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_by_which_advice_is_decided_keeps_its_name(name: str) -> None:
    masks = Masks()
    for unit in (f"{name}.service", f"{name}@geheim.service", f"{name}@-.service", name):
        made = masks.unit(unit)
        assert stem(made) == stem(unit)
        assert "geheim" not in made
        assert made.partition("@")[2].startswith("-") == ("@-" in unit)
    assert masks.program(name) == name


@pytest.mark.parametrize(
    ("unit", "shown"),
    [("pm2-geheim.service", "pm2-<unit-1>.service"), ("postfix@geheim.service", "postfix@<unit-1>.service"),
     ("snap.lxd.daemon.service", "snap.lxd.daemon.service"), ("geheim@1.service", "<unit-1>@<unit-2>.service")],
)  # fmt: skip
def test_a_unit_is_hidden_part_by_part(unit: str, shown: str) -> None:
    masks = Masks()
    assert Unveiler(masks.registry.placeholders)(masks.unit(unit)) == shown


@pytest.mark.parametrize(
    "name",
    ["incusbr0", "nerdctl0", "flannel.1", "cali0123456789a", "cilium_host", "kube-bridge", "kube-ipvs0", "podman1",
     "cni-podman0", "cni0", "veth12ab", "br-0123456789ab", "docker0", "lxcbr0", "virbr0", "flannel-v6.1"],
)  # fmt: skip
def test_an_interface_of_containers_stays_one(name: str) -> None:
    assert is_inner(Link(name, 1500, True))
    assert is_inner(Link(Masks().interface(name), 1500, True))
    assert not is_inner(Link(Masks().interface("geheim0"), 1500, True))


@pytest.mark.parametrize("image", [f"lscr.io/geheim/{name}:latest" for name in WAYS] + ["ghcr.io/geheim/mailu:2"])
def test_a_container_gives_way_as_it_does_in_the_real_report(image: str) -> None:
    """Every test that judges a host compares both reports (`tests/told.py`)."""
    here = container("geheim-mx", ("0.0.0.0", 443), image=image)
    found = free(("EADDRINUSE", "EADDRINUSE"), proxy("0.0.0.0", 443), port=443, engine=engine(here))
    assert found.remedy
    assert "docker stop geheim-mx" not in found.remedy.commands


REAL = Remedy("Stop mx (docker).", ("docker stop mx",), files=(WrittenFile("/srv/mx", "name mx"),))
SHOWN = Remedy(
    "Stop <container-1> (docker).",
    ("docker stop '<container-1>'",),
    files=(WrittenFile("/srv/<path-1>", "name <text-1>"),),
)
OTHERS = [
    Remedy("Keep <container-1>.", SHOWN.commands, files=SHOWN.files),
    Remedy(SHOWN.text, ("docker inspect <container-1>",), files=SHOWN.files),
    Remedy(SHOWN.text, (), files=SHOWN.files),
    Remedy(SHOWN.text, (*SHOWN.commands, *SHOWN.commands), files=SHOWN.files),
    Remedy(SHOWN.text, SHOWN.commands),
    Remedy(SHOWN.text, SHOWN.commands, "provider", files=SHOWN.files),
    Remedy(SHOWN.text, SHOWN.commands, when="last", files=SHOWN.files),
]


def test_the_real_advice_with_placeholders_is_told() -> None:
    assert alike(REAL, SHOWN)
    assert alike(REAL, REAL)
    assert alike(None, None)


@pytest.mark.parametrize("shown", OTHERS)
def test_other_advice_is_not(shown: Remedy) -> None:
    assert not alike(REAL, shown)
    assert not alike(None, shown)


@pytest.mark.parametrize(
    ("real", "shown"),
    [
        ("25/tcp is held by mx (mx:1).", "25/tcp is held by <container-1> (<image-1>)."),
        ("a_b.example.7 ends in digits.", "<host-1>_.<domain-1>.0 ends in digits."),
        ("Not known. /srv/a: Permission denied.", f"Not known. {LEFT_OUT}"),
        ("mx holds 25/tcp, and nothing else.", "<process-1> holds 25/tcp, and nothing else."),
        ("10.1.2.0/24 is taken.", "<ipv4-1>.0/24 is taken."),
        ("It works.", "It works."),
    ],
)
def test_the_real_words_with_placeholders_are_told(real: str, shown: str) -> None:
    assert same(real, shown)


@pytest.mark.parametrize(
    ("real", "shown"),
    [
        ("25/tcp is held by mx.", "25/tcp is free."),
        ("25/tcp is held by mx.", "26/tcp is held by <container-1>."),
        ("25/tcp is held by mx. Did you mean my?", "25/tcp is held by <container-1>."),
        ("Docker uses 1480 for mx.", "Docker uses 1500 for <container-1>."),
        ("a is below b, and so is c.", "<host-1> is below <host-2>, and not so is c."),
    ],
)
def test_other_words_are_not(real: str, shown: str) -> None:
    assert not same(real, shown)


def test_a_result_has_the_real_host_s_words_and_values_or_none() -> None:
    real = reports.result("a.b", "warn", "mx is small.", expected="1480", found="mail.example.org", remedy=None)
    twin = msgspec.structs.replace(real, message="<host-1> is small.", expected="1500", found="mail.<domain-1>")

    def told(shown: Result) -> tuple[str, str | None, str | None]:
        (result,) = retold([real], [shown], (), date(2026, 11, 28))
        assert result.status is Status.WARN
        return result.message, result.expected, result.found

    assert told(twin) == ("<host-1> is small.", None, "mail.<domain-1>")
    assert told(msgspec.structs.replace(twin, message="<host-1> is large.")) == (WITHHELD, None, None)
