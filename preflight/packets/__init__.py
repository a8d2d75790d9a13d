"""Which way a packet takes, and how the kernel's messages of it are written. Pure."""
