"""How accurate poses and cameras are, on real footage and on simulated rigs."""
