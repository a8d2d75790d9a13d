"""Adapters for the machine: kernel, memory, disks, clock, system."""
