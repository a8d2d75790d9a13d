"""What the values in mailcow.conf mean to docker-compose.yml and mailcow's scripts, and what is wrong with them.

Read from mailcow's docker-compose.yml as of 2026-08-05. A value that mailcow could not use becomes a `Problem`, which
the checks put into words, and mailcow's default takes its place, so that other checks still have something to look at.
"""
