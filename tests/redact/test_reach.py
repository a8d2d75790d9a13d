"""What `preflight reach --redact` writes: nobody's name or address, and the same judgement."""

from __future__ import annotations

import msgspec
import pytest

from preflight.reach.facts import Attempt, Control, Look
from preflight.reach.judge import judge
from preflight.redact import reach
from preflight.redact.reach import redacted
from preflight.render.reach import render
from tests.reach.looks import CLIENT4, FOUR, SIX, attempt, look

HOST = "mx7.kunden.hoster-geheim.net"
GREETING = "220 relay9.hoster-geheim.net \\x1b"
LOOKS: dict[str, Look] = {
    "reached": look(attempt(25), attempt(443), attempt(13306, "refused", local=True), host=HOST),
    "somebody else": look(attempt(25), attempt(443, "other", said=GREETING), host=HOST),
    "a firewall": look(
        attempt(25, "prohibited", SIX, by="2001:db8:9::1", error="EHOSTUNREACH"), attempt(110, "filtered"), host=HOST
    ),
    "the same network": look(attempt(25, client="198.51.100.9", seen_as="198.51.100.9"), host=HOST),
    "a router of its own": look(attempt(25, seen_as="192.168.7.1"), host=HOST),
    "an open relay": look(attempt(25, seen_as="172.22.1.1"), host=HOST),
    "a balancer": look(attempt(25, seen_as="203.0.113.77"), host=HOST),
    "another address": look(attempt(25, "refused", "192.0.2.7"), host=HOST, resolved=("192.0.2.7",)),
    "no name": look(attempt(25, "mute"), host=FOUR, resolved=None),
    "port 25 is closed here": look(
        attempt(25, "other", said=GREETING), attempt(443), host=HOST,
        controls=(Control("mx3.hoster-geheim.net", "192.0.2.33", 25, True, GREETING),),
    ),
    "no way": look(attempt(25, "unsent", SIX, error="ENETUNREACH"), attempt(25, "late"), host=HOST),
    "nothing tried": look(host=HOST, told=()),
}  # fmt: skip
SECRETS = ("hoster-geheim", "kunden", "mx7", "relay9", "198.51.100", "203.0.113", "192.0.2", "2001:db8", "192.168.7")


@pytest.mark.parametrize("name", LOOKS)
def test_it_judges_alike_and_names_nobody(name: str) -> None:
    real, shown = judge(LOOKS[name]), redacted(LOOKS[name])
    for style in ("text", "markdown", "html", "json"):
        page = render(shown, style)
        assert [secret for secret in SECRETS if secret in page] == []
    assert (shown.verdict, shown.counts) == (real.verdict, real.counts)
    for one, other in zip(real.results, shown.results, strict=True):
        assert (one.status, one.outcome, one.port, one.finding) == (
            other.status,
            other.outcome,
            other.port,
            other.finding,
        )
    assert [(one.id, one.status, one.ports, one.remedy) for one in real.findings] == [
        (one.id, one.status, one.ports, one.remedy) for one in shown.findings
    ]
    assert all("left out" not in one.message for one in (*shown.results, *shown.findings))


def test_every_text_is_replaced_or_known_to_all() -> None:
    def plant(kind: type[msgspec.Struct], **more: object) -> msgspec.Struct:
        planted = {name: f"geheim-{name}" for name, hint in kind.__annotations__.items() if "tuple" not in hint}
        return msgspec.convert({**planted, **more}, kind)

    numbers = {"port": 25, "inside": 25, "local": False, "outcome": "other", "seconds": 0.1, "heard_at": 25}
    addresses = {"address": FOUR, "client": CLIENT4, "seen_as": CLIENT4, "own": "172.22.1.253"}
    one = plant(Attempt, **numbers, **addresses, same_kernel=False)
    other = plant(Control, address="192.0.2.25", port=25, greeted=True)
    page = render(redacted(look(one, host="geheim.example.net", controls=(other,))), "json")  # type: ignore[arg-type]
    assert "geheim" not in page


def test_another_judgement_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pseudonyms lead elsewhere, the statuses are the real ones, and no word is told."""
    monkeypatch.setattr(reach, "masked", lambda given, _masks: msgspec.structs.replace(given, told=("198.18.1.1",)))
    given = look(attempt(25, "refused"), attempt(443, "refused"), host=HOST, told=(FOUR,))
    with monkeypatch.context() as patch:
        seen = [judge(given), judge(msgspec.structs.replace(given, attempts=(attempt(25), attempt(443))))]
        patch.setattr(reach, "judge", lambda _look: seen.pop())
        shown = redacted(given)
    assert [row.status for row in shown.results] == ["fail", "fail"]
    assert (shown.verdict, shown.counts.fail, shown.counts.pass_) == ("not-reached", 2, 0)
    assert shown.results[0].message.startswith("The finding is left out")
    assert [(one.id, one.address) for one in shown.findings] == [("refused-all", None)]
    assert FOUR not in "".join((one.message + one.remedy) for one in shown.findings)
