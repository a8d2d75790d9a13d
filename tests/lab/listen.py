#!/usr/bin/python3
"""Hold a port until ended: listen ADDRESS PORT [WORD...]

v6only      an IPv6 socket for IPv6 alone        bound      bound, not listening
reuseport   with SO_REUSEPORT                    exclusive  without SO_REUSEADDR
udp         UDP                                  client=HOST:PORT  connected from that port to there
timewait    nothing held by a process: one connection on that port was closed by the server a moment ago
"""

import socket
import sys
import time

address, port, *words = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
kind = socket.SOCK_DGRAM if "udp" in words else socket.SOCK_STREAM
sock = socket.socket(family, kind)
if family == socket.AF_INET6:
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int("v6only" in words))
if "reuseport" in words:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
if "exclusive" not in words and "timewait" not in words:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind((address, int(port)))
target = next((word.partition("=")[2] for word in words if word.startswith("client=")), "")
if target:
    host, _, there = target.rpartition(":")
    sock.connect((host, int(there)))
elif "udp" not in words and "bound" not in words:
    sock.listen(8)
if "timewait" in words:
    with socket.create_connection((address, int(port))) as other:
        one, _ = sock.accept()
        one.close()
        other.recv(1)
    sys.exit(0)
time.sleep(3600)
