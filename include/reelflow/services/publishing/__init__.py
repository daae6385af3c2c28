"""One post on its way to TikTok: what is asked, sent and written down, in which order."""
