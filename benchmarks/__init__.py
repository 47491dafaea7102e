"""Figures of the running system, as lines of JSON; run them alone on the machine."""
