"""2D keypoints of one view → 3D: the network, its weights, the engines that run it."""
