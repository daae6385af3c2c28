"""The routes of the web application, one module for each thing that is asked for."""
