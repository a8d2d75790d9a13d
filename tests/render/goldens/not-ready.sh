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

# 1. Docker Compose is not installed.
#    What to do: Install the plugin.
#    Check: docker.compose
echo 'Step 1 of 3: docker.compose'
(
apt-get update && apt-get install -y docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin || exit
) </dev/null

# 2. 25/tcp is held by exim4 (pid 812, exim4.service).
#    What to do: Stop exim4 and keep it from starting at boot; mailcow brings
#    its own.
#    Check: ports.free
echo 'Step 2 of 3: ports.free'
(
systemctl disable --now exim4.service
) </dev/null

# 3. 80/tcp is held by nginx (pid 812, nginx.service).
#    443/tcp is held by nginx (pid 812, nginx.service).
#    What to do: Stop nginx and keep it from starting at boot; mailcow brings
#    its own.
#    Check: ports.free
echo 'Step 3 of 3: ports.free'
(
systemctl disable --now nginx.service
) </dev/null

# For you to do or decide:
#
# The host has 1.9 GiB of RAM; mailcow asks for 6 GiB.
# What to do: Give the machine more memory: 6 GiB at least, 8 GiB for 5 to 10
# users.
# Check: resources.memory
#
# The container mailcowdockerized-sogo-mailcow-1 is left.
# The network mailcowdockerized_mailcow-network is left.
# What to do: Remove what you do not need any more.
# Check: docker.leftovers
# This needs your decision, so the script does not run it:
#     docker rm mailcowdockerized-sogo-mailcow-1
#     docker network rm mailcowdockerized_mailcow-network
#
# The check itself failed: ValueError: bad.
# What to do: This is a bug in mailcow preflight: please report it.
# Check: network.subnet

# Run preflight again:
#     docker run --rm --privileged --pid=host --network=host mailcow-preflight
# Or on the host itself:
#     preflight
echo 'Done. Run preflight again.'
