#!/bin/sh
# What mailcow preflight advises for this server: vm1.
# Made by mailcow-preflight 0.1.0 on 2026-11-23 at 01:23 UTC.
# There is nothing to do on this server.

set -eu

# Run preflight again:
#     docker run --rm --privileged --pid=host --network=host mailcow-preflight
# Or on the host itself:
#     preflight
