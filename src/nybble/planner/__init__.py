"""What fits, and in which precision: from configs, never from weights."""
