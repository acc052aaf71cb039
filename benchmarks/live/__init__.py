"""Live cameras in simulated time."""
