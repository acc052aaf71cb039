"""A humanoid skeleton: bones, rest poses, joint rotations from joint positions, avatars."""
