"""``rig.toml``: reading, writing, exporting, drawing."""
