-- Runs once, when PostgreSQL makes its data folder: a database for Airflow, for Celery's results and for
-- the ledger, each with a user who can connect to no other. The passwords come from the environment; a
-- missing one stops it.
\getenv airflow_password AIRFLOW_DATABASE_PASSWORD
\getenv celery_password CELERY_DATABASE_PASSWORD
\getenv ledger_password LEDGER_DATABASE_PASSWORD

CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE airflow OWNER airflow;
REVOKE ALL ON DATABASE airflow FROM PUBLIC;

CREATE ROLE celery LOGIN PASSWORD :'celery_password';
CREATE DATABASE celery OWNER celery;
REVOKE ALL ON DATABASE celery FROM PUBLIC;

CREATE ROLE reelflow LOGIN PASSWORD :'ledger_password';
CREATE DATABASE reelflow OWNER reelflow;
REVOKE ALL ON DATABASE reelflow FROM PUBLIC;
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
