"""Take the capabilities that this machine itself lacks out of the configuration that runc is about to read.

Inside a container or a sandbox root's bounding set may be short of some; engines before version 23 then refuse
every `--privileged` container ("unable to apply caps"). tools/engine.py makes its
engine call this, with runc's arguments, before runc.
"""

from __future__ import annotations

import json
import re
import sys
from itertools import pairwise
from pathlib import Path

# The order of linux/capability.h: the position is the bit.
NAMES = (  # noqa: SIM905 - forty quoted words read worse
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()


def missing() -> set[str]:
    """Name the capabilities that the kernel knows and this process can never have."""
    status = Path("/proc/self/status").read_text()
    bounding = int(re.search(r"^CapBnd:\s*(\w+)", status, re.MULTILINE)[1], 16)
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    return {f"CAP_{name}" for bit, name in enumerate(NAMES) if bit <= last and not bounding >> bit & 1}


def configuration(words: list[str]) -> Path | None:
    """Find the file that runc is about to read, if it starts a process at all."""
    options = dict(pairwise(words))
    if "create" in words:
        return Path(options.get("--bundle") or options.get("-b") or ".", "config.json")
    if "exec" in words and (options.get("--process") or options.get("-p")):
        return Path(options.get("--process") or options["-p"])
    return None


def main() -> None:
    path = configuration(sys.argv[1:])
    if path is None:
        return
    document = json.loads(path.read_text())
    lacking = missing()
    sets = document.get("process", document).get("capabilities") or {}
    for name, capabilities in sets.items():
        sets[name] = [capability for capability in capabilities or [] if capability not in lacking]
    path.write_text(json.dumps(document))


if __name__ == "__main__":
    main()
