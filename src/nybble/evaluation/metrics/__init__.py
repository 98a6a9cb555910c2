"""Metrics on plain arrays: what answers are worth, whatever model gave them."""
