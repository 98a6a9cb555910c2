"""The bundled model, and generators of bundled data: nothing is downloaded."""
