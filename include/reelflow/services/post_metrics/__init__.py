"""What became of posts after they were published: TikTok's counts, by day."""
