"""Reading 2D keypoint files of other programs."""
