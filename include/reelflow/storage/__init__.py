"""Where files lie: the inbox and the folders of Reelflow."""
