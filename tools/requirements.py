"""Print documented numbers as JSON, as the program reads its own ones.

.venv/bin/python tools/requirements.py current > preflight/mailcow/requirements/current.json     (make docs)
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from preflight.mailcow import requirements

if __name__ == "__main__":
    name = sys.argv[1]
    text = (Path(requirements.__file__).parent / f"{name}.toml").read_text("utf-8")
    print(msgspec.json.format(msgspec.json.encode(requirements.parse(text, name)), indent=1).decode())
