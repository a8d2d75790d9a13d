"""Try mailcow's public ports on some addresses, at once; print who answered as JSON.

    python3 client.py TOKEN ADDRESS...

`service peer` where a stand-in of that token answered, `other` where somebody else did, else the error's name.
"""

from __future__ import annotations

import concurrent.futures
import errno
import json
import socket
import sys

PORTS = (25, 465, 587, 143, 993, 110, 995, 4190, 80, 443, 8080)
SECONDS = 1.5


def attempt(address: str, port: int, token: str) -> str:
    try:
        with socket.create_connection((address, port), SECONDS) as connection:
            connection.settimeout(SECONDS)
            words = connection.recv(500).decode(errors="replace").split()
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "error")
    if len(words) == 5 and words[:2] == ["mailcow-preflight", token]:
        return f"{words[2]} {words[4]}"
    return "other" if words else "silence"


def main(token: str, addresses: list[str]) -> None:
    pairs = [(address, port) for address in addresses for port in PORTS]
    with concurrent.futures.ThreadPoolExecutor(len(pairs)) as pool:
        found = pool.map(lambda pair: attempt(*pair, token), pairs)
    print(json.dumps({f"{address} {port}": said for (address, port), said in zip(pairs, found, strict=True)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
