"""The other end of a host's cable: name servers, the root's among them, and a time server, until the process is ended.

python3 -m tests.lab.internet ADDRESS ipv4|dual
"""

from __future__ import annotations

import socket
import sys
import threading

from preflight.mailcow.requirements.time_servers import defaults
from preflight.mailcow.services import ANNOUNCED
from tests.gather import root_servers, timeserver
from tests.gather.nameserver import serve, zone

IDLE = 7000
UNSIGNED = 5301  # where the root's name servers answer without signatures, for scenarios that send questions there
RECORDS = (
    "mail.example.org. A 198.51.100.10",
    "mail.example.org. AAAA 2001:db8::10",
    "example.org. MX 10 mail.example.org.",
    "example.org. NS ns.example.net.",
    "ns.example.net. A 198.51.100.1",
    "autodiscover.example.org. CNAME mail.example.org.",
    "autoconfig.example.org. CNAME mail.example.org.",
    'example.org. TXT "v=spf1 mx a -all"',
    '_dmarc.example.org. TXT "v=DMARC1; p=reject"',
    'example.org. CAA 0 issue "letsencrypt.org"',
    *(f"{one.owner('example.org')}. SRV 0 1 {one.port} mail.example.org." for one in ANNOUNCED),
    *(f'{one.owner("example.org")}. TXT "path={one.path}"' for one in ANNOUNCED if one.path),
    "10.100.51.198.in-addr.arpa. PTR mail.example.org.",
    "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR mail.example.org.",
)

if __name__ == "__main__":
    address, network = sys.argv[1:]
    records = [record for record in RECORDS if network == "dual" or " AAAA " not in record]
    records += [f"{name}. A {address}" for name in defaults().names[0]]
    clock = timeserver.serve(timeserver.good(), address, 123)
    # The kernel takes connections to the idle port; nobody ever speaks there.
    idle, unsigned = socket.create_server((address, IDLE)), root_servers.served("plain", UNSIGNED)
    with serve(zone(*records), (address, 53)), clock, idle, root_servers.served(), unsigned:
        threading.Event().wait()
