"""BPF programs that packets pass on an interface without a qdisc (tcx, since Linux 6.6): only bpf(2) tells of them."""

from __future__ import annotations

import ctypes
import platform
import struct
from collections.abc import Iterable

_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}  # of bpf(2)
_libc = ctypes.CDLL(None, use_errno=True)
_QUERY = 16  # BPF_PROG_QUERY
_ATTACHED = (46, 47)  # BPF_TCX_INGRESS, BPF_TCX_EGRESS


def attached(indices: Iterable[int]) -> set[int]:
    """Return those of the interfaces of this namespace that have such programs; none where the kernel does not tell."""
    number = _NUMBERS.get(platform.machine())
    found: set[int] = set()
    for index in indices if number else ():
        for kind in _ATTACHED:
            # union bpf_attr, query: target, attach_type, query_flags, attach_flags, prog_ids, count; revision at 56.
            asked = ctypes.create_string_buffer(struct.pack("=IIIIQI", index, kind, 0, 0, 0, 0), 64)
            if _libc.syscall(number, _QUERY, asked, 64):
                return found  # not permitted, or of an older kernel
            if struct.unpack_from("=I", asked, 24)[0]:  # count
                found.add(index)
    return found
