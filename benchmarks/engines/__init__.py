"""What an avatar makes of the poses, and what streaming costs."""
