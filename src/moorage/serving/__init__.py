"""One server: its processes, its port and how it starts and ends."""
