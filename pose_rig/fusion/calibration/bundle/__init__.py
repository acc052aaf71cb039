"""Bundle adjustment of cameras and a moving person."""
