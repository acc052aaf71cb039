"""What is typed: options, camera lists, input and output files."""
