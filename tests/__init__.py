"""Tests; helpers that several folders share are modules of this package."""
