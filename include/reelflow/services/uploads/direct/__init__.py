"""Files that browsers put into the bucket themselves."""
