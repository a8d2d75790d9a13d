"""Record what checkdmarc and dkimpy say of random worlds: `python -m tests.policies.record_others`, by hand.

It needs an environment of its own: `pip install checkdmarc==6.0.4 dkimpy==1.1.8 pynacl==1.6.2`. They ask no name
server: the world answers.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.policies.dmarc_worlds import Rows, digest, key, zone

RECORDED = Path(__file__).parent / "others.json"
COUNT = 400


def asked(rows: Rows) -> Callable[..., list[str]]:
    """Return what takes the place of checkdmarc's function that asks the DNS."""
    resolver: Any = importlib.import_module("dns.resolver")
    exception: Any = importlib.import_module("dns.exception")

    def query(name: str, kind: str, **_: object) -> list[str]:
        found = rows.get(name.lower())
        if found is None:
            raise resolver.NXDOMAIN
        texts = [row[1] for row in found if not isinstance(row, str) and row[0] == kind]
        if texts:
            return texts
        raise exception.Timeout(timeout=1.0) if "TIMEOUT" in found else resolver.NoAnswer

    return query


def dmarc(domain: str, rows: Rows) -> dict[str, Any]:
    """Return which record counts by checkdmarc, what it makes of it, and which hosts agree to take reports."""
    module: Any = importlib.import_module("checkdmarc.dmarc")
    module.query_dns = asked(rows)
    module.get_mx_records = lambda *_, **__: ["mail.example.org"]
    verify = getattr(module, "_verify", module.verify_dmarc_report_destination)
    module._verify = verify
    refused: list[str] = []

    def noted(source: str, host: str, **more: object) -> None:
        try:
            verify(source, host, **more)
        except module.UnverifiedDMARCURIDestination:
            refused.append(host.lower())
            raise

    module.verify_dmarc_report_destination = noted
    try:
        found = module.query_dmarc_record(domain, ignore_unrelated_records=True)
    except module.DMARCError as error:
        return {"error": type(error).__name__}
    made = {"at": found["location"]}
    try:
        tags = module.parse_dmarc_record(found["record"], found["location"], ignore_unrelated_records=True)["tags"]
    except module.DMARCError as error:
        return made | {"fault": type(error).__name__, "why": str(error)[:60]}
    given = {name: tags[name]["value"] for name in ("p", "sp", "t", "psd")}
    return made | given | {"refused": sorted(set(refused))}


def dkim(text: str) -> dict[str, Any]:
    """Return the kind and size of a key by dkimpy, or why it takes none."""
    module: Any = importlib.import_module("dkim")
    try:
        _, bits, kind, _ = module.evaluate_pk("name", text)
    except (module.DKIMException, ValueError) as error:  # of base64
        return {"error": type(error).__name__, "why": str(error)[:40]}
    return {"bits": bits, "kind": kind.decode()} if kind else {"error": "service"}


def _lines(recorded: dict[str, Any]) -> str:
    """Write JSON with an answer a line, so that a difference can be seen."""
    rows = {name: value if isinstance(value, list) else [value] for name, value in recorded.items()}
    texts = {name: ",\n".join(json.dumps(row, separators=(",", ":")) for row in found) for name, found in rows.items()}
    return "{\n" + ",\n".join(f'"{name}": [\n{text}\n]' for name, text in texts.items()) + "\n}\n"


def main() -> int:
    """Write the answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=COUNT)
    parser.add_argument("--output", type=Path, default=RECORDED)
    given = parser.parse_args()
    seeds = range(given.number)
    recorded = {
        "with": [f"{name} {importlib.metadata.version(name)}" for name in ("checkdmarc", "dkimpy", "pynacl")],
        "date": datetime.now(UTC).date().isoformat(),
        "worlds": [digest(make, given.number) for make in (zone, key)],
        "dmarc": [dmarc(*zone(random.Random(seed))) for seed in seeds],
        "dkim": [dkim(key(random.Random(seed))) for seed in seeds],
    }
    given.output.write_text(_lines(recorded))
    return 0


if __name__ == "__main__":
    sys.exit(main())
