"""Ties the aliases to their assets, before two tasks may do so at once.

Airflow 3.3.2 does it with the first event that goes through an alias. Of two tasks that announce
first at the same moment both would, and its API server refuses the success of one. So whoever
parses the DAGs does it when it starts: no task has run before its DAG was parsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reelflow_provider.assets import ALIASES

if TYPE_CHECKING:
    from airflow.sdk import Asset, AssetAlias
    from sqlalchemy.orm import Session


def tie_aliases(session: Session) -> None:
    """Make aliases, assets and the ties between them, as far as they are missing."""
    for alias, asset in ALIASES:
        _tie(session, alias, asset)


def _tie(session: Session, alias: AssetAlias, asset: Asset) -> None:
    # Imported here: models are for components alone, and plugins are loaded in every task.
    from airflow.models.asset import AssetAliasModel, AssetModel
    from sqlalchemy import select

    asset_row = session.scalar(
        select(AssetModel).where(AssetModel.name == asset.name, AssetModel.uri == asset.uri)
    )
    if asset_row is None:
        asset_row = AssetModel(name=asset.name, uri=asset.uri, group=asset.group)
        session.add(asset_row)
    alias_row = session.scalar(select(AssetAliasModel).where(AssetAliasModel.name == alias.name))
    if alias_row is None:
        alias_row = AssetAliasModel(name=alias.name, group=alias.group)
        session.add(alias_row)
    if asset_row not in alias_row.assets:
        alias_row.assets.append(asset_row)
