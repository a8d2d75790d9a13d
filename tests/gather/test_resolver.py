"""Questions and answers, against a real (small) name server on loopback and against bytes that nobody should send."""

from __future__ import annotations

import socket
import time

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Answer, Answers
from preflight.facts.records import A, Cname, Mx, Ptr, Txt
from preflight.gather.names import exchange, resolver
from preflight.gather.names.messages import parse_message
from preflight.gather.names.nameservers import Server, shown
from preflight.gather.names.resolver import ask
from tests.gather.nameserver import Script, reply, serve, zone

NAME = "mail.example.org"


def question(script: Script, kind: str = "A", name: str = NAME, *, seconds: float = 5.0) -> Answer:
    """Ask one question of a server with this script."""
    with serve(script) as state:
        (answer,) = ask((state.server,), [(name, kind)], time.monotonic() + seconds).values()
        assert answer.rcode == "timeout" or answer.server == shown(state.server)
    return answer


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "TRY", 0.1)
    monkeypatch.setattr(resolver, "LIFETIME", 0.4)


def test_an_answer() -> None:
    answer = question(zone(f"{NAME}. A 198.51.100.9", f"{NAME}. A 198.51.100.10"))
    assert (answer.name, answer.type, answer.rcode) == (f"{NAME}.", "A", "NOERROR")
    assert answer.records == (A("198.51.100.10"), A("198.51.100.9"))
    assert answer.alias is None


def test_the_four_results_that_are_no_records() -> None:
    def rcode(name: str) -> Script:
        return lambda query, transport: [reply(query, rcode=name).to_wire()]

    assert question(zone("other.example.org. A 192.0.2.1")).rcode == "NXDOMAIN"
    empty = question(zone(f"{NAME}. MX 10 x.example.org."))
    assert (empty.rcode, empty.records) == ("NOERROR", ())
    assert question(rcode("SERVFAIL")).rcode == "SERVFAIL"
    assert question(rcode("REFUSED")).rcode == "REFUSED"


@pytest.mark.usefixtures("impatient")
def test_silence_is_a_timeout_and_was_asked_again() -> None:
    began = time.monotonic()
    with serve(lambda query, transport: []) as state:
        answer = ask((state.server,), [(NAME, "A")], began + 60)[Answers.key(NAME, "A")]
    assert (answer.rcode, answer.server) == ("timeout", shown(state.server))
    assert len(state.asked) >= 3
    assert time.monotonic() - began < 30


def test_the_deadline_holds_whatever_the_server_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "TRY", 60.0)
    monkeypatch.setattr(resolver, "LIFETIME", 60.0)  # the deadline is the only one that can end it
    began = time.monotonic()
    answer = question(lambda query, transport: [], seconds=0.6)
    assert answer.rcode == "timeout"
    assert time.monotonic() - began < 30


def test_a_deadline_in_the_past_asks_nobody() -> None:
    with serve(zone()) as state:
        assert ask((state.server,), [(NAME, "A")], time.monotonic() - 1) == {}
    assert state.asked == []


def test_a_closed_port_is_an_error_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        closed: Server = free.getsockname()
    began = time.monotonic()
    (answer,) = ask((closed,), [(NAME, "A")], began + 60).values()
    assert (answer.rcode, answer.detail) == ("error", "Connection refused")
    assert time.monotonic() - began < 30


def test_what_does_not_fit_over_udp_comes_over_tcp() -> None:
    full = zone(*(f'{NAME}. TXT "{n:03} {"x" * 200}"' for n in range(40)))

    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        if transport == "tcp":
            return full(query, transport)
        short = reply(query)
        short.flags |= dns.flags.TC
        return [short.to_wire()]

    with serve(script) as state:
        (answer,) = ask((state.server,), [(NAME, "TXT")], time.monotonic() + 5).values()
    assert [transport for *_, transport in state.asked] == ["udp", "tcp"]
    assert len(answer.records) == 40


@pytest.mark.usefixtures("impatient")
def test_truncation_without_tcp_is_no_answer() -> None:
    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        short = reply(query, f"{NAME}. A 192.0.2.1")
        short.flags |= dns.flags.TC
        return [short.to_wire()] if transport == "udp" else []

    answer = question(script)
    assert answer.rcode in ("error", "timeout")
    assert answer.records == ()


def test_answers_that_do_not_fit_the_question_are_passed_over() -> None:
    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        other = dns.message.make_query("other.example.org.", "A")
        other.id = query.id
        wrong_id = bytearray(reply(query, f"{NAME}. A 192.0.2.66").to_wire())
        wrong_id[0] ^= 0xFF
        right = reply(query, f"{NAME}. A 192.0.2.1").to_wire()
        wrong_name = reply(other, f"{NAME}. A 192.0.2.67").to_wire()
        return [b"", b"garbage", right[:20], bytes(wrong_id), wrong_name, query.to_wire(), right]

    assert question(script).addresses == ("192.0.2.1",)


@pytest.mark.usefixtures("impatient")
def test_nothing_but_garbage_is_a_timeout() -> None:
    assert question(lambda query, transport: [b"\xff" * 600, b"\x00"]).rcode == "timeout"


def test_a_server_that_does_not_know_edns_is_asked_without() -> None:
    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        if query.edns >= 0:
            plain = dns.message.make_query(query.question[0].name, "A", use_edns=False, id=query.id)
            return [reply(plain, rcode="FORMERR").to_wire()]
        return [reply(query, f"{NAME}. A 192.0.2.1").to_wire()]

    assert question(script).addresses == ("192.0.2.1",)


def test_the_next_server_is_asked_where_the_first_refuses_or_is_gone() -> None:
    with (
        serve(lambda query, transport: [reply(query, rcode="REFUSED").to_wire()]) as refuses,
        serve(zone(f"{NAME}. A 192.0.2.1")) as knows,
    ):
        answer = ask((refuses.server, knows.server), [(NAME, "A")], time.monotonic() + 5)[Answers.key(NAME, "A")]
        assert (answer.addresses, answer.server) == (("192.0.2.1",), shown(knows.server))
        both = ask((refuses.server, refuses.server), [(NAME, "A")], time.monotonic() + 5)[Answers.key(NAME, "A")]
        assert both.rcode == "REFUSED"
        assert len(refuses.asked) <= 3


def test_an_alias_is_followed_by_the_server() -> None:
    records = (f"{NAME}. CNAME A.example.net.", "a.example.net. CNAME b.example.net.", "b.example.net. A 192.0.2.1")
    answer = question(zone(*records))
    assert (answer.alias, answer.addresses) == ("b.example.net.", ("192.0.2.1",))
    dangling = question(zone(f"{NAME}. CNAME gone.example.net."))
    assert (dangling.rcode, dangling.alias, dangling.records) == ("NXDOMAIN", "gone.example.net.", ())


def test_a_server_that_recurses_is_not_asked_for_the_alias_again() -> None:
    with serve(zone(f"{NAME}. CNAME a.example.net.", "a.example.net. MX 10 x.example.net.")) as state:
        (answer,) = ask((state.server,), [(NAME, "A")], time.monotonic() + 5).values()
    assert (answer.rcode, answer.alias, answer.records) == ("NOERROR", "a.example.net.", ())
    assert len(state.asked) == 1


def test_an_alias_itself_can_be_asked_for() -> None:
    answer = question(zone(f"{NAME}. CNAME a.example.net."), "CNAME")
    assert (answer.alias, answer.records) == (None, (Cname("a.example.net."),))


def test_an_alias_is_followed_for_a_server_that_does_not() -> None:
    records = (f"{NAME}. CNAME a.example.net.", "a.example.net. CNAME b.example.net.", "b.example.net. A 192.0.2.1")
    answer = question(zone(*records, recursive=False))
    assert (answer.name, answer.alias, answer.addresses) == (f"{NAME}.", "b.example.net.", ("192.0.2.1",))


@pytest.mark.parametrize("recursive", [True, False])
def test_aliases_in_a_circle_end(recursive: bool) -> None:
    circle = (f"{NAME}. CNAME a.example.net.", f"a.example.net. CNAME {NAME}.")
    answer = question(zone(*circle, recursive=recursive))
    assert (answer.rcode, answer.records) == ("NOERROR", ())
    assert answer.alias
    assert answer.broken == ("circle" if recursive else "long")


def test_a_long_chain_ends() -> None:
    chain = [f"{'n' * n}.example.net. CNAME {'n' * (n + 1)}.example.net." for n in range(1, 30)]

    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        return [reply(query, *chain, f"{'n' * 30}.example.net. A 192.0.2.1").to_wire()]

    answer = question(script, name="n.example.net")
    assert answer.records == ()
    assert answer.broken == "long"


def test_records_of_other_names_are_passed_over() -> None:
    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        return [reply(query, "evil.example.net. A 192.0.2.66", f"{NAME}. MX 10 evil.example.net.").to_wire()]

    answer = question(script)
    assert (answer.rcode, answer.records) == ("NOERROR", ())


def test_names_are_absolute_and_lower_case() -> None:
    with serve(zone(f"{NAME}. MX 10 MAIL.Example.Org.", f"{NAME}. MX 5 b.example.org.")) as state:
        answers = ask((state.server,), [("MAIL.example.org.", "MX"), ("mail", "MX")], time.monotonic() + 5)
    assert set(answers) == {f"{NAME}. MX", "mail. MX"}
    assert answers[f"{NAME}. MX"].records == (Mx(5, "b.example.org."), Mx(10, f"{NAME}."))
    assert {name for name, *_ in state.asked} == {f"{NAME}.", "mail."}


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "x" * 64, "a b.example.org", "\\", "ä.example.org", "\x00", "x." * 200]
)
@pytest.mark.usefixtures("impatient")
def test_names_that_cannot_be_asked_for_cost_one_answer(name: str) -> None:
    with serve(zone(f"{NAME}. A 192.0.2.1")) as state:
        answers = ask((state.server,), [(name, "A"), (NAME, "A")], time.monotonic() + 5)
    assert answers[Answers.key(NAME, "A")].addresses == ("192.0.2.1",)
    assert answers[Answers.key(name, "A")].rcode in ("NXDOMAIN", "error")


def over_tcp(full: Script) -> Script:
    """Say over UDP that the answer does not fit."""

    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        if transport == "tcp":
            return full(query, transport)
        short = reply(query)
        short.flags |= dns.flags.TC
        return [short.to_wire()]

    return script


def test_a_whole_message_of_records_is_kept() -> None:
    answer = question(over_tcp(zone(*(f"{NAME}. A 10.{n >> 8}.{n & 255}.1" for n in range(2000)))))
    assert (len(answer.records), answer.transport, answer.truncated) == (2000, "tcp", False)


def test_a_text_of_64_kib_is_kept_whole() -> None:
    pieces = [f"{n:03}" + "x" * 252 for n in range(240)]
    (txt,) = question(over_tcp(zone(f"{NAME}. TXT {' '.join(pieces)}")), "TXT").of(Txt)
    assert txt.text == "".join(pieces)


def test_a_key_in_pieces_is_joined_and_odd_bytes_are_kept() -> None:
    (txt,) = question(zone(f'{NAME}. TXT "v=DKIM1; p=AB\\"" "\\\\C\\200" "D"'), "TXT").of(Txt)
    assert txt.strings == ('v=DKIM1; p=AB"', "\\C\xc8", "D")
    assert str(txt) == '"v=DKIM1; p=AB\\"" "\\\\C\\200" "D"'


def test_the_word_of_a_server_that_has_checked_the_signatures_is_kept() -> None:
    asked = []

    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        asked.append(bool(query.flags & dns.flags.AD))
        answer = reply(query, f"{NAME}. A 192.0.2.1")
        answer.flags |= dns.flags.AD
        return [answer.to_wire()]

    assert question(script).authentic
    assert asked == [True]
    plain = question(zone(f"{NAME}. A 192.0.2.1"))
    assert (plain.authentic, plain.transport) == (False, "udp")


def test_an_alias_that_is_followed_is_authentic_where_both_answers_are() -> None:
    parts = zone(f"{NAME}. CNAME a.example.net.", "a.example.net. A 192.0.2.1", recursive=False)

    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        answer = dns.message.from_wire(parts(query, transport)[0])
        if query.question[0].name.to_text() == f"{NAME}.":
            answer.flags |= dns.flags.AD
        return [answer.to_wire()]

    answer = question(script)
    assert (answer.addresses, answer.authentic) == (("192.0.2.1",), False)


def test_what_there_is_no_room_for_is_not_among_the_answers() -> None:
    names = [f"n{n}.example.org" for n in range(50)]
    script = zone(*(f'{name}. TXT "{"x" * 200}"' for name in names))
    with serve(script) as state:
        answers = ask((state.server,), [(name, "TXT") for name in names], time.monotonic() + 5, room=1000)
    assert 0 < len(answers) < 4
    assert all(answer.records for answer in answers.values())


def test_odd_bytes_in_names_are_escaped() -> None:
    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        return [reply(query, f"{NAME}. PTR a\\000\\010\\.\\032\\255.example.org.").to_wire()]

    assert question(script, "PTR").records == (Ptr("a\\000\\010\\.\\032\\255.example.org."),)


@given(st.binary(max_size=300), st.integers(0, 300), st.sampled_from(["A", "AAAA", "MX", "PTR", "TXT", "CNAME"]))
def test_no_bytes_break_the_parser(noise: bytes, place: int, kind: str) -> None:
    """Noise written over a good message is refused by dnspython, or read: nothing else gets out."""
    query = dns.message.make_query(NAME, kind)
    records = (f"{NAME}. CNAME b.example.org.", "b.example.org. A 192.0.2.1", "b.example.org. MX 10 c.example.org.")
    wire = bytearray(reply(query, *records).to_wire())
    place %= len(wire)
    wire[place : place + len(noise)] = noise
    try:
        message = dns.message.from_wire(bytes(wire))
    except Exception:  # noqa: BLE001 - what dnspython refuses is passed over by the resolver
        return
    answer = parse_message(f"{NAME}.", kind, message, "")
    assert sum(len(str(record)) for record in answer.records) <= 4 * len(wire) * len(answer.records)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("noise", [b"", b"\x00\x00", b"\xff\xff\xff\xff", b"\x00\x01x"])
def test_noise_over_tcp_is_an_error(noise: bytes) -> None:
    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        short = reply(query)
        short.flags |= dns.flags.TC
        return [short.to_wire()] if transport == "udp" else [noise]

    assert question(script).rcode in ("error", "timeout")


def validating(*, knows: bool = True, heals: bool = False, code: int | None = None) -> tuple[Script, list[int]]:
    """Fail as a resolver does that checks signatures, but not where CD is set; `heals`: not a second time either."""
    good, flags = zone(f"{NAME}. A 192.0.2.1"), list[int]()

    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        flags.append(query.flags)
        if (query.flags & dns.flags.CD and knows) or (heals and len(flags) > 2):
            return good(query, transport)
        answer = reply(query, rcode="SERVFAIL")
        if code is not None:
            answer.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode(code), "why")])
        return [answer.to_wire()]

    return script, flags


def test_a_failure_that_ends_when_signatures_are_not_checked_is_told_apart() -> None:
    script, flags = validating()
    answer = question(script)
    assert (answer.rcode, answer.unchecked, answer.records) == ("SERVFAIL", "NOERROR", ())
    assert [bool(one & dns.flags.CD) for one in flags] == [False, True, False]


def test_a_server_that_names_the_signatures_itself_is_not_asked_a_third_time() -> None:
    script, flags = validating(code=7)
    answer = question(script)
    assert (answer.unchecked, answer.extended, len(flags)) == ("NOERROR", (7,), 2)


def test_a_failure_that_was_over_the_second_time_is_none() -> None:
    script, _ = validating(heals=True)
    answer = question(script)
    assert (answer.rcode, answer.unchecked, len(answer.records)) == ("NOERROR", "", 1)


def test_any_other_failure_stays_one() -> None:
    script, flags = validating(knows=False, code=22)
    answer = question(script)
    assert (answer.rcode, answer.unchecked, answer.extended) == ("SERVFAIL", "", (22,))
    assert len(flags) == 2


def test_bogus_records_are_not_taken_from_a_server_that_does_not_check() -> None:
    script, _ = validating()
    with serve(script) as first, serve(zone(f"{NAME}. A 192.0.2.1")) as second:
        (answer,) = ask((first.server, second.server), [(NAME, "A")], time.monotonic() + 5).values()
    assert answer.unchecked == "NOERROR"
    assert second.asked == []


def test_how_long_an_answer_may_be_kept_and_whose_it_is() -> None:
    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        answer = reply(query, rcode="NXDOMAIN")
        answer.flags |= dns.flags.AA
        start = dns.rrset.from_text("example.org.", 77, "IN", "SOA", "ns. admin. 1 2 3 4 5")
        answer.authority.append(start)
        return [answer.to_wire()]

    denial = question(script)
    assert (denial.ttl, denial.zone, denial.authoritative, denial.referred) == (77, "example.org.", True, "")
    found = question(zone(f"{NAME}. A 192.0.2.1"))
    assert (found.ttl, found.zone, found.authoritative) == (300, "", False)


def test_a_server_that_refers_to_a_zone_below_says_so() -> None:
    def script(query: dns.message.Message, transport: str) -> list[bytes]:
        answer = reply(query)
        answer.authority.append(dns.rrset.from_text("mail.example.org.", 77, "IN", "NS", "ns.example.net."))
        return [answer.to_wire()]

    assert question(script).referred == "mail.example.org."
