"""The triggers: Airflow may run one twice, so what they do twice is harmless."""
