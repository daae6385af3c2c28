"""What every client of ours keeps to, whichever server it asks over HTTP."""
