"""The run folder: layout, atomic writes, errors, secrets masked."""
