"""Files that come in chunks: announced, received in any order, finished."""
