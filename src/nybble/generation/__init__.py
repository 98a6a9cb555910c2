"""Batched, deterministic generation."""
