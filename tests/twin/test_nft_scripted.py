"""Rules of nf_tables read from, and held against, a kernel that tells, refuses and changes as a test wants."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from msgspec.structs import replace

from preflight.facts.twin import Chain as Outline
from preflight.facts.twin import Table
from preflight.packets.nlmsg import Message, attribute, attributes, be32, be64, by_type, name, nested, text
from preflight.twin.nft import kernel, load, placed, read
from preflight.twin.nft.placed import Copies
from preflight.twin.nft.read import Chain, Rule, Ruleset, Set, Thing


def told(family: int, *parts: bytes) -> Message:
    return Message(0, bytes([family, 0, 0, 0]) + b"".join(parts))


def named(whose: str, *parts: bytes, family: int = 2) -> Message:
    return told(family, attribute(1, name(whose)), *parts)


class Kernel:
    """Answers dumps by what is asked for, and batches by the errors that are to come, one after the other."""

    def __init__(self, answers: dict[int, Any] | None = None, *errors: dict[int, int]) -> None:
        self.answers, self.errors = answers or {}, list(errors)
        self.sent: list[Sequence[Message]] = []
        self.generation = [1]

    def dump(self, kind: int, body: bytes) -> list[Message]:
        found = self.answers.get(kind, [])
        if isinstance(found, OSError):
            raise found
        answer: list[Message] = found(body) if callable(found) else found
        return answer

    def ask(self, kind: int, _body: bytes) -> Message:
        assert kind == kernel.GET_GENERATION
        number = self.generation.pop(0) if len(self.generation) > 1 else self.generation[0]
        return told(0, attribute(1, be32(number)))

    def batch(self, changes: Sequence[Message]) -> dict[int, int]:
        self.sent.append(changes)
        return self.errors.pop(0) if self.errors else {}


def wire(answers: dict[int, Any] | None = None, *errors: dict[int, int]) -> Any:
    return Kernel(answers, *errors)


# --- what is read -----------------------------------------------------------------------------------------------------


def hooked(hook: int, priority: int, *more: bytes) -> bytes:
    return nested(4, attribute(1, be32(hook)), attribute(2, struct.pack(">i", priority)), *more)


def test_chains_are_read_with_their_hook_priority_and_policy() -> None:
    told = {
        kernel.GET_TABLE: [named("t"), named("n", family=5)],
        kernel.GET_CHAIN: [
            named("t", attribute(3, b"in\0"), hooked(1, -5), attribute(5, be32(0))),
            named("t", attribute(3, b"called\0")),
            named("t", attribute(3, b"block\0"), attribute(10, be32(kernel.BOUND))),
            named("n", attribute(3, b"e\0"), hooked(1, 3), family=5),
        ],
        kernel.GET_RULE: [named("t", attribute(2, b"in\0"), attribute(3, be64(4)))] * 2,
    }
    found = read.read(wire(told))
    assert [(one.name, one.hook, one.priority, one.policy, one.bound) for one in found.chains] == [
        ("in", "input", -5, 0, False), ("called", "", 0, 1, False), ("block", "", 0, 1, True),
        ("e", "egress", 3, 1, False),
    ]  # fmt: skip
    assert found.outline() == (
        Table("nf_tables", "ip", "t", (Outline("in", 2, "input", -5, "drop"), Outline("called", 0))),
        Table("nf_tables", "netdev", "n", (Outline("e", 0, "egress", 3, "accept"),)),
    )
    assert found.count == 2


def test_rules_that_change_meanwhile_are_read_again_and_not_for_ever() -> None:
    changing = wire({kernel.GET_RULE: [named("t", attribute(2, b"c\0"))]})
    changing.generation = [1, 2, 3, 3]
    assert len(read.read(changing).rules) == 1
    never = wire()
    never.generation = list(range(2 * read.TRIES))
    with pytest.raises(InterruptedError):
        read.read(never)


def test_what_is_of_no_family_that_has_rules_is_passed_over() -> None:
    assert read.read(wire({kernel.GET_TABLE: [told(0), named("x", family=99), Message(0, b"")]})) == Ruleset()


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL])
def test_a_kernel_without_flowtables_has_none(code: int) -> None:
    assert read.read(wire({kernel.GET_FLOWTABLE: OSError(code, "no")})).flowtables == ()
    with pytest.raises(OSError, match="no"):
        read.read(wire({kernel.GET_RULE: OSError(code, "no")}))


def test_a_flowtable_is_not_offloaded_in_the_twin() -> None:
    one = named("t", attribute(2, b"f\0"), hooked(0, 0), attribute(7, be32(3)), attribute(5, be64(9)))
    [found] = read.read(wire({kernel.GET_FLOWTABLE: [one]})).flowtables
    assert (found.name, by_type(found.body)[7], 5 in by_type(found.body)) == ("f", be32(2), False)


def test_a_quota_that_is_used_up_is_so_by_its_count_alone() -> None:
    quota = nested(4, attribute(1, be64(100)), attribute(2, be32(2 | 1)), attribute(4, be64(500)))
    one = named("t", attribute(2, b"q\0"), attribute(3, be32(kernel.QUOTA)), quota)
    other = named("t", attribute(2, b"l\0"), attribute(3, be32(kernel.LIMIT)), nested(4, attribute(1, be64(3))))
    found = read.read(wire({kernel.GET_OBJECT: [one, other]})).objects
    assert [(thing.name, thing.kind) for thing in found] == [("q", kernel.QUOTA), ("l", kernel.LIMIT)]
    inner = by_type(by_type(found[0].body)[4])
    assert (inner[1], inner[2], inner[4]) == (be64(100), be32(1), be64(500))
    assert by_type(by_type(found[1].body)[4])[1] == be64(3)


@pytest.mark.parametrize(("what", "limit"), [("MOST", kernel.GET_RULE), ("MOST_ELEMENTS", kernel.GET_SET)])
def test_more_than_there_is_room_for_is_refused(monkeypatch: pytest.MonkeyPatch, what: str, limit: int) -> None:
    monkeypatch.setattr(read, what, 1)
    items = attribute(3, nested(1, nested(1, attribute(1, b"k"))))
    answers = {
        limit: [named("t", attribute(2, b"a\0")), named("t", attribute(2, b"b\0"))],
        kernel.GET_ELEMENTS: [named("t", items)],
    }
    with pytest.raises(OSError, match="too many") as raised:
        read.read(wire(answers))
    assert raised.value.errno == errno.EFBIG
    monkeypatch.setattr(read, what, 2)
    assert read.read(wire(answers)) != Ruleset()


@pytest.mark.parametrize(
    ("flags", "kept"), [(kernel.ANONYMOUS, []), (kernel.EVAL, [1, 2]), (kernel.INTERVAL | kernel.ANONYMOUS, [])]
)
def test_a_set_is_made_again_under_its_own_name(flags: int, kept: list[int]) -> None:
    size = nested(9, attribute(1, be32(7)), attribute(2, nested(1, attribute(1, be32(4)))))
    one = named("t", attribute(2, b"__set0\0"), attribute(3, be32(flags)), attribute(4, be32(7)), attribute(5, be32(4)),
                size, attribute(16, be64(9)), attribute(20, be32(0)))  # fmt: skip
    [found] = read.read(wire({kernel.GET_SET: [one]})).sets
    body = by_type(found.body)
    assert (text(body[2]), body[3], found.told) == ("__set0", be32(flags & ~kernel.ANONYMOUS), 0)
    assert 16 not in body  # its handle
    assert sorted(by_type(body[9])) == (kept or [2])


# --- what is in place -------------------------------------------------------------------------------------------------


def rule(chain: str = "c", *steps: bytes, handle: int = 1, family: int = 2) -> Rule:
    return Rule(family, "t", chain, handle, b"".join(steps))


def there(*rules: Rule) -> list[Message]:
    return [
        named(one.table, attribute(2, name(one.chain)), attribute(3, be64(one.handle)), attribute(4, one.raw),
              family=one.family)
        for one in rules
    ]  # fmt: skip


def held(ruleset: Ruleset, rules: list[Message], sets: list[Message] | None = None, **more: Any) -> Copies:
    answers = {kernel.GET_RULE: rules, kernel.GET_SET: sets or [], kernel.GET_ELEMENTS: more.get("elements", [])}
    return placed.copies(ruleset, wire(answers), more.get("missing", ()))


def test_copies_are_known_by_their_order_in_each_chain() -> None:
    host = (rule("a", handle=10), rule("b", handle=20), rule("a", handle=11))
    twin = (rule("a", handle=1), rule("a", handle=2), rule("b", handle=3))
    found = held(Ruleset(rules=host), there(*twin))
    assert found.places == (("ip", "t", "a", 1), ("ip", "t", "b", 3), ("ip", "t", "a", 2))
    assert found.hosts == host
    assert found.lacking == ""


@pytest.mark.parametrize(
    ("twin", "lacking"),
    [
        ((rule("a"),), "rules ip t b"), ((rule("b"),), "rules ip t a"), ((), "rules ip t a"),
        ((rule("a"), rule("b"), rule("b")), "rules"), ((rule("a"), rule("b"), rule("c")), "rules"),
        ((rule("a"), rule("b", family=10)), "rules ip t b"),
    ],
)  # fmt: skip
def test_a_copy_with_more_or_fewer_rules_is_none(twin: tuple[Rule, ...], lacking: str) -> None:
    assert held(Ruleset(rules=(rule("a"), rule("b"))), there(*twin)) == Copies(lacking)


SET = Set(2, "t", "s", 0, 7, 4, b"", (), 2, 2)
TWO = [named("t", attribute(3, nested(1, attribute(1, b"a")) + nested(1, attribute(1, b"b"))))]


def counted(size: int | None, called: str = "s") -> list[Message]:
    return [named("t", attribute(2, name(called)), *([] if size is None else [attribute(20, be32(size))]))]


@pytest.mark.parametrize(
    ("one", "sets", "elements", "lacking"),
    [
        (SET, counted(2), [], ""),  # the kernel's count is enough
        (SET, counted(3), [], "set ip t s"),
        (SET, counted(3), TWO, ""),  # which it has in a way of its own
        (SET, counted(None), TWO, ""), (SET, counted(None), [], "set ip t s"),
        (SET, [], TWO, "set ip t s"), (SET, counted(2, "other"), TWO, "set ip t s"),
        (replace(SET, told=None), counted(None), TWO, ""),
        (replace(SET, told=None, size=3), counted(None), TWO, "set ip t s"),
    ],
)  # fmt: skip
def test_a_set_has_as_many_elements_as_the_hosts(
    one: Set, sets: list[Message], elements: list[Message], lacking: str
) -> None:
    assert held(Ruleset(sets=(one,)), [], sets, elements=elements).lacking == lacking


def test_a_set_that_was_left_out_is_not_looked_for() -> None:
    assert held(Ruleset(sets=(SET,)), [], [], missing={"set ip t s": "EINVAL"}).lacking == ""
    assert held(Ruleset(sets=(SET,)), [], [], missing={"set ip6 t s": "EINVAL"}).lacking == "set ip t s"


def jump(chain: str) -> bytes:
    data = nested(2, nested(2, attribute(1, struct.pack(">i", kernel.JUMP)), attribute(2, name(chain))))
    return kernel.expression("immediate", attribute(1, be32(0)), data)


def test_rules_of_blocks_within_blocks_are_told_as_the_outermost() -> None:
    outer, inner, innermost = rule("c", jump("b1"), handle=5), rule("b1", jump("b2")), rule("b2", handle=9)
    apart = rule("d", jump("c"))
    chains = (Chain(2, "t", "b1", b"", bound=True), Chain(2, "t", "b2", b"", bound=True), Chain(2, "t", "c", b""))
    rules = (outer, inner, innermost, apart)
    assert held(Ruleset(chains=chains, rules=rules), there(*rules)).hosts == (outer, outer, outer, apart)
    plain = Ruleset(chains=tuple(replace(one, bound=False) for one in chains), rules=rules)
    assert held(plain, there(*rules)).hosts == rules


def test_only_rules_that_count_are_counted() -> None:
    def counter(packets: int) -> bytes:
        return kernel.expression("counter", attribute(1, be64(0)), attribute(2, be64(packets)))

    rules = there(rule("c", counter(3), handle=1), rule("c", counter(4), handle=2), rule("c", jump("x"), handle=3),
                  rule("c", counter(5), jump("x"), handle=4), rule("c", handle=5))  # fmt: skip
    places = [("ip", "t", "c", handle) for handle in (1, 3, 4, 5)]
    assert placed.counts(wire({kernel.GET_RULE: rules}), places) == {places[0]: 3}


# --- what is put in place ---------------------------------------------------------------------------------------------

DROP = kernel.verdict(kernel.DROP)
HOST = Ruleset(
    (Thing(2, "t", attribute(1, b"t\0")),), (Chain(2, "t", "c", attribute(3, b"c\0")),),
    (Set(2, "t", "s", 0, 0, 4, attribute(2, b"s\0"), (b"",), 0, 0),), (Thing(2, "t", b"", "o", 1),),
    (Thing(2, "t", b"", "f"),), (rule("c", DROP, handle=7), rule("c", kernel.counter(), DROP, handle=8)),
)  # fmt: skip
# In the order that they are sent: table, chain, flowtable, object, set, its elements, two rules.
TABLE, CHAIN, FLOWTABLE, OBJECT, SET_, ELEMENTS, FIRST, SECOND = range(8)
IN_PLACE = {kernel.GET_RULE: there(rule("c", handle=1), rule("c", handle=2)), kernel.GET_SET: counted(0)}


def test_all_is_sent_at_once_in_the_order_that_the_kernel_wants() -> None:
    one = wire(IN_PLACE)
    loaded = load.load(HOST, one)
    [sent] = one.sent
    assert [message.kind for message in sent] == [
        kernel.NEW_TABLE, kernel.NEW_CHAIN, kernel.NEW_FLOWTABLE, kernel.NEW_OBJECT, kernel.NEW_SET,
        kernel.NEW_ELEMENTS, kernel.NEW_RULE, kernel.NEW_RULE,
    ]  # fmt: skip
    assert (loaded.blind, loaded.missing, loaded.refusals) == ("", {}, [])
    assert loaded.host("ip", "t", "c", 2) == HOST.rules[1]
    assert by_type(sent[SET_].body[4:])[10] == be32(1)


@pytest.mark.parametrize(
    ("at", "blind"), [(TABLE, "table ip t ENOENT"), (CHAIN, "chain ip t c ENOENT"), (-1, "rules ENOENT"),
                      (99, "rules ENOENT")],
)  # fmt: skip
def test_without_a_table_or_a_chain_nothing_is_right(at: int, blind: str) -> None:
    assert load.load(HOST, wire(IN_PLACE, {at: errno.ENOENT, FIRST: errno.EINVAL})).blind == blind


@pytest.mark.parametrize(
    ("at", "what"), [(FLOWTABLE, "flowtable ip t f"), (OBJECT, "object ip t o"), (SET_, "set ip t s"),
                     (ELEMENTS, "set ip t s")],
)  # fmt: skip
def test_what_only_some_rules_refer_to_is_left_out(at: int, what: str) -> None:
    one = wire(IN_PLACE, {at: errno.ENOENT})
    loaded = load.load(HOST, one)
    assert (loaded.blind, loaded.missing) == ("", {what: "ENOENT"})
    assert len(one.sent[1]) == len(one.sent[0]) - (2 if "set" in what else 1)


def kinds(message: Message) -> list[str]:
    return [text(by_type(step)[1]) for _, step in attributes(by_type(message.body[4:])[4])]


def test_a_refused_rule_counts_and_is_told_with_its_first_error() -> None:
    one = wire(IN_PLACE, {SECOND: errno.EINVAL}, {SECOND: errno.ENOENT})
    loaded = load.load(HOST, one)
    assert [kinds(sent[SECOND]) for sent in one.sent] == [["counter", "immediate"], ["counter"], ["counter"]]
    assert [kinds(sent[FIRST]) for sent in one.sent] == [["immediate"]] * 3
    [refusal] = loaded.refusals
    assert (refusal.rule, refusal.error) == (HOST.rules[1], "EINVAL")
    assert loaded.watched == {("ip", "t", "c", 2): refusal}
    assert loaded.uncopied()[0].table == "ip t"


def test_a_rule_that_is_refused_again_and_again_leaves_all_unknown() -> None:
    always = [{FIRST: errno.EINVAL}] * load.ROUNDS
    loaded = load.load(HOST, wire(IN_PLACE, *always))
    assert loaded.blind == "rules EINVAL"
    assert load.load(HOST, wire(IN_PLACE, {FIRST: 4095})).refusals[0].error == "4095"


def test_rounds_have_an_end() -> None:
    things = tuple(Thing(2, "t", b"", f"o{number}", 1) for number in range(load.ROUNDS))
    one = wire(IN_PLACE, *([{OBJECT: errno.EINVAL}] * load.ROUNDS))
    assert load.load(replace(HOST, objects=things), one).blind == "rules"
    assert len(one.sent) == load.ROUNDS


def test_what_is_not_whole_is_not_used() -> None:
    short = {**IN_PLACE, kernel.GET_RULE: there(rule("c", handle=1))}
    loaded = load.load(HOST, wire(short))
    assert (loaded.blind, loaded.hosts, loaded.watched) == ("rules ip t c", {}, {})


@pytest.mark.parametrize(("world", "sent"), [("as-is", ["limit", "immediate"]), ("met", ["immediate"]),
                                             ("without", ["counter"])])  # fmt: skip
def test_each_world_has_its_own_rule_and_says_what_it_hangs_on(world: Any, sent: list[str]) -> None:
    hanging = (rule("c", kernel.expression("limit"), DROP, handle=7), HOST.rules[1])
    one = wire(IN_PLACE)
    loaded = load.load(replace(HOST, rules=hanging), one, world)
    assert kinds(one.sent[0][FIRST]) == sent
    assert loaded.conditions == {"limit"}
    assert loaded.hanging == {("ip", "t", "c", 1): frozenset({"limit"})}
    assert loaded.refusals == []


def met(loaded: load.Loaded, *packets: int) -> list[int]:
    rules = [rule("c", kernel.expression("counter", attribute(2, be64(count))), handle=handle)
             for handle, count in enumerate(packets, 1)]  # fmt: skip
    return [refusal.rule.handle for refusal in loaded.met(wire({kernel.GET_RULE: there(*rules)}))]


def test_a_rule_counts_as_met_once_for_each_packet() -> None:
    loaded = load.load(HOST, wire(IN_PLACE, {FIRST: errno.EINVAL, SECOND: errno.EINVAL}))
    steps: list[tuple[tuple[int, int], list[int]]] = [((0, 0), []), ((1, 0), [7]), ((1, 0), []), ((1, 2), [8])]
    assert [met(loaded, *packets) for packets, _ in steps] == [found for _, found in steps]
    nothing: Callable[..., Any] = load.Loaded().met
    assert nothing(None) == []  # and the kernel is not asked


def test_comments_stay_and_matches_of_iptables_have_their_protocol() -> None:
    match = kernel.expression("match", attribute(1, b"tcp\0"), attribute(2, be32(0)), attribute(3, bytes(16)))
    meta = kernel.expression("meta", attribute(1, be32(1)), attribute(2, be32(16)))
    compare = kernel.expression("cmp", attribute(1, be32(1)), attribute(2, be32(0)), attribute(3, attribute(1, b"\6")))
    one = wire(IN_PLACE)
    noted = replace(rule("c", meta, compare, match, DROP, handle=7), note=b"\0\2hi")
    load.load(replace(HOST, rules=(noted, HOST.rules[1])), one)
    first, second = (by_type(one.sent[0][at].body[4:]) for at in (FIRST, SECOND))
    assert (first[7], by_type(first[5])[1]) == (b"\0\2hi", be32(6))
    assert 5 not in second
    assert 7 not in second


def test_a_rule_whose_ipset_has_no_copy_is_told_by_that_name() -> None:
    match = kernel.expression(
        "match", attribute(1, b"set\0"), attribute(2, be32(1)), attribute(3, struct.pack("=HBB", 5, 1, 1) + bytes(4))
    )
    rules = (rule("c", match, DROP, handle=7), HOST.rules[1])
    one = wire(IN_PLACE)
    loaded = load.load(replace(HOST, rules=rules), one)
    assert [(told.what, told.error, told.handle) for told in loaded.uncopied()] == [("set", "ENOENT", 7)]
    assert kinds(one.sent[0][FIRST]) == ["counter"]
    there_is = wire(IN_PLACE)
    loaded = load.load(replace(HOST, rules=rules), there_is, sets={5: 9})
    assert loaded.uncopied() == ()
    copied = next(
        step for step in read.expressions(by_type(there_is.sent[0][FIRST].body[4:])[4]) if step.kind == "match"
    )
    assert copied.fields[3][:2] == struct.pack("=H", 9)


@pytest.mark.parametrize(
    ("sizes", "flags", "told", "expected"),
    [
        ([20, 25], 0, 25, 25),  # a table that is being moved tells a part
        ([20, 20, 20, 20, 25], 0, 25, 20),  # so often is it asked
        ([20, 25], 0, None, 20),  # an older kernel does not say how many there are
        ([20, 25], kernel.INTERVAL, 25, 20),  # which are counted another way
        ([25, 20], 0, 25, 25),
    ],
)
def test_a_set_is_read_again_while_its_elements_are_fewer_than_it_has(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], flags: int, told: int | None, expected: int
) -> None:
    waiting = iter(sizes)
    monkeypatch.setattr(read, "_PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(read, "elements_of", lambda *_: ())
    monkeypatch.setattr(read.elements, "sendable", lambda *_: ((), next(waiting)))
    assert read._elements(cast("Any", None), (2, "t", "s"), flags, told) == ((), expected)
