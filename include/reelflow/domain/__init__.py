"""Pure values and rules: no clock, disk, network or environment in here."""
