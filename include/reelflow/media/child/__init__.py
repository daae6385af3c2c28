"""The process that alone lets libav touch a file: it imports nothing but itself, av and Pillow."""
