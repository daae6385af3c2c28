"""What production needs beside the code: its databases, and its secrets."""
