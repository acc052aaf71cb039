"""The MCAP file of a session: writing, reading, recovery."""
