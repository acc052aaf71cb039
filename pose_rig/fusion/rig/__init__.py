"""The state of a rig over time: cold, settled, solved, and what changes between them."""
