"""List what is in the self-contained file, as CycloneDX 1.5: packages, interpreter and shared libraries."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import time
import uuid
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import Any


def packages(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield every Python package that is installed in a folder."""
    for path in sorted(folder.glob("*.dist-info/METADATA")):
        head = HeaderParser().parsestr(path.read_text("utf-8"))
        name, version = head["Name"], head["Version"]
        licence = head["License-Expression"] or head["License"]
        entry = {"type": "library", "name": name, "version": version}
        entry["purl"] = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
        if licence and "\n" not in licence and len(licence) < 60:
            entry["licenses"] = [{"license": {"name": licence}}]
        yield entry


def libraries(root: Path) -> Iterator[dict[str, Any]]:
    """Yield every shared library of the system that went in, by its content."""
    folders = [line.lstrip("/") for line in (root / "etc/ld.so.conf").read_text().split()]
    for path in sorted({path for folder in folders for path in (root / folder).glob("*.so*") if path.is_file()}):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        yield {"type": "file", "name": path.name, "hashes": [{"alg": "SHA-256", "content": digest}]}


def document(root: Path, folder: Path, made: Path, version: str, epoch: int) -> str:
    """Return the list for the file that was made from a tree, with the packages in one folder of it."""
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    interpreter = {"type": "framework", "name": platform.python_implementation(), "version": platform.python_version()}
    own = {"type": "application", "name": made.name, "version": version}
    parts = [entry for entry in packages(folder) if entry["name"] != "mailcow-preflight"]
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)),
            "component": own | {"hashes": [{"alg": "SHA-256", "content": digest}]},
        },
        "components": [interpreter, *parts, *libraries(root)],
    }
    return json.dumps(content, indent=1) + "\n"
