"""The engine's unit and settings, as Debian has them."""

from __future__ import annotations

from hypothesis import strategies as st

from preflight.gather.engine import settings

UNIT = "/usr/lib/systemd/system/docker.service"

OVERRIDE = "/etc/systemd/system/docker.service.d/override.conf"

USUAL = "[Unit]\nAfter=x\n[Service]\nType=notify\nExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/c.sock\n"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(settings.KEYS)) | st.text(), inner)
    ),
)
