"""What goes into every evidence kit as it stands: `verify.py` for whoever checks it, and an index to it."""
