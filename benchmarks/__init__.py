"""How fast, how light and how accurate the rig is. See README.md in this folder."""
