"""Try ports, all at once; print who answered as JSON.

    python3 client.py TOKEN ADDRESS=PORT...

`service peer` where a stand-in of that token answered, `other` where somebody else did, else the error's name.
"""

from __future__ import annotations

import concurrent.futures
import errno
import json
import socket
import sys

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


def main(token: str, places: list[str]) -> None:
    pairs = [(address, int(port)) for address, _, port in (place.partition("=") for place in places)]
    with concurrent.futures.ThreadPoolExecutor(len(pairs) or 1) as pool:
        found = pool.map(lambda pair: attempt(*pair, token), pairs)
    print(json.dumps(dict(zip(places, found, strict=True))))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
