"""One use-case each; services receive objects and read no environment."""
