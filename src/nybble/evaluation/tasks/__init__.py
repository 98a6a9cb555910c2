"""The tasks, one a file: how answers are read, scored and summed up."""
