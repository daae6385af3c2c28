"""Reelflow's web application inside of Airflow's API server, for Airflow's own users."""
