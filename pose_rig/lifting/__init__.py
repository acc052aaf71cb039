"""2D keypoints of one view → 3D: the network, its weights, its export, the engines that run it."""
