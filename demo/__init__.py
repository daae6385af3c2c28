"""Starts Airflow and the simulator on one machine, and shows a batch of real files going through."""
