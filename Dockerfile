# syntax=docker/dockerfile:1
# One image for every process of docker-compose.yaml: Airflow with Reelflow, and ffmpeg. What
# installs it is the Makefile, as on any other machine.

FROM python:3.11.14-slim-bookworm AS base
ENV PATH=/opt/reelflow/venv/bin:$PATH PYTHONUNBUFFERED=1

FROM base AS build
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile pyproject.toml requirements-image.txt README.md LICENSE ./
COPY include/reelflow include/reelflow
COPY plugins/reelflow_provider plugins/reelflow_provider
RUN --mount=type=cache,target=/root/.cache make setup-image VENV=/opt/reelflow/venv

FROM base
RUN --mount=type=bind,source=demo,target=/src/demo \
    cd /src && PYTHONDONTWRITEBYTECODE=1 python -m demo.ffmpeg && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home reelflow \
    && install --directory --owner=reelflow --group=reelflow /var/lib/airflow
COPY --from=build /opt/reelflow/venv /opt/reelflow/venv
COPY dags /opt/reelflow/dags
USER reelflow
WORKDIR /var/lib/airflow
CMD ["reelflow", "doctor"]
