"""Servers that lie, ports and disks that fail, and formats that only tests read: nothing of it ships."""
