"""What others stream as VMC, read and checked."""
