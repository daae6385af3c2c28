"""The operators of publishing, one a stage."""
