"""Quantised base models and their adapters."""
