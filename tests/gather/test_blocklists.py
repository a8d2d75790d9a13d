"""DNS block lists: by their test points, with lists that are dead, sold, or refuse whoever asks."""

from __future__ import annotations

import time

import pytest

from preflight.facts import Answer, Answers, BlockListed, BlockLists, Listing, View
from preflight.facts.records import A
from preflight.gather.access.roots import Roots
from preflight.gather.names import blocklists
from preflight.gather.names.blocklists import MUST, MUST_NOT, question
from tests.gather import nameserver

ZONE, OWN, OWN6 = "list.example", "203.0.113.7", "2001:db8::7"
NATIVE = Roots("/", View(container=False, root="/", live=True, network=True, privileged=None), anchor="self")


def answers(**said: str | tuple[str, ...]) -> Answers:
    """Make answers for the test points and own addresses: addresses, or the name of an error."""
    names = {
        "must": MUST[4],
        "mustnot": MUST_NOT[4],
        "own": OWN,
        "must6": MUST[6],
        "mustnot6": MUST_NOT[6],
        "own6": OWN6,
    }
    made = {}
    for key, text in said.items():
        name = question(names[key], ZONE)
        made[f"{name} A"] = (
            Answer(name, "A", text) if isinstance(text, str) else Answer(name, "A", "NOERROR", tuple(map(A, text)))
        )
    return Answers(made)


ALIVE: dict[str, str | tuple[str, ...]] = {"must": ("127.0.0.2",), "mustnot": "NXDOMAIN"}


def test_names_of_questions() -> None:
    assert question("203.0.113.7", ZONE) == "7.113.0.203.list.example."
    assert question(OWN6, ZONE).startswith("7.0.0.0.")
    assert question(OWN6, ZONE).endswith(".8.b.d.0.1.0.0.2.list.example.")
    assert question(MUST[6], ZONE) == f"2.0.0.0.0.0.f.7.f.f.f.f{'.0' * 20}.list.example."  # RFC 5782, 5


@pytest.mark.parametrize(
    ("said", "state"),
    [
        pytest.param(ALIVE, "alive", id="alive"),
        pytest.param({**ALIVE, "mustnot": ("127.0.0.2",)}, "all", id="lists-everything"),
        pytest.param({**ALIVE, "mustnot": ("192.0.2.80",)}, "all", id="a-name-server-answers-every-name"),
        pytest.param({"must": "NXDOMAIN", "mustnot": "NXDOMAIN"}, "none", id="lists-nothing"),
        pytest.param({**ALIVE, "must": ("127.0.0.1",)}, "none", id="answers-127.0.0.1"),
        pytest.param({**ALIVE, "must": ("192.0.2.80",)}, "none", id="leads-to-a-host"),
        pytest.param({**ALIVE, "must": ("127.255.255.254",)}, "refused", id="public-resolver"),
        pytest.param({"must": ("127.255.255.255",), "mustnot": ("127.255.255.255",)}, "refused", id="too-many"),
        pytest.param({**ALIVE, "must": ("127.255.255.252",)}, "refused", id="a-typing-error"),
        pytest.param({**ALIVE, "must": "SERVFAIL"}, "failed", id="servfail"),
        pytest.param({**ALIVE, "mustnot": "timeout"}, "failed", id="silent"),
        pytest.param({"must": ("127.0.0.2",)}, "failed", id="not-asked"),
    ],
)
def test_whether_a_list_works(said: dict[str, str | tuple[str, ...]], state: str) -> None:
    found = blocklists.read(ZONE, (OWN,), answers(own=("127.0.0.4",), **said))
    assert found.state == state
    assert bool(found.listings) == (state == "alive")


@pytest.mark.parametrize(
    ("own", "listing"),
    [
        ("NXDOMAIN", Listing(OWN, "clear")),
        ((), Listing(OWN, "clear")),
        (("127.0.0.4", "127.0.0.10"), Listing(OWN, "listed", (4, 10))),
        (("127.255.255.254",), Listing(OWN, "refused", (254,))),
        (("127.0.0.1",), Listing(OWN, "wrong", (1,))),
        (("127.0.0.4", "192.0.2.80"), Listing(OWN, "wrong", (4, 80))),
        ("REFUSED", Listing(OWN, "failed")),
    ],
)
def test_what_a_list_says(own: str | tuple[str, ...], listing: Listing) -> None:
    assert blocklists.read(ZONE, (OWN,), answers(own=own, **ALIVE)) == BlockListed(ZONE, "alive", (listing,))


def test_a_list_without_ipv6_says_nothing_of_such_addresses() -> None:
    without = answers(own="NXDOMAIN", own6="NXDOMAIN", must6="NXDOMAIN", mustnot6="NXDOMAIN", **ALIVE)
    assert [one.address for one in blocklists.read(ZONE, (OWN, OWN6), without).listings] == [OWN]
    has = answers(own="NXDOMAIN", own6=("127.0.0.3",), must6=("127.0.0.2",), mustnot6="NXDOMAIN", **ALIVE)
    assert blocklists.read(ZONE, (OWN, OWN6), has).listings[1] == Listing(OWN6, "listed", (3,))


def test_all_is_asked_once_and_at_a_time() -> None:
    zone = nameserver.zone(f"{question(MUST[4], ZONE)} A 127.0.0.2", f"{question(OWN, ZONE)} A 127.0.0.4")
    with nameserver.serve(zone) as server:
        place = f"127.0.0.1:{server.server[1]}"
        found = blocklists.blocklists(NATIVE, (ZONE,), (OWN,), (place,), time.monotonic() + 10)
    listed = BlockListed(ZONE, "alive", (Listing(OWN, "listed", (4,)),))
    assert found.get() == BlockLists((listed,), (OWN,), (place,))
    assert len(server.asked) == len(set(server.asked)) == 3


def test_without_a_public_address_nobody_is_asked() -> None:
    found = blocklists.blocklists(NATIVE, (ZONE,), (), ("127.0.0.1:9",), time.monotonic() + 10)
    assert found.missing is not None
    assert found.missing.kind == "skip"
