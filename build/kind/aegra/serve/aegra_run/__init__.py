"""What Aegra needs to be run by Slipway."""
