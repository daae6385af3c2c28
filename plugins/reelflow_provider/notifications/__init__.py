"""How people hear of posts that need them: a webhook, or any notifier of Airflow's."""
