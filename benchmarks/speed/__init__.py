"""How fast and how light the rig is."""
