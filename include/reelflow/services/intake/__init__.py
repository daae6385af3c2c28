"""From a file in the inbox to a post that is validated, or rejected with its reasons."""
