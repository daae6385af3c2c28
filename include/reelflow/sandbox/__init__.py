"""Where libraries read hostile files: each in a fenced-in child that sees ranges alone."""
