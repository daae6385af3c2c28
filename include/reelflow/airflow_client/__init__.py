"""What is asked of Airflow over its REST API; imports nothing of Airflow's."""
