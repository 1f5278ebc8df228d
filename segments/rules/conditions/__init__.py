"""The kinds of condition that segments itself offers, one module each."""
