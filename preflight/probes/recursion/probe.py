"""The probe of the resolver's way: the same program on the engine's bridge and in the host's network, side by side.

It is the engine's own bridge (docker0), which is there: no network is made for this, so nothing is added to the rules.
What the host forwards from there it forwards from mailcow's network, too, but for rules that name a bridge or subnet.
"""

from __future__ import annotations

import json

import msgspec
from msgspec.structs import replace

from preflight.facts.recursion import Asking, Ping, Query, RecursionRun
from preflight.gather.engine.client import EngineError
from preflight.net.addresses import parse_address
from preflight.probes.box import Box
from preflight.text.sentences import phrase
from preflight.text.typed import decode

PROGRAM = "import json, sys; from preflight.probes.recursion.ask import main; print(main(json.loads(sys.argv[1])))"
LOG = {"type": "json-file", "config": {"max-size": "1m"}}  # the engine may keep none by default
SIDES = ("bridge", "host")
LIMIT = 1 << 17  # bytes that are read of what it prints
ROWS = 200


def recursion(box: Box, image: str) -> RecursionRun:
    """Ask from both sides at once; 1.5 s where all is well, some 4 s where nobody answers."""
    spared = box.questions.spared
    words = (json.dumps(box.questions.asked),)
    started: dict[str, str] = {}
    errors: dict[str, str] = {}
    for side in SIDES[1:] if spared else SIDES:
        try:
            host = {"network_mode": side, "log_config": LOG}
            started[side] = box.create(f"asks-{side}", image, PROGRAM, packages=True, words=words, host=host)
            box.start(started[side])
        except EngineError as error:
            errors[side] = str(error)
    made = {side: Asking(error=error) for side, error in errors.items()}
    made |= {side: _said(box, key) for side, key in started.items()}
    return RecursionRun(bridge=made.get("bridge") or Asking(spared=spared), host=made["host"])


def _said(box: Box, key: str) -> Asking:
    """Return what a container came to, once it has ended."""
    try:
        while True:
            state = box.state(key)
            if state.get("Running") is False or state.get("Status") in ("exited", "dead", "stopped"):
                return parse(box.logs(key, LIMIT))
            box.pause(0.03)
    except EngineError as error:
        return Asking(error=str(error))


def parse(said: bytes) -> Asking:
    """Read what the program prints; nothing is believed beyond its types, whoever wrote it."""
    try:
        found = decode(said, Asking)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return Asking(error=str(error)[:200])
    if found.error or found.spared or len(found.queries) + len(found.pings) > ROWS:
        return Asking(error=phrase("this is not the expected output of the program"))
    return Asking(queries=tuple(map(_query, found.queries)), pings=tuple(map(_ping, found.pings)))


def _query(row: Query) -> Query:
    return replace(row, address=_address(row.address), error=row.error[:40], text=row.text[:80])


def _ping(row: Ping) -> Ping:
    return replace(row, target=_address(row.target), error=row.error[:40])


def _address(text: str) -> str:
    return str(parse_address(text[:60]) or "")
