"""Scores of generated images: what a number means is stored beside it."""
