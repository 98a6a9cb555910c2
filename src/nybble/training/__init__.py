"""The loop over optimiser steps, checkpoints, metrics."""
