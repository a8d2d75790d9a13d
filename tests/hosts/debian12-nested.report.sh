#!/bin/sh
# What mailcow preflight advises for this server: mx1.
# Made by mailcow-preflight 0.1.0 on 2026-11-24 at 11:22 UTC.
#
# Read it before you run it, as root: sh FILE
# It stops at the first error and asks no questions.
# If a step fails, fix the cause and create a new script. It leaves out the
# finished steps.

set -eu
export DEBIAN_FRONTEND=noninteractive
[ "$(id -u)" -eq 0 ] || { echo 'Run this script as root.' >&2; exit 1; }

# 1. This host has no swap. mailcow's documentation asks for 1.0 GiB.
#    What to do: Add a swap file.
#    Check: resources.swap
echo 'Step 1 of 1: resources.swap'
(
dd if=/dev/zero of=/swapfile bs=1M count=1024
chmod 600 /swapfile
mkswap /swapfile
swapon /swapfile
grep -qxF -e '/swapfile none swap defaults 0 0' /etc/fstab 2>/dev/null || echo '/swapfile none swap defaults 0 0' >> /etc/fstab
) </dev/null

# For you to do or decide:
#
# Docker Engine 20.10.24+dfsg1 is too old: mailcow needs version 24.0.0 or
# newer.
# Docker Compose is not installed: there is neither the plugin nor
# docker-compose.
# What to do: Replace it with Docker's own packages. Containers stop
# meanwhile; their data is kept.
# Check: docker.engine, docker.compose
# This needs your decision, so the script does not run it:
#     curl -fsSL https://get.docker.com/ | CHANNEL=stable sh
#
# The engine refuses to start a container with mailcow's limits on open files
# and processes.
# What to do: Raise the engine's own limits. In a container or a restricted
# virtual server, raise those of the underlying machine.
# Check: docker.limits
#
# 25/tcp is in use by python3 (pid 2938) on 127.0.0.1.
# What to do: python3 (pid 2938) belongs to no service unit. Find out what
# starts it and stop it there. If you only kill it, it may come back.
# Check: ports.free
# To look at it:
#     ps -o pid,ppid,user,lstart,args -p 2938
#
# NTP enabled: yes. However, systemd-timesyncd is not running.
# What to do: Start systemd-timesyncd, and find out why it stopped.
# Check: clock.service
# These checks can run only after this step: clock.synchronized
#
# This could not be determined. The recorded facts come from a version that
# did not collect this.
# What to do: Run `preflight facts` on that host again, with this version.
# Check: firewall.backend, firewall.inbound, firewall.forwarding,
# clock.offset, network.public-address, network.outbound, network.smtp-out,
# network.recursion, network.ping, network.blocklists

# Not in this script:
# - mailcow's own settings, once it is cloned (preflight --format conf): 1
#
# Run preflight again:
#     docker run --rm --privileged --pid=host --network=host mailcow-preflight
# Or on the host itself:
#     preflight
echo 'Done. Run preflight again.'
