"""Exact forward and backward of one optimiser step."""
