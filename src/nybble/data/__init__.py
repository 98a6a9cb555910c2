"""Rows to token ids and a scored mask: formats, rendering, splitting, batches."""
