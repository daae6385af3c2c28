"""What a person may do to a post by hand."""
