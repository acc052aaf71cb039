"""Commands for cameras of other machines."""
