"""2D keypoint files of other programs."""
