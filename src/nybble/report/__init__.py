"""Results as tables and pages; never loads a model."""
