"""What TikTok's word, whoever heard it, does to a post."""
