"""Several people in one rig: which detection is whose, who is new, who has left."""
