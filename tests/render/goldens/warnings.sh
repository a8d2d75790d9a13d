#!/bin/sh
# What mailcow preflight advises for this server: vm1.
# Made by mailcow-preflight 0.1.0 on 2026-11-23 at 01:23 UTC.
#
# Read it before you run it, as root: sh FILE
# It stops at the first error and asks no questions.
# If a step fails, fix the cause and create a new script. It leaves out the
# finished steps.

set -eu
export DEBIAN_FRONTEND=noninteractive
[ "$(id -u)" -eq 0 ] || { echo 'Run this script as root.' >&2; exit 1; }

# 1. The host has no swap; mailcow asks for 1 GiB.
#    What to do: Add a swap file.
#    Check: resources.swap
echo 'Step 1 of 1: resources.swap'
(
fallocate -l 1G /swapfile
chmod 600 /swapfile
mkswap /swapfile && swapon /swapfile || exit
grep -qxF -e '/swapfile none swap sw 0 0' /etc/fstab 2>/dev/null || echo '/swapfile none swap sw 0 0' >> /etc/fstab
) </dev/null

# Not in this script:
# - your DNS provider: 1
#
# Run preflight again:
#     docker run --rm --privileged --pid=host --network=host mailcow-preflight
# Or on the host itself:
#     preflight
echo 'Done. Run preflight again.'
