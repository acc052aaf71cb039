"""The web server of a run: a live page for browsers, and phones as cameras."""
