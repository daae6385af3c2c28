"""The triggers: they only read, because Airflow may run one twice."""
