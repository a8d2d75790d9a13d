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

# 1. Connections from the Internet to 25/tcp do not reach mailcow: they are
#    dropped (IPv4).
#    Connections from the Internet to 465/tcp do not reach mailcow: they are
#    dropped (IPv4).
#    Connections from the Internet to 587/tcp do not reach mailcow: they are
#    dropped (IPv4).
#    What to do: Add lines before the rule that stops them.
#    Check: firewall.inbound
echo 'Step 1 of 1: firewall.inbound'
(
iptables -I FORWARD -o br-mailcow -j ACCEPT
) </dev/null

# Run preflight again:
#     docker run --rm --privileged --pid=host --network=host mailcow-preflight
# Or on the host itself:
#     preflight
echo 'Done. Run preflight again.'
