"""Starts Airflow and the simulator on one machine, and sends a batch of real files through."""
